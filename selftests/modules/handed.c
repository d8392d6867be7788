// SPDX-License-Identifier: GPL-2.0
/*
 * A module that hands its memory to the kernel, as serport, vgem and dns_resolver do: this file is
 * built with quarry/kmem_shim.h and allocates, handed_kernel.c is built without and frees.
 *
 * The parameter "what" says what happens while the module is loaded: "work" makes checks, whose
 * results are in the log and in the parameters "passed" and "failed"; "leak" has two objects freed
 * by the kernel; "cache" hands a cache to the kernel, which faults.
 */
#define pr_fmt(fmt) "quarry_handed: " fmt

#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <quarry/quarry.h>
#include <quarry/stats.h>
#include "handed.h"

MODULE_DESCRIPTION("Memory that the kernel frees, for the tests of quarry/kmem_shim.h");
MODULE_LICENSE("GPL");

static char *what = "work";
module_param(what, charp, 0444);
static unsigned int passed, failed;
module_param(passed, uint, 0444);
module_param(failed, uint, 0444);

static void check(bool good, const char *text)
{
	if (good)
		passed++;
	else
		failed++;
	pr_info("%sok %s\n", good ? "" : "not ", text);
}

static bool ours(const void *p)
{
	return quarry_usable_size(p);
}

static struct quarry_stats before;

static void look(void)
{
	quarry_stats_read(&before);
}

/* Since look(): are no more objects live, and did the kernel hand @n frees to Quarry? */
static bool freed(unsigned int n)
{
	struct quarry_stats now;
	unsigned int tries = 0;

	do {
		if (tries)
			msleep(20);
		quarry_stats_read(&now);
	} while (now.kernel_frees - before.kernel_frees < n && tries++ < 500);
	if (now.kernel_frees - before.kernel_frees == n && now.live_objects == before.live_objects)
		return true;
	pr_info("%llu frees of %u, %llu live objects, %llu before\n",
		now.kernel_frees - before.kernel_frees, n, now.live_objects, before.live_objects);
	return false;
}

static void all_sizes(void)
{
	static const size_t size[] = { 8, 24, 64, 200, 1024, 3000, 4096, 20000, 32768, 100000 };
	unsigned int i, foreign = 0, wrong = 0;
	void *p;

	look();
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		p = kmalloc(size[i], GFP_KERNEL);
		foreign += !ours(p);
		wrong += kernel_ksize(p) != ksize(p);
		kernel_kfree(p);
	}
	check(!foreign, "memory of all sizes is Quarry's");
	check(!wrong, "the kernel's ksize() knows it");
	check(freed(i), "the kernel's kfree() frees it");

	look();
	p = kmalloc(100, GFP_KERNEL);
	kernel_kvfree(p);
	p = kvmalloc(QUARRY_MAX_LARGE + PAGE_SIZE, GFP_KERNEL);
	check(ours(p) && is_vmalloc_addr(p), "mapped memory");
	kernel_kvfree(p);
	check(freed(2), "the kernel's kvfree() frees it");
}

/* The CPU gives out an object again first that it freed last; here it is to be seen unchanged. */
static void sensitive(void)
{
	char *p;

	look();
	p = kmalloc(200, GFP_KERNEL);
	memset(p, 'x', 200);
	preempt_disable();
	kernel_kfree_sensitive(p);
	check(!memchr_inv(p, 0, 200), "the kernel's kfree_sensitive() zeroes it");
	preempt_enable();
	p = kmalloc(200, GFP_KERNEL);
	kernel_kfree(p);
	check(freed(2), "and frees it");
}

static void others(void)
{
	struct kmem_cache *s = kmem_cache_create("handed", 100, 0, 0, NULL);
	static const size_t more[] = { 200, 4096, 5000 };
	unsigned long flags;
	void *p[16];
	char *q, *r;
	unsigned int i;

	look();
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = kmalloc(50 << (i % 3), GFP_KERNEL);
	kernel_kfree_bulk(ARRAY_SIZE(p), p);
	check(freed(ARRAY_SIZE(p)), "kfree_bulk()");

	look();
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kernel_kfree_rcu(kmalloc(sizeof(struct handed), GFP_KERNEL));
	check(freed(ARRAY_SIZE(p)), "kfree_rcu()");

	look();
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		q = kmalloc(100, GFP_KERNEL);
		memset(q, 'x', 100);
		check(kernel_krealloc(q, 60) == q, "krealloc() to less leaves it where it is");
		r = kernel_krealloc(q, more[i]);
		check(r && !ours(r) && !memchr_inv(r, 'x', 60), "krealloc() to more copies it");
		kfree(r);
	}
	check(freed(i), "and frees it");
	look();
	check(kernel_krealloc(kmalloc(100, GFP_KERNEL), 0) == ZERO_SIZE_PTR, "krealloc() to 0");
	check(freed(1), "frees it");

	look();
	p[0] = kmem_cache_alloc(s, GFP_KERNEL);
	p[1] = kmem_cache_alloc(s, GFP_KERNEL);
	kernel_kfree(p[0]);
	local_irq_save(flags);
	kernel_kfree(p[1]);
	local_irq_restore(flags);
	check(freed(2), "objects of a cache, also with interrupts off");
	kmem_cache_destroy(s);

	look();
	for (i = 0; i < 1000; i++)
		kernel_kfree(kmalloc(8, GFP_KERNEL));
	check(freed(i), "a thousand frees");
}

/* As any wrong free, it is reported and survived. */
static void twice(void)
{
	void *p = kmalloc(100000, GFP_KERNEL);
	struct quarry_stats now;

	quarry_stats_read(&before);
	kernel_kfree(p);
	kernel_kfree(p);
	quarry_stats_read(&now);
	check(now.misuse_foreign + now.misuse_double_free ==
		      before.misuse_foreign + before.misuse_double_free + 1,
	      "a second free by the kernel is misuse");
}

/* No tail call, so that the profile names this function. */
static noinline void *leak_here(void)
{
	void *p = kmalloc(64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	return p;
}

static int __init handed_init(void)
{
	struct kmem_cache *s;
	unsigned int i;

	if (!strcmp(what, "leak")) {
		for (i = 0; i < 2; i++)
			kernel_kfree(leak_here());
		return 0;
	}
	if (!strcmp(what, "cache")) {
		s = kmem_cache_create("handed_on", 100, 0, 0, NULL);
		kernel_cache_size(s);
		return 0;
	}
	all_sizes();
	sensitive();
	others();
	twice();
	pr_info("1..%u\n", passed + failed);
	return 0;
}

static void __exit handed_exit(void)
{
	kernel_barrier();
}

module_init(handed_init);
module_exit(handed_exit);
