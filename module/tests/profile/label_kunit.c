// SPDX-License-Identifier: GPL-2.0
/* Labels of samples: those that the profiler sets, and those that scopes add. */
#include "tests/profile_util.h"

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "profile/label_scope.h"

struct bench {
	struct quarry_cache *cache;
	struct qp_watch *watch;
};

static struct bench bench(struct kunit *test)
{
	struct bench b = { .cache = qt_cache(test, 64, NULL) };

	/* The node is a label. */
	qt_pin(test, 0);
	b.watch = qp_watch(test, qp_id(b.cache));
	qp_rate(test, 1);
	return b;
}

/* Makes an allocation and returns the number of its label set. */
static u32 labels_now(struct kunit *test, struct bench *b)
{
	unsigned int nr = b->watch->allocs;
	u32 labels;
	void *p;

	p = quarry_cache_alloc(b->cache, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, nr + 1, b->watch->allocs);
	labels = b->watch->last.labels;
	quarry_cache_free(b->cache, p);
	return labels;
}

static void expect_label(struct kunit *test, u32 labels, const char *key, const char *value)
{
	KUNIT_EXPECT_STREQ_MSG(test, value, qp_label(labels, key) ?: "(absent)", "%s", key);
}

/* The set has @n labels, no two with the same key. */
static void expect_count(struct kunit *test, u32 labels, unsigned int n)
{
	const struct quarry_labels *l = qr_labels_get(labels);
	unsigned int i, k;

	KUNIT_ASSERT_NOT_NULL(test, l);
	KUNIT_EXPECT_EQ(test, labels, l->id);
	KUNIT_EXPECT_EQ(test, n, l->n);
	for (i = 0; i < l->n; i++)
		for (k = 0; k < i; k++)
			KUNIT_EXPECT_STRNEQ(test, l->key[i], l->key[k]);
}

static void those_that_come_by_themselves(struct kunit *test)
{
	struct bench b = bench(test);
	char number[12];
	u32 labels, again;
	int node;

	qt_pin(test, 0);
	labels = labels_now(test, &b);
	expect_count(test, labels, 3);
	expect_label(test, labels, "context", "task");
	expect_label(test, labels, "comm", current->comm);
	snprintf(number, sizeof(number), "%d", raw_cpu_read(qr_home_node));
	expect_label(test, labels, "node", number);
	again = labels_now(test, &b);
	KUNIT_EXPECT_EQ(test, labels, again);
	/* The node is that of the memory, not of the CPU. */
	for_each_node_mask(node, qr_nodes) {
		void *p = quarry_cache_alloc_node(b.cache, GFP_KERNEL | __GFP_THISNODE, node);

		KUNIT_ASSERT_NOT_NULL(test, p);
		snprintf(number, sizeof(number), "%d", node);
		expect_label(test, b.watch->last.labels, "node", number);
		KUNIT_EXPECT_EQ(test, node == raw_cpu_read(qr_home_node),
				b.watch->last.labels == labels);
		quarry_cache_free(b.cache, p);
	}
	KUNIT_EXPECT_NULL(test, qr_labels_get(U32_MAX));
	KUNIT_EXPECT_STREQ(test, "other", qp_label(0, "labels") ?: "(absent)");
}

static void task_is_renamed(struct kunit *test)
{
	struct bench b = bench(test);
	char name[TASK_COMM_LEN];
	u32 before, renamed;

	before = labels_now(test, &b);
	get_task_comm(name, current);
	strscpy_pad(current->comm, "a", TASK_COMM_LEN);
	renamed = labels_now(test, &b);
	expect_label(test, renamed, "comm", "a");
	KUNIT_EXPECT_NE(test, before, renamed);
	strscpy_pad(current->comm, name, TASK_COMM_LEN);
	KUNIT_EXPECT_EQ(test, before, labels_now(test, &b));
}

static void scopes_nest(struct kunit *test)
{
	struct quarry_label_scope request, step, inner;
	struct bench b = bench(test);
	u32 none, one, two, labels;

	qt_pin(test, 0);
	none = labels_now(test, &b);
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&request, "request", "7"));
	one = labels_now(test, &b);
	expect_count(test, one, 4);
	expect_label(test, one, "request", "7");
	expect_label(test, one, "comm", current->comm);
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&step, "step", "read"));
	two = labels_now(test, &b);
	expect_count(test, two, 5);
	expect_label(test, two, "request", "7");
	expect_label(test, two, "step", "read");

	/* Of two with the same key the inner one counts. */
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&inner, "request", "8"));
	labels = labels_now(test, &b);
	expect_count(test, labels, 5);
	expect_label(test, labels, "request", "8");
	expect_label(test, labels, "step", "read");
	quarry_label_end(&inner);
	KUNIT_EXPECT_EQ(test, two, labels_now(test, &b));
	quarry_label_end(&step);
	KUNIT_EXPECT_EQ(test, one, labels_now(test, &b));
	quarry_label_end(&request);
	KUNIT_EXPECT_EQ(test, none, labels_now(test, &b));
}

static void ended_in_any_order(struct kunit *test)
{
	struct quarry_label_scope first, second;
	struct bench b = bench(test);
	u32 none, labels;

	qt_pin(test, 0);
	none = labels_now(test, &b);
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&first, "k", "first"));
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&second, "k", "second"));
	quarry_label_end(&first);
	labels = labels_now(test, &b);
	expect_label(test, labels, "k", "second");
	quarry_label_end(&first); /* has ended already: nothing happens */
	quarry_label_end(&second);
	KUNIT_EXPECT_EQ(test, none, labels_now(test, &b));
}

/* Two sets with the same labels are one, in whichever order the scopes began. */
static void order_makes_no_difference(struct kunit *test)
{
	struct quarry_label_scope x, y;
	struct bench b = bench(test);
	u32 xy, yx, swapped;

	qt_pin(test, 0);
	quarry_label_begin(&x, "x", "1");
	quarry_label_begin(&y, "y", "2");
	xy = labels_now(test, &b);
	quarry_label_end(&y);
	quarry_label_end(&x);
	quarry_label_begin(&y, "y", "2");
	quarry_label_begin(&x, "x", "1");
	yx = labels_now(test, &b);
	quarry_label_end(&x);
	quarry_label_end(&y);
	KUNIT_EXPECT_EQ(test, xy, yx);
	quarry_label_begin(&x, "x", "2");
	quarry_label_begin(&y, "y", "1");
	swapped = labels_now(test, &b);
	quarry_label_end(&y);
	quarry_label_end(&x);
	KUNIT_EXPECT_NE(test, xy, swapped);
	expect_label(test, swapped, "x", "2");
	expect_label(test, swapped, "y", "1");
}

static void refused_labels(struct kunit *test)
{
	static const char long_key[] = "12345678901234567890123456789012";
	static const char long_value[] =
		"1234567890123456789012345678901234567890123456789012345678901234";
	static const char *const bad[][2] = {
		{ "cache", "v" },  { "node", "v" },	{ "context", "v" },  { "comm", "v" },
		{ "age", "v" },	   { "labels", "v" },	{ "pprof::x", "v" }, { "pprof::", "v" },
		{ "cgroup", "v" }, { "", "v" },		{ NULL, "v" },	     { "k", NULL },
		{ long_key, "v" }, { "k", long_value },
	};
	struct quarry_label_scope scope, outer;
	struct bench b = bench(test);
	unsigned int i;
	u32 before;

	KUNIT_ASSERT_EQ(test, QUARRY_LABEL_KEY, strlen(long_key));
	KUNIT_ASSERT_EQ(test, QUARRY_LABEL_VALUE, strlen(long_value));
	qt_pin(test, 0);
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&outer, "outer", "1"));
	before = labels_now(test, &b);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, quarry_label_begin(&scope, bad[i][0], bad[i][1]),
				    "%s", bad[i][0] ?: "(none)");
		KUNIT_EXPECT_EQ(test, before, labels_now(test, &b));
		quarry_label_end(&scope);
		KUNIT_EXPECT_EQ(test, before, labels_now(test, &b));
	}
	quarry_label_end(&outer);
	expect_count(test, labels_now(test, &b), 3);
}

static void accepted_labels(struct kunit *test)
{
	static const char key[] = "1234567890123456789012345678901";
	static const char value[] =
		"123456789012345678901234567890123456789012345678901234567890123";
	/* What is set, and how it reads: a name is one word, and never empty. */
	static const char *const good[][4] = {
		{ key, value, key, value },	    { "k", "", "k", "_" },
		{ "caches", "v", "caches", "v" },   { "pprof", "v", "pprof", "v" },
		{ "node ", "v v", "node_", "v_v" }, { "k", "other", "k", "other" },
	};
	struct quarry_label_scope scope;
	struct bench b = bench(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, good[i][0], good[i][1]));
		expect_count(test, labels_now(test, &b), 4);
		expect_label(test, labels_now(test, &b), good[i][2], good[i][3]);
		quarry_label_end(&scope);
	}
}

/* Of more than five scopes the five innermost count. */
static void more_than_five(struct kunit *test)
{
	static const char *const keys[] = { "g", "a", "f", "b", "e", "c", "d" };
	struct quarry_label_scope scope[7], again;
	struct bench b = bench(test);
	unsigned int i, k;
	u32 labels;

	for (i = 0; i < 7; i++) {
		KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope[i], keys[i], "v"));
		labels = labels_now(test, &b);
		expect_count(test, labels, 3 + min(i + 1, 5U));
		for (k = 0; k <= i; k++)
			expect_label(test, labels, keys[k], i - k < 5 ? "v" : "(absent)");
	}
	/* A scope with the key of another one does not count as one more. */
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&again, "d", "inner"));
	labels = labels_now(test, &b);
	expect_count(test, labels, 8);
	expect_label(test, labels, "d", "inner");
	expect_label(test, labels, "f", "v");
	quarry_label_end(&again);
	while (i--) {
		quarry_label_end(&scope[i]);
		expect_count(test, labels_now(test, &b), 3 + min(i, 5U));
	}
}

/* --- Whose they are --- */

#define MANY_TASKS (32 << QR_LABEL_TASK_BITS) /* so many that one shares a slot */

struct other_task {
	struct bench *bench;
	struct completion done, go;
	u32 without, with;
};

static u32 quiet_labels(struct bench *b)
{
	void *p = quarry_cache_alloc(b->cache, GFP_KERNEL);
	u32 labels = b->watch->last.labels;

	quarry_cache_free(b->cache, p);
	return labels;
}

static int other_task_fn(void *arg)
{
	struct other_task *other = arg;
	struct quarry_label_scope scope;

	other->without = quiet_labels(other->bench);
	quarry_label_begin(&scope, "mine", "other's");
	other->with = quiet_labels(other->bench);
	complete(&other->done);
	/* This scope exists while the test looks at the labels of its own task. */
	wait_for_completion(&other->go);
	quarry_label_end(&scope);
	complete(&other->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void each_task_its_own(struct kunit *test)
{
	struct quarry_label_scope scope, second;
	struct bench b = bench(test);
	struct other_task other = { .bench = &b };
	struct task_struct **task = qt_array(test, MANY_TASKS, sizeof(*task));
	bool shared = false;
	unsigned int i;
	u32 labels;

	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, "mine", "the-test's"));
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&second, "second", "2"));
	/* One of them shares the slot of this task. */
	for (i = 0; i < MANY_TASKS && !shared; i++) {
		init_completion(&other.done);
		init_completion(&other.go);
		task[i] = kthread_run(other_task_fn, &other, "quarry_other");
		if (IS_ERR(task[i]))
			break;
		wait_for_completion(&other.done);
		expect_count(test, other.without, 3);
		expect_label(test, other.without, "comm", "quarry_other");
		expect_count(test, other.with, 4);
		expect_label(test, other.with, "mine", "other's");
		labels = labels_now(test, &b);
		expect_count(test, labels, 5);
		expect_label(test, labels, "mine", "the-test's");
		reinit_completion(&other.done);
		complete(&other.go);
		wait_for_completion(&other.done);
		shared = hash_ptr(task[i], QR_LABEL_TASK_BITS) ==
			 hash_ptr(current, QR_LABEL_TASK_BITS);
	}
	KUNIT_EXPECT_TRUE(test, shared);
	while (i--)
		kthread_stop(task[i]);
	quarry_label_end(&second);
	quarry_label_end(&scope);
}

struct interrupt {
	struct hrtimer timer;
	struct bench *bench;
	void *p;
	int err;
	bool done;
};

static enum hrtimer_restart interrupt_fn(struct hrtimer *timer)
{
	struct interrupt *in = container_of(timer, struct interrupt, timer);
	struct quarry_label_scope scope;

	/* Refused: only a task can have labels. */
	in->err = quarry_label_begin(&scope, "mine", "the-interrupt's");
	in->p = quarry_cache_alloc(in->bench->cache, GFP_ATOMIC);
	quarry_label_end(&scope);
	WRITE_ONCE(in->done, true);
	return HRTIMER_NORESTART;
}

static void timer_off(void *timer)
{
	hrtimer_cancel(timer);
}

static void interrupt_has_none(struct kunit *test, enum hrtimer_mode mode, const char *context)
{
	struct interrupt *in = qt_array(test, 1, sizeof(*in));
	ktime_t limit = ktime_add_ms(ktime_get(), 5000);
	struct quarry_label_scope scope;
	struct bench b = bench(test);
	u32 labels;

	qt_pin(test, 0);
	in->bench = &b;
	qr_compat_hrtimer_setup(&in->timer, interrupt_fn, CLOCK_MONOTONIC, mode);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, timer_off, &in->timer));
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, "mine", "the-task's"));
	hrtimer_start(&in->timer, ns_to_ktime(100000), mode);
	while (!READ_ONCE(in->done) && ktime_before(ktime_get(), limit))
		cpu_relax();
	quarry_label_end(&scope);
	KUNIT_ASSERT_TRUE(test, in->done);
	KUNIT_EXPECT_NOT_NULL(test, in->p);
	KUNIT_EXPECT_EQ(test, -EINVAL, in->err);
	labels = b.watch->last.labels;
	expect_count(test, labels, 2);
	expect_label(test, labels, "context", context);
	quarry_cache_free(b.cache, in->p);
}

static void hard_interrupt_has_none(struct kunit *test)
{
	qt_skip_on_rt(test);
	interrupt_has_none(test, HRTIMER_MODE_REL_PINNED, "hardirq");
}

static void soft_interrupt_has_none(struct kunit *test)
{
	interrupt_has_none(test, HRTIMER_MODE_REL_PINNED_SOFT, "softirq");
}

static struct kunit_case cases[] = { KUNIT_CASE(those_that_come_by_themselves),
				     KUNIT_CASE(task_is_renamed),
				     KUNIT_CASE(scopes_nest),
				     KUNIT_CASE(ended_in_any_order),
				     KUNIT_CASE(order_makes_no_difference),
				     KUNIT_CASE(refused_labels),
				     KUNIT_CASE(accepted_labels),
				     KUNIT_CASE(more_than_five),
				     KUNIT_CASE_SLOW(each_task_its_own),
				     KUNIT_CASE(hard_interrupt_has_none),
				     KUNIT_CASE(soft_interrupt_has_none),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite label_suite = {
	.name = "quarry_label",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(label_suite);
