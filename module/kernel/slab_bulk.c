// SPDX-License-Identifier: GPL-2.0
/*
 * kmem_cache_alloc_bulk() and kmem_cache_free_bulk() have no tracepoint.  Batches of kfree_rcu()
 * end in the latter.  A kprobe at its entry sees the array of objects, and a kretprobe that of the
 * former when it returns.
 *
 * The kernel leaves out a kprobe that is hit while another one's handler runs on the same CPU, and
 * counts that.  Then objects of a bulk allocation are not seen, or a free is missed, which shows
 * when the address is used again or the page goes back.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/slab.h>
#include <linux/stringify.h>
#include "compat.h"
#include "kernel/slab_domain.h"
#include "kernel/slab_layout.h"

#if defined(CONFIG_KRETPROBES) && defined(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API)

#define ALLOC_BULK __stringify(qr_compat_noprof(kmem_cache_alloc_bulk))
#define FREE_BULK  "kmem_cache_free_bulk"

/* Tasks that may be in a bulk allocation at a time; it may sleep. */
#define ALLOCS_UNDER_WAY 256

static struct qr_domain *domain;
static struct kprobe free_bulk;
static struct kretprobe alloc_bulk;

/* kmem_cache_free_bulk(cache, n, objects) */
static int free_bulk_entry(struct kprobe *p, struct pt_regs *regs)
{
	size_t n = regs_get_kernel_argument(regs, 1), i;
	void **objects = (void **)regs_get_kernel_argument(regs, 2);

	for (i = 0; i < n; i++)
		qr_domain_free(domain, objects[i]);
	return 0;
}

/* Arguments of kmem_cache_alloc_bulk(cache, gfp, n, objects). */
struct alloc_call {
	struct kmem_cache *s;
	gfp_t gfp;
	void **objects;
};

static int alloc_bulk_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct alloc_call *call = (void *)ri->data;

	call->s = (struct kmem_cache *)regs_get_kernel_argument(regs, 0);
	call->gfp = (__force gfp_t)regs_get_kernel_argument(regs, 1);
	call->objects = (void **)regs_get_kernel_argument(regs, 3);
	return 0;
}

static int alloc_bulk_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const struct alloc_call *call = (void *)ri->data;
	int n = regs_return_value(regs), i;
	u32 size = qr_kernel_cache_size(call->s);

	for (i = 0; i < n; i++) {
		s64 left = qr_count_down(qr_slab_countdown, size);

		if (unlikely(left < 0)) {
			const struct qr_kernel_alloc a = {
				.ptr = call->objects[i],
				.s = call->s,
				.size = size,
				.asked = kmem_cache_size(call->s),
				.ip = get_kretprobe_retaddr(ri),
				.gfp = call->gfp,
			};

			qr_domain_drawn(domain, &a, left);
		}
	}
	return 0;
}

/* A probe cannot be registered again with what the kernel has left in it. */
int qr_slab_bulk_start(struct qr_domain *d)
{
	int err;

	domain = d;
	free_bulk = (struct kprobe){ .symbol_name = FREE_BULK, .pre_handler = free_bulk_entry };
	alloc_bulk = (struct kretprobe){
		.kp.symbol_name = ALLOC_BULK,
		.entry_handler = alloc_bulk_entry,
		.handler = alloc_bulk_return,
		.data_size = sizeof(struct alloc_call),
		.maxactive = ALLOCS_UNDER_WAY,
	};
	err = register_kprobe(&free_bulk);
	if (err) {
		pr_err("kernel=slab: no probe on %s() (error %d)\n", FREE_BULK, err);
		return err;
	}
	err = register_kretprobe(&alloc_bulk);
	if (err) {
		pr_err("kernel=slab: no probe on %s() (error %d)\n", ALLOC_BULK, err);
		unregister_kprobe(&free_bulk);
	}
	return err;
}

/* Objects that a bulk allocation returns from now on are not seen; then no free has to be. */
void qr_slab_bulk_stop(void)
{
	unregister_kretprobe(&alloc_bulk);
	unregister_kprobe(&free_bulk);
}

u64 qr_slab_bulk_missed(void)
{
	return free_bulk.nmissed + alloc_bulk.nmissed + alloc_bulk.kp.nmissed;
}

#else

int qr_slab_bulk_start(struct qr_domain *d)
{
	pr_err("kernel=slab: this kernel has no kretprobes\n");
	return -EOPNOTSUPP;
}

void qr_slab_bulk_stop(void)
{
}

u64 qr_slab_bulk_missed(void)
{
	return 0;
}

#endif
