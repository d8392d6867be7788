// SPDX-License-Identifier: GPL-2.0
/* What <uapi/quarry.h> promises to programs, compared with the module's own names and sizes. */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <quarry/misuse.h>
#include <quarry/profile.h>
#include <quarry/stats.h>
#include <uapi/quarry.h>

/* The numbers that programs use are those of the module's enums. */
static_assert(QUARRY_DEV_CACHE_ALL == QUARRY_CACHE_ALL);
static_assert(QUARRY_DEV_DOMAIN_QUARRY == (int)QUARRY_DOMAIN_QUARRY);
static_assert(QUARRY_DEV_DOMAIN_SLAB == (int)QUARRY_DOMAIN_SLAB);
static_assert(QUARRY_DEV_DOMAIN_PAGES == (int)QUARRY_DOMAIN_PAGES);
static_assert(QUARRY_DEV_DOMAIN_PERCPU == (int)QUARRY_DOMAIN_PERCPU);
static_assert(QUARRY_DEV_DOMAIN_VMALLOC == (int)QUARRY_DOMAIN_VMALLOC);
static_assert(QUARRY_DEV_DOMAINS == (int)QUARRY_DOMAINS);
static_assert(QUARRY_DEV_KIND_HEAP == (int)QUARRY_PROFILE_HEAP);
static_assert(QUARRY_DEV_KIND_ALLOCS == (int)QUARRY_PROFILE_ALLOCS);
static_assert(QUARRY_DEV_KIND_PEAK == (int)QUARRY_PROFILE_PEAK);
static_assert(QUARRY_DEV_KIND_LIFETIME == (int)QUARRY_PROFILE_LIFETIME);
static_assert(QUARRY_DEV_KIND_FRAGMENTATION == (int)QUARRY_PROFILE_FRAGMENTATION);
static_assert(QUARRY_DEV_KINDS == (int)QUARRY_PROFILE_KINDS);
static_assert(QUARRY_DEV_FORMAT_PPROF == (int)QUARRY_FORMAT_PPROF);
static_assert(QUARRY_DEV_FORMAT_TEXT == (int)QUARRY_FORMAT_TEXT);
static_assert(QUARRY_DEV_FORMAT_FOLDED == (int)QUARRY_FORMAT_FOLDED);
static_assert(QUARRY_DEV_FORMAT_TOP == (int)QUARRY_FORMAT_TOP);
static_assert(QUARRY_DEV_FORMATS == (int)QUARRY_PROFILE_FORMATS);
static_assert(QUARRY_DEV_CACHE_LEN == QUARRY_NAME_LEN);
static_assert(QUARRY_DEV_CALLER_LEN == QUARRY_MISUSE_CALLER);

/* The sizes are part of the ABI, and the same for 32-bit programs. */
static_assert(sizeof(struct quarry_dev_info) == 192);
static_assert(sizeof(struct quarry_dev_rate) == 32);
static_assert(sizeof(struct quarry_dev_snapshot) == 64);
static_assert(sizeof(struct quarry_dev_action) == 48);
static_assert(sizeof(struct quarry_dev_ring) == 48);
static_assert(sizeof(struct quarry_dev_domain) == 192);
static_assert(sizeof(struct quarry_dev_misuse) == 416);
/* A member "domain" is where an older program has its zeros. */
static_assert(offsetof(struct quarry_dev_info, domains) == 152);
static_assert(offsetof(struct quarry_dev_rate, domain) == 16);
static_assert(offsetof(struct quarry_dev_snapshot, domain) == 40);
static_assert(offsetof(struct quarry_dev_action, domain) == 4);
