// SPDX-License-Identifier: GPL-2.0
/* Scopes of labels that clients handle wrongly: forgotten, ended twice, or too many. */
#include "tests/profile_util.h"

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include "profile/label_scope.h"

struct bench {
	struct quarry_cache *cache;
	struct qp_watch *watch;
};

static struct bench bench(struct kunit *test)
{
	struct bench b = { .cache = qt_cache(test, 64, NULL) };

	b.watch = qp_watch(test, qp_id(b.cache));
	qp_rate(test, 1);
	return b;
}

/* The value of this task's label @key now, or "(absent)". */
static const char *value_now(struct bench *b, const char *key)
{
	void *p = quarry_cache_alloc(b->cache, GFP_KERNEL);
	u32 labels = b->watch->last.labels;

	quarry_cache_free(b->cache, p);
	return qp_label(labels, key) ?: "(absent)";
}

/* --- Forgotten --- */

struct forgetful {
	struct bench *bench;
	const char *value;
};

static int forget_fn(void *arg)
{
	struct forgetful *f = arg;
	struct quarry_label_scope scope;

	quarry_label_begin(&scope, "request", "forgotten");
	f->value = value_now(f->bench, "request");
	return 0; /* with the label still set */
}

static int honest_fn(void *arg)
{
	struct forgetful *f = arg;
	struct quarry_label_scope scope;

	f->value = value_now(f->bench, "request");
	quarry_label_begin(&scope, "request", "honest");
	if (!strcmp(f->value, "(absent)"))
		f->value = value_now(f->bench, "request");
	quarry_label_end(&scope);
	return 0;
}

static const char *run(struct kunit *test, struct bench *b, int (*fn)(void *arg))
{
	struct forgetful f = { .bench = b };
	struct task_struct *task = kthread_create(fn, &f, "quarry_forgetful");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	get_task_struct(task);
	wake_up_process(task);
	while (!READ_ONCE(task->exit_state))
		schedule_timeout_uninterruptible(1);
	put_task_struct(task);
	return f.value;
}

/*
 * The memory of a task that has exited is soon another task's, and so is its stack, in which
 * the forgotten scope was.
 */
static void labels_go_with_their_task(struct kunit *test)
{
	int before = atomic_read(&qr_label_scopes);
	struct bench b = bench(test);
	unsigned int i;

	for (i = 0; i < 200; i++)
		KUNIT_ASSERT_STREQ(test, "forgotten", run(test, &b, forget_fn));
	for (i = 0; i < 200; i++)
		KUNIT_ASSERT_STREQ(test, "honest", run(test, &b, honest_fn));
	KUNIT_EXPECT_STREQ(test, "(absent)", value_now(&b, "request"));
	qr_label_scopes_sweep();
	KUNIT_EXPECT_EQ(test, before, atomic_read(&qr_label_scopes));
}

static void sweep_spares_the_living(struct kunit *test)
{
	struct quarry_label_scope scope;
	struct bench b = bench(test);

	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, "request", "mine"));
	qr_label_scopes_sweep();
	KUNIT_EXPECT_STREQ(test, "mine", value_now(&b, "request"));
	quarry_label_end(&scope);
	KUNIT_EXPECT_STREQ(test, "(absent)", value_now(&b, "request"));
}

/* The strings are copied: the client may use their memory again. */
static void strings_need_not_last(struct kunit *test)
{
	char key[] = "request", value[] = "one two\"";
	struct quarry_label_scope scope;
	struct bench b = bench(test);

	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, key, value));
	memset(key, 'x', sizeof(key) - 1);
	memset(value, 'x', sizeof(value) - 1);
	KUNIT_EXPECT_STREQ(test, "one_two_", value_now(&b, "request"));
	quarry_label_end(&scope);
}

/* --- Handles --- */

static void handles_are_checked(struct kunit *test)
{
	int before = atomic_read(&qr_label_scopes);
	struct quarry_label_scope scope, stale, wild;
	struct bench b = bench(test);

	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, "request", "first"));
	stale = scope;
	quarry_label_end(&scope);
	/* The next scope gets the same entry.  A handle of the first one must not end it. */
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, "request", "second"));
	KUNIT_EXPECT_EQ(test, stale.index, scope.index);
	KUNIT_EXPECT_NE(test, stale.generation, scope.generation);
	quarry_label_end(&stale);
	KUNIT_EXPECT_STREQ(test, "second", value_now(&b, "request"));
	memset(&wild, 0xa5, sizeof(wild));
	quarry_label_end(&wild);
	/* The entry of an index that is valid, but unused. */
	wild.index = scope.index ? 0 : 1;
	wild.generation = 1;
	if (atomic_read(&qr_label_scopes) == 1)
		quarry_label_end(&wild);
	KUNIT_EXPECT_STREQ(test, "second", value_now(&b, "request"));
	quarry_label_end(&scope);
	KUNIT_EXPECT_STREQ(test, "(absent)", value_now(&b, "request"));
	KUNIT_EXPECT_EQ(test, before, atomic_read(&qr_label_scopes));
}

static void too_many_are_dropped(struct kunit *test)
{
	struct quarry_label_scope *scope = qt_array(test, QR_LABEL_SCOPES + 2, sizeof(*scope));
	s64 dropped = atomic64_read(&qr_label_scopes_dropped);
	int before = atomic_read(&qr_label_scopes), err;
	struct bench b = bench(test);
	unsigned int n = 0, i;

	do {
		err = quarry_label_begin(&scope[n++], "request", "many");
	} while (!err && n < QR_LABEL_SCOPES + 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC, err);
	KUNIT_EXPECT_EQ(test, QR_LABEL_SCOPES - before, n - 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC, quarry_label_begin(&scope[n++], "request", "more"));
	KUNIT_EXPECT_EQ(test, dropped + 2, atomic64_read(&qr_label_scopes_dropped));
	KUNIT_EXPECT_EQ(test, qt_stats(test)->dropped_labels,
			atomic64_read(&qr_label_scopes_dropped));
	KUNIT_EXPECT_STREQ(test, "many", value_now(&b, "request"));
	for (i = 0; i < n; i++)
		quarry_label_end(&scope[i]);
	KUNIT_EXPECT_EQ(test, before, atomic_read(&qr_label_scopes));
	KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope[0], "request", "again"));
	KUNIT_EXPECT_STREQ(test, "again", value_now(&b, "request"));
	quarry_label_end(&scope[0]);
}

/* --- Blocks --- */

static const char *leave_early(struct bench *b, bool early)
{
	QUARRY_LABEL("request", "block");
	QUARRY_LABEL("step", "early");

	if (early)
		return value_now(b, "request");
	return value_now(b, "step");
}

static void blocks_end_their_labels(struct kunit *test)
{
	struct bench b = bench(test);

	KUNIT_EXPECT_STREQ(test, "block", leave_early(&b, true));
	KUNIT_EXPECT_STREQ(test, "(absent)", value_now(&b, "request"));
	KUNIT_EXPECT_STREQ(test, "early", leave_early(&b, false));
	KUNIT_EXPECT_STREQ(test, "(absent)", value_now(&b, "step"));
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(labels_go_with_their_task),
				     KUNIT_CASE(sweep_spares_the_living),
				     KUNIT_CASE(strings_need_not_last),
				     KUNIT_CASE(handles_are_checked),
				     KUNIT_CASE(too_many_are_dropped),
				     KUNIT_CASE(blocks_end_their_labels),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite label_scope_suite = {
	.name = "quarry_label_scope",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(label_scope_suite);
