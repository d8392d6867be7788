// SPDX-License-Identifier: GPL-2.0
/* What is known of the kernel's caches: where their members are, and numbers for their names. */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "kernel/cache_names.h"
#include "probe/slab_layout.h"
#include "tests/kunit_util.h"

static void destroy(void *cache)
{
	kmem_cache_destroy(cache);
}

static struct kmem_cache *kernel_cache(struct kunit *test, const char *name, unsigned int size,
				       unsigned int align)
{
	struct kmem_cache *s = kmem_cache_create(name, size, align, SLAB_TYPESAFE_BY_RCU, NULL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy, s));
	return s;
}

static void members_are_found(struct kunit *test)
{
	struct kmem_cache *a = kernel_cache(test, "quarry_layout_a", 200, 64);
	struct kmem_cache *b = kernel_cache(test, "quarry_layout_b", 3000, 8);
	void *p;

	KUNIT_ASSERT_EQ(test, 0, qr_slab_layout_learn());
	KUNIT_EXPECT_STREQ(test, "quarry_layout_a", qr_kernel_cache_name(a));
	KUNIT_EXPECT_STREQ(test, "quarry_layout_b", qr_kernel_cache_name(b));
	/* Debugging adds to an object. */
	KUNIT_EXPECT_GE(test, qr_kernel_cache_size(a), 256);
	KUNIT_EXPECT_LE(test, qr_kernel_cache_size(a), 1024);
	KUNIT_EXPECT_GE(test, qr_kernel_cache_size(b), 3000);
	KUNIT_EXPECT_LE(test, qr_kernel_cache_size(b), 4096);
	p = kmem_cache_alloc(b, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, (const struct kmem_cache *)b, qr_kernel_cache_of(p));
	kmem_cache_free(b, p);
	p = kmalloc(4 * KMALLOC_MAX_CACHE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, qr_kernel_cache_of(p));
	kfree(p);
}

struct learner {
	struct work_struct work;
	int err;
};

static void learn(struct work_struct *work)
{
	qr_slab_layout.known = false;
	container_of(work, struct learner, work)->err = qr_slab_layout_learn();
}

/* The kernel warns of a second cache with a name that is taken. */
static void several_learn_at_once(struct kunit *test)
{
	struct learner *l = kunit_kcalloc(test, nr_cpu_ids, sizeof(*l), GFP_KERNEL);
	unsigned int cpu;

	KUNIT_ASSERT_NOT_NULL(test, l);
	for_each_online_cpu(cpu) {
		l[cpu].err = -EINPROGRESS;
		INIT_WORK(&l[cpu].work, learn);
		schedule_work_on(cpu, &l[cpu].work);
	}
	for_each_online_cpu(cpu) {
		flush_work(&l[cpu].work);
		KUNIT_EXPECT_EQ(test, 0, l[cpu].err);
	}
	KUNIT_EXPECT_TRUE(test, qr_slab_layout.known);
}

static u32 number(struct qr_cache_names *names, const char *name, const char **clean)
{
	unsigned long flags;
	u32 n;

	local_irq_save(flags);
	n = qr_cache_name_number(names, name, clean);
	local_irq_restore(flags);
	return n;
}

static void names_have_numbers(struct kunit *test)
{
	struct qr_cache_names *names = qt_array(test, 1, sizeof(*names));
	u32 a, b, *of = qt_array(test, QR_CACHE_NAMES, sizeof(*of));
	unsigned int i, given = 0, wrong = 0;
	char name[32];
	const char *clean;

	raw_spin_lock_init(&names->lock);
	a = number(names, "dentry", &clean);
	KUNIT_EXPECT_STREQ(test, "dentry", clean);
	b = number(names, "kmalloc-64", &clean);
	KUNIT_EXPECT_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, a, number(names, "dentry", &clean));
	KUNIT_EXPECT_NE(test, 0, number(names, "two words;", &clean));
	KUNIT_EXPECT_STREQ(test, "two_words_", clean);
	for (i = 0; i < QR_CACHE_NAMES; i++) {
		snprintf(name, sizeof(name), "cache-%u", i);
		of[i] = number(names, name, &clean);
		given += of[i] > 0;
		wrong += strcmp(clean, of[i] ? name : "(other)") != 0;
	}
	KUNIT_EXPECT_EQ(test, QR_CACHE_NAMES / 4 * 3 - 3, given);
	for (i = 0; i < QR_CACHE_NAMES; i++) {
		snprintf(name, sizeof(name), "cache-%u", i);
		wrong += number(names, name, &clean) != of[i];
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, b, number(names, "kmalloc-64", &clean));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(members_are_found),
	KUNIT_CASE(several_learn_at_once),
	KUNIT_CASE(names_have_numbers),
	KUNIT_CASE(qt_books_balance),
	{},
};

static struct kunit_suite suite = {
	.name = "quarry_slab_layout",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
