// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is written for the kernel's slab API and built with quarry/kmem_shim.h.  It
 * calls each function of the API, with memory of Quarry and with memory of the kernel.  It uses
 * Quarry's own API only to ask whether memory is Quarry's.  The results are in the log, one line
 * for each check, and in the parameters "passed" and "failed".
 */
#define pr_fmt(fmt) "quarry_shimmed: " fmt

#include <linux/kasan.h>
#include <linux/kernel.h>
#include <linux/mempool.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poison.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>
#include "shimmed.h"

MODULE_DESCRIPTION("Checks of quarry/kmem_shim.h");
MODULE_LICENSE("GPL");

static unsigned int passed, failed;
module_param(passed, uint, 0444);
module_param(failed, uint, 0444);

void check(bool good, const char *what)
{
	if (good) {
		passed++;
		pr_info("ok %s\n", what);
	} else {
		failed++;
		pr_info("not ok %s\n", what);
	}
}

/* --- Caches --- */

struct thing {
	u64 a, b, c;
	char name[40];
};

static unsigned int constructed;

static void construct(void *obj)
{
	struct thing *t = obj;

	t->a = 0x1234;
	constructed++;
}

static void check_cache(struct kmem_cache *s, const char *what, bool zero)
{
	char text[80];
	struct thing *t;
	void *objs[40];

	snprintf(text, sizeof(text), "%s: created", what);
	check(s, text);
	if (!s)
		return;
	snprintf(text, sizeof(text), "%s: an object is Quarry's", what);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(t), text);
	kmem_cache_free(s, t);
	snprintf(text, sizeof(text), "%s: size", what);
	check(kmem_cache_size(s) == sizeof(struct thing), text);
	snprintf(text, sizeof(text), "%s: an object of zeros", what);
	if (zero) {
		t = kmem_cache_zalloc(s, GFP_KERNEL | __GFP_ACCOUNT);
		check(ours(t) && !memchr_inv(t, 0, sizeof(*t)), text);
		kfree(t);
	}
	snprintf(text, sizeof(text), "%s: on a node, and in a list", what);
	t = kmem_cache_alloc_node(s, GFP_KERNEL, numa_mem_id());
	objs[0] = kmem_cache_alloc_lru(s, NULL, GFP_KERNEL);
	check(ours(t) && ours(objs[0]), text);
	kfree_sensitive(t);
	kvfree(objs[0]);
	snprintf(text, sizeof(text), "%s: many at a time", what);
	check(kmem_cache_alloc_bulk(s, GFP_KERNEL, ARRAY_SIZE(objs), objs) && ours(objs[0]) &&
		      ours(objs[39]),
	      text);
	kmem_cache_free_bulk(s, 20, objs);
	kfree_bulk(20, objs + 20);
	kmem_cache_shrink(s);
	kmem_cache_destroy(s);
}

static void caches(void)
{
	struct kmem_cache *s;
	struct thing *t;
	void *p;

	check_cache(kmem_cache_create("shim_plain", sizeof(struct thing), 0, 0, NULL), "plain",
		    true);
	check_cache(KMEM_CACHE(thing, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT |
					      SLAB_POISON | SLAB_RED_ZONE | SLAB_STORE_USER |
					      SLAB_PANIC),
		    "flags", true);
	check_cache(KMEM_CACHE_USERCOPY(thing, 0, name), "usercopy", true);
	check_cache(kmem_cache_create_usercopy("shim_user", sizeof(struct thing), 64, 0, 8, 16,
					       NULL),
		    "usercopy in full", true);

	s = kmem_cache_create("shim_watched", sizeof(struct thing), 0, SLAB_POISON | SLAB_RED_ZONE,
			      NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	kasan_disable_current(); /* these bytes are not the client's */
	check(ours(p) && ((u8 *)p)[sizeof(struct thing)] == SLUB_RED_ACTIVE, "a red zone");
	kmem_cache_free(s, p);
	check(*(u8 *)p == POISON_FREE, "poison");
	kasan_enable_current();
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_ctor", sizeof(struct thing), 0, 0, construct);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(constructed && t && t->a == 0x1234 && ours(t), "constructor");
	kmem_cache_free(s, t);
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_aligned", 100, 256, 0, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(p) && IS_ALIGNED((unsigned long)p | (unsigned long)t, 256), "alignment");
	check(kmem_cache_size(s) == 100, "the size that was asked for");
	kmem_cache_free(s, p);
	kmem_cache_free(s, t);
	kmem_cache_destroy(s);
	kmem_cache_destroy(NULL);

	s = kmem_cache_create("shim_lines", 72, 0, SLAB_HWCACHE_ALIGN, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(p) && IS_ALIGNED((unsigned long)p | (unsigned long)t, SMP_CACHE_BYTES),
	      "cache lines");
	kmem_cache_free(s, p);
	kmem_cache_free(s, t);
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_dma", 100, 0, SLAB_CACHE_DMA, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	check(s && p && !ours(p), "a cache of a zone is the kernel's");
	kmem_cache_free(s, p);
	check(kmem_cache_size(s) == 100, "and has its size");
	kmem_cache_shrink(s);
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_huge", 40000, 0, 0, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	check(s && p && !ours(p), "a cache of large objects is the kernel's");
	kfree(p);
	kmem_cache_destroy(s);

	s = not_shimmed_cache_create();
	p = kmem_cache_alloc(s, GFP_KERNEL);
	check(s && p && !ours(p), "a cache that somebody else made");
	kmem_cache_free(s, p);
	not_shimmed_cache_destroy(s);
}

static void pools(void)
{
	struct kmem_cache *s = KMEM_CACHE(thing, 0);
	mempool_t *pool = mempool_create_slab_pool(4, s), *kmallocs;
	void *p[6];
	unsigned int i, mine = 0;

	check(pool, "a pool of a cache");
	for (i = 0; pool && i < ARRAY_SIZE(p); i++) {
		p[i] = mempool_alloc(pool, GFP_KERNEL);
		mine += ours(p[i]);
	}
	check(mine == ARRAY_SIZE(p), "its objects are Quarry's");
	while (i)
		mempool_free(p[--i], pool);
	mempool_destroy(pool);
	kmem_cache_destroy(s);

	kmallocs = mempool_create_kmalloc_pool(2, 100);
	p[0] = mempool_alloc(kmallocs, GFP_KERNEL);
	check(p[0] && !ours(p[0]), "a pool of kmalloc's stays the kernel's");
	mempool_free(p[0], kmallocs);
	mempool_destroy(kmallocs);
}

/* --- The kernel's counters of slab pages --- */

#define ACCOUNTED 2048 /* pages */

/* Each processor keeps a part of its changes to itself at first, and the kernel has slabs too. */
static bool about(long pages, long expected)
{
	return abs(pages - expected) < ACCOUNTED / 4;
}

static void accounted(slab_flags_t flags, long reclaimable, long unreclaimable, const char *what)
{
	struct kmem_cache *s = kmem_cache_create("shim_accounted", PAGE_SIZE, 0, flags, NULL);
	void **objs = kvcalloc(ACCOUNTED, sizeof(*objs), GFP_KERNEL);
	long yes = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
	long no = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
	bool good = s && objs && kmem_cache_alloc_bulk(s, GFP_KERNEL, ACCOUNTED, objs);

	if (good) {
		yes = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) - yes;
		no = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) - no;
		kmem_cache_free_bulk(s, ACCOUNTED, objs);
		good = about(yes, reclaimable) && about(no, unreclaimable);
	}
	check(good, what);
	kvfree(objs);
	kmem_cache_destroy(s);
}

static void accounts(void)
{
	accounted(SLAB_RECLAIM_ACCOUNT, ACCOUNTED, 0, "counted as reclaimable");
	accounted(SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, ACCOUNTED, 0,
		  "counted as reclaimable, and accounted");
	accounted(SLAB_ACCOUNT, 0, ACCOUNTED, "counted as unreclaimable");
	accounted(0, 0, 0, "not counted");
}

/* --- A second free --- */

/*
 * A second free of Quarry's memory goes to Quarry too, which reports it.  The object has a run
 * of its own, so the first free leaves idle pages.  Few idle pages are not released, so Quarry
 * still knows the address at the second free.
 */
static void double_free(void)
{
	void *p = kmalloc(100000, GFP_KERNEL);

	kfree(p);
	kfree(p);
}

/* --- By RCU --- */

struct late {
	u64 a;
	struct rcu_head rcu;
	u64 b;
};

/* A reader sees the object unchanged until it leaves its read-side critical section. */
static void frees_by_rcu(void)
{
	struct late *mine = kzalloc(sizeof(*mine), GFP_KERNEL);
	struct late *theirs = kzalloc(sizeof(*theirs), GFP_KERNEL | GFP_DMA);
	struct kmem_cache *s = KMEM_CACHE(late, SLAB_TYPESAFE_BY_RCU);
	struct late *typed = kmem_cache_alloc(s, GFP_KERNEL);
	typeof(rcu_barrier) kvfree_rcu_barrier; /* the shim's, also where the kernel has none */
	void *p;

	check(ours(mine) && theirs && !ours(theirs), "memory of both");
	check(ours(typed), "a cache that readers rely on");
	rcu_read_lock();
	preempt_disable();
	mine->a = 0x1234;
	mine->b = 0x5678;
	kfree_rcu(mine, rcu);
	kmem_cache_free(s, typed);
	check(mine->a == 0x1234 && mine->b == 0x5678, "is there for a reader after kfree_rcu()");
	/* A CPU gives out first the object that it freed last. */
	p = kmalloc(sizeof(*mine), GFP_ATOMIC);
	check(p && p != mine, "and is nobody else's");
	kfree(p);
	preempt_enable();
	rcu_read_unlock();
	kfree_rcu(theirs, rcu);
	kvfree_rcu_mightsleep(kmalloc(100, GFP_KERNEL));
	kvfree_rcu_mightsleep(kernels());
	kvfree_rcu_mightsleep(kvzalloc(SZ_4M + SZ_1M, GFP_KERNEL));
	mine = kmem_cache_alloc(s, GFP_KERNEL);
	kfree_rcu(mine, rcu);
	kmem_cache_destroy(s);
	kfree_rcu((struct late *)NULL, rcu);
	/* When the object is freed, its pages no longer belong to an object: ours() is false. */
	p = kmalloc(100000, GFP_KERNEL);
	kvfree_rcu_mightsleep(p);
	kvfree_rcu_barrier();
	check(p && !ours(p), "the barrier waits for Quarry's");
}

/* --- To user space and back, with CONFIG_HARDENED_USERCOPY --- */

/* Memory of the program that loads the module. */
static unsigned long user;

static void copy(const void *p, size_t size, const char *what)
{
	void __user *to = (void __user *)user;

	check(!copy_to_user(to, p, size) && !copy_from_user((void *)p, to, size), what);
}

static void usercopy(void)
{
	struct kmem_cache *s = kmem_cache_create("shim_straddle", 3000, 0, 0, NULL);
	void *objs[8], *p;
	unsigned int i, straddle = 0;

	user = vm_mmap(NULL, 0, SZ_64K, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, 0);
	check(!IS_ERR_VALUE(user), "memory of the program's");
	if (IS_ERR_VALUE(user))
		return;
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = kmem_cache_zalloc(s, GFP_KERNEL);
		straddle += offset_in_page(objs[i]) > PAGE_SIZE - 3000;
	}
	check(straddle, "objects lie across pages");
	for (i = 0; i < ARRAY_SIZE(objs); i++)
		copy(objs[i], 3000, "a copy of an object");
	kmem_cache_free_bulk(s, ARRAY_SIZE(objs), objs);
	kmem_cache_destroy(s);
	p = kzalloc(20000, GFP_KERNEL);
	copy(p, 20000, "a copy of some pages");
	kfree(p);
	p = kvzalloc(SZ_64K, GFP_KERNEL);
	copy(p, SZ_64K, "a copy of more");
	kvfree(p);
	vm_munmap(user, SZ_64K);
}

static int __init shimmed_init(void)
{
	double_free();
	caches();
	pools();
	accounts();
	check_kmalloc_family();
	frees_by_rcu();
	usercopy();
	pr_info("1..%u\n", passed + failed);
	return 0;
}

static void __exit shimmed_exit(void)
{
}

module_init(shimmed_init);
module_exit(shimmed_exit);
