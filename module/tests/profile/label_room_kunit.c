// SPDX-License-Identifier: GPL-2.0
/* More label sets than there is room for. */
#include "tests/profile_util.h"

#include <linux/sched.h>
#include <linux/string.h>

#define MANY 1100 /* more than QUARRY_LABEL_SETS */

struct bench {
	struct quarry_cache *cache;
	struct qp_watch *watch;
	char comm[TASK_COMM_LEN];
};

/* Suites that run later find room again. */
static void undo(void *comm)
{
	strscpy_pad(current->comm, comm, TASK_COMM_LEN);
	qr_profile_reset();
}

static struct bench *bench(struct kunit *test)
{
	struct bench *b = qt_array(test, 1, sizeof(*b));

	get_task_comm(b->comm, current);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, undo, b->comm));
	b->cache = qt_cache(test, 64, NULL);
	b->watch = qp_watch(test, qp_id(b->cache));
	/* A set has the node's number, too. */
	qt_pin(test, 0);
	qr_profile_reset();
	qp_rate(test, 1);
	return b;
}

/* Makes an allocation under the name @comm and returns the number of its label set. */
static u32 labels_of(struct bench *b, const char *comm)
{
	void *p;

	strscpy_pad(current->comm, comm, TASK_COMM_LEN);
	p = quarry_cache_alloc(b->cache, GFP_KERNEL);
	quarry_cache_free(b->cache, p);
	return b->watch->last.labels;
}

static void use_many_names(struct bench *b, char crowd)
{
	char comm[TASK_COMM_LEN];
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		snprintf(comm, sizeof(comm), "crowd-%c%u", crowd, i);
		labels_of(b, comm);
	}
}

static void expect_label(struct kunit *test, u32 labels, const char *key, const char *value)
{
	KUNIT_EXPECT_STREQ_MSG(test, value, qp_label(labels, key) ?: "(absent)", "%s", key);
}

/* Names of tasks have half of the room; a client's labels are recorded even when it is full. */
static void names_leave_room_for_labels(struct kunit *test)
{
	struct bench *b = bench(test);
	struct quarry_label_scope scope;
	u64 other = qp_counts().other_samples;
	char value[12];
	unsigned int i;
	u32 labels;

	use_many_names(b, 'a');
	labels = labels_of(b, "crowd-last");
	expect_label(test, labels, "comm", "(other)");
	expect_label(test, labels, "context", "task");
	for (i = 0; i < 100; i++) {
		snprintf(value, sizeof(value), "%u", i);
		KUNIT_EXPECT_EQ(test, 0, quarry_label_begin(&scope, "request", value));
		labels = labels_of(b, "crowd-last");
		quarry_label_end(&scope);
		expect_label(test, labels, "request", value);
		expect_label(test, labels, "comm", "(other)");
	}
	KUNIT_EXPECT_EQ(test, other, qp_counts().other_samples);
	KUNIT_EXPECT_LE(test, qt_stats(test)->profile_label_sets, QUARRY_LABEL_SETS);
}

static void reset_makes_room(struct kunit *test)
{
	struct bench *b = bench(test);
	char crowd;

	for (crowd = 'a'; crowd <= 'c'; crowd++) {
		use_many_names(b, crowd);
		expect_label(test, labels_of(b, "late"), "comm", "(other)");
		qr_profile_reset();
		expect_label(test, labels_of(b, "fresh"), "comm", "fresh");
	}
}

/* A row with live objects keeps its set, whatever comes. */
static void live_rows_keep_their_sets(struct kunit *test)
{
	struct bench *b = bench(test);
	u32 labels;
	void *p;

	strscpy_pad(current->comm, "keeper", TASK_COMM_LEN);
	p = quarry_cache_alloc(b->cache, GFP_KERNEL);
	labels = b->watch->last.labels;
	use_many_names(b, 'a');
	qr_profile_reset();
	use_many_names(b, 'b');
	expect_label(test, labels, "comm", "keeper");
	quarry_cache_free(b->cache, p);
	KUNIT_EXPECT_EQ(test, labels, b->watch->last.labels);
	qr_profile_reset();
	/* It was freed before this reset, so now the set makes room, and its number is void. */
	use_many_names(b, 'c');
	KUNIT_EXPECT_NULL(test, qr_labels_get(labels));
}

/* A copy of the table can be rendered later, with the labels that it had. */
static void copies_keep_their_sets(struct kunit *test)
{
	struct bench *b = bench(test);
	u32 labels = labels_of(b, "copied");
	struct quarry_profile *p = qr_profile_take(QUARRY_CACHE_ALL, false);
	const struct quarry_labels *set = qr_labels_get(labels);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	qr_profile_reset();
	use_many_names(b, 'a');
	qr_profile_reset();
	use_many_names(b, 'b');
	KUNIT_EXPECT_PTR_EQ(test, set, qr_labels_get(labels));
	expect_label(test, labels, "comm", "copied");
	qr_profile_free(p);
	qr_profile_reset();
	use_many_names(b, 'c');
	KUNIT_EXPECT_NULL(test, qr_labels_get(labels));
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(names_leave_room_for_labels),
				     KUNIT_CASE_SLOW(reset_makes_room),
				     KUNIT_CASE_SLOW(live_rows_keep_their_sets),
				     KUNIT_CASE_SLOW(copies_keep_their_sets),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite label_room_suite = {
	.name = "quarry_label_room",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(label_room_suite);
