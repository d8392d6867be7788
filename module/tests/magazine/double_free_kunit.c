// SPDX-License-Identifier: GPL-2.0
/*
 * When misuse of objects that pass through magazines is noticed: a free that repeats the last one,
 * in the free itself; all other misuse, when the magazine is flushed, before the object can come
 * out of the depot again.
 */
#include "tests/kunit_util.h"

#include <linux/rcupdate.h>
#include "cache/rcu_free.h"

#define SIZE 64

static u64 misuse(struct kunit *test)
{
	struct quarry_stats *st = qt_stats(test);

	return st->misuse_double_free + st->misuse_interior + st->misuse_wrong_cache +
	       st->misuse_foreign;
}

static void by_cache(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
	quarry_cache_free(cache, p);
}

static void by_cache_called(struct quarry_cache *cache, void *p)
{
	qr_cache_free_call(cache, p);
	qr_cache_free_call(cache, p);
}

static void by_pointer(struct quarry_cache *cache, void *p)
{
	quarry_free(p);
	quarry_free(p);
}

static void by_pointer_called(struct quarry_cache *cache, void *p)
{
	qr_free_call(p);
	qr_free_call(p);
}

static void in_bulk(struct quarry_cache *cache, void *p)
{
	void *objs[] = { p, p };

	quarry_cache_free_bulk(cache, 2, objs);
}

static void in_two_bulks(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_bulk(cache, 1, &p);
	quarry_cache_free_bulk(cache, 1, &p);
}

static void after_rcu(struct quarry_cache *cache, void *p)
{
	quarry_free_rcu(p);
	quarry_free_rcu(p);
}

static void in_any_context(struct quarry_cache *cache, void *p)
{
	quarry_cache_free_nolock(cache, p);
	quarry_cache_free_nolock(cache, p);
}

static void by_two_forms(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
	quarry_free(p);
}

static void (*const forms[])(struct quarry_cache *cache, void *p) = {
	by_cache,     by_cache_called, by_pointer,     by_pointer_called, in_bulk,
	in_two_bulks, after_rcu,       in_any_context, by_two_forms,
};

/* In each form the second free is noticed at once, and the object has one owner only. */
static void repeats_are_noticed_at_once(struct kunit *test)
{
	struct quarry_cache *cache = qr_class_cache[qr_class_const(SIZE)];
	unsigned int i, k;

	qt_pin(test, 0);
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		void *p, *q, *owner[8];
		u64 before;

		/* The magazine has room, so that a free goes there. */
		qt_alloc_n(test, cache, owner, ARRAY_SIZE(owner));
		qt_free_n(cache, owner, ARRAY_SIZE(owner));
		p = quarry_malloc(SIZE, GFP_KERNEL);
		q = quarry_malloc(SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_ASSERT_NOT_NULL(test, q);
		before = qt_stats(test)->misuse_double_free;
		forms[i](cache, p);
		KUNIT_EXPECT_EQ_MSG(test, before + 1, qt_stats(test)->misuse_double_free, "form %u",
				    i);
		qt_alloc_n(test, cache, owner, ARRAY_SIZE(owner));
		for (k = 1; k < ARRAY_SIZE(owner); k++)
			KUNIT_EXPECT_TRUE_MSG(test,
					      owner[k] != owner[0] && owner[k] != owner[k - 1],
					      "form %u", i);
		qt_free_n(cache, owner, ARRAY_SIZE(owner));
		quarry_free(q);
		qr_rcu_flush();
		rcu_barrier();
		KUNIT_EXPECT_EQ_MSG(test, before + 1, qt_stats(test)->misuse_double_free, "form %u",
				    i);
	}
}

/* An object that was allocated since is not taken for one that is freed twice. */
static void a_pair_is_no_repeat(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, SIZE, NULL);
	u64 before = misuse(test);
	unsigned int i;
	void *p;

	qt_pin(test, 0);
	for (i = 0; i < 1000; i++) {
		p = quarry_cache_alloc(cache, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		quarry_cache_free(cache, p);
	}
	KUNIT_EXPECT_EQ(test, before, misuse(test));
}

enum kind { TWICE, WITHIN, ELSEWHERE, NR_KINDS };

struct flushed {
	struct quarry_cache *cache;
	struct quarry_cache *other;
	unsigned int most; /* objects that the magazine holds when it is full */
	unsigned int n;
	void **objs;
};

/* Fill the magazine but for two places: what is freed next is flushed with its upper half. */
static void fill_magazine(struct kunit *test, struct flushed *f)
{
	f->cache = qt_cache(test, SIZE, NULL);
	f->other = qt_cache(test, SIZE, NULL);
	f->most = qr_cache_of(f->cache)->capacity;
	f->n = 4 * f->most;
	f->objs = qt_array(test, f->n, sizeof(*f->objs));
	qt_pin(test, 0);
	/* Misses make the magazine grow to its full capacity. */
	qt_alloc_n(test, f->cache, f->objs, f->n);
	qt_free_n(f->cache, f->objs, f->n);
	KUNIT_ASSERT_EQ(test, f->most, qt_head(f->cache)->capacity);
	qt_alloc_n(test, f->cache, f->objs, f->n);
	while (qr_head_peek(qt_head(f->cache)) < f->most - 3)
		quarry_cache_free(f->cache, f->objs[--f->n]);
	KUNIT_ASSERT_EQ(test, f->most - 3, qr_head_peek(qt_head(f->cache)));
}

/* Misuse an object, and fill the last places of the magazine.  The next free flushes it. */
static void misuse_object(struct kunit *test, struct flushed *f, enum kind kind)
{
	void *wrong;

	switch (kind) {
	case TWICE:
		wrong = f->objs[--f->n];
		quarry_cache_free(f->cache, wrong);
		quarry_cache_free(f->cache, f->objs[--f->n]);
		quarry_cache_free(f->cache, wrong);
		break;
	case WITHIN:
		quarry_cache_free(f->cache, f->objs[--f->n]);
		quarry_cache_free(f->cache, f->objs[0] + 8);
		quarry_cache_free(f->cache, f->objs[--f->n]);
		break;
	default:
		wrong = quarry_cache_alloc(f->other, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, wrong);
		quarry_cache_free(f->cache, f->objs[--f->n]);
		quarry_cache_free(f->cache, wrong);
		quarry_cache_free(f->cache, f->objs[--f->n]);
		/* The object stays live: the right free must work after the wrong one. */
		f->objs[f->n] = wrong;
	}
	KUNIT_ASSERT_EQ(test, f->most, qr_head_peek(qt_head(f->cache)));
}

static void all_come_once(struct kunit *test, struct flushed *f, enum kind kind)
{
	void *wrong = f->objs[f->n];
	struct qt_shadow s;
	unsigned int i;

	qt_shadow_init(&s);
	for (i = 0; i < f->n; i++)
		qt_got(&s, f->objs[i]);
	for (i = f->n; i < 4 * f->most; i++)
		f->objs[i] = qt_got(&s, quarry_cache_alloc(f->cache, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&s.errors));
	qt_free_n(f->cache, f->objs, 4 * f->most);
	if (kind == ELSEWHERE)
		quarry_cache_free(f->other, wrong);
}

/* Each kind is noticed once: at the flush, or, if @late, when the objects reach their slabs. */
static void each_is_seen(struct kunit *test, bool late)
{
	enum kind kind;

	for (kind = TWICE; kind < NR_KINDS; kind++) {
		struct flushed f;
		u64 before;

		fill_magazine(test, &f);
		before = misuse(test);
		misuse_object(test, &f, kind);
		KUNIT_EXPECT_EQ_MSG(test, before, misuse(test), "kind %u", kind);
		quarry_cache_free(f.cache, f.objs[--f.n]);
		KUNIT_EXPECT_EQ_MSG(test, before + !late, misuse(test), "kind %u", kind);
		if (late)
			quarry_cache_shrink(f.cache);
		KUNIT_EXPECT_EQ_MSG(test, before + 1, misuse(test), "kind %u", kind);
		if (kind == ELSEWHERE)
			swap(f.objs[f.n], f.objs[f.n + 1]);
		all_come_once(test, &f, kind);
		KUNIT_EXPECT_EQ_MSG(test, before + 1, misuse(test), "kind %u", kind);
		qt_cache_destroy(test, f.cache);
		qt_cache_destroy(test, f.other);
	}
}

static void seen_when_flushed(struct kunit *test)
{
	qt_checked_flushes(test, UINT_MAX);
	each_is_seen(test, false);
}

static void seen_when_drained(struct kunit *test)
{
	qt_checked_flushes(test, 0);
	each_is_seen(test, true);
}

static struct kunit_case cases[] = { KUNIT_CASE(repeats_are_noticed_at_once),
				     KUNIT_CASE(a_pair_is_no_repeat),
				     KUNIT_CASE(seen_when_flushed),
				     KUNIT_CASE(seen_when_drained),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite double_free_suite = {
	.name = "quarry_double_free",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(double_free_suite);
