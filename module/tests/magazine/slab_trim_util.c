// SPDX-License-Identifier: GPL-2.0
/* Fixtures of the suite about trimming caches. */
#include "tests/magazine/slab_trim_util.h"

#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/sort.h>
#include <linux/string.h>

#define BYTES (2U << 20) /* of the objects of a case, at most */
#define MOST  4000	 /* objects at most */

/* The constructor fills the end of an object of 1,000 bytes. */
#define CTOR_FROM  900
#define CTOR_BYTES 100
#define CTOR_MADE  0x5a

static void ctor(void *obj)
{
	memset(obj + CTOR_FROM, CTOR_MADE, CTOR_BYTES);
}

struct qs_traffic *qs_traffic_new(struct kunit *test, unsigned int size, unsigned int align,
				  bool constructed)
{
	struct quarry_cache_args args = { .align = align, .ctor = constructed ? ctor : NULL };
	struct qs_traffic *t = qt_array(test, 1, sizeof(*t));
	u64 seed = get_random_u64();

	kunit_info(test, "size %u align %u seed %llu\n", size, align, seed);
	prandom_seed_state(&t->rnd, seed);
	t->cache = qt_cache(test, size, &args);
	t->constructed = constructed;
	t->fill = constructed ? CTOR_FROM : size;
	t->room = min(BYTES / qr_cache_of(t->cache)->geo.stride, MOST);
	t->objs = qt_array(test, t->room, sizeof(*t->objs));
	t->pages = qt_array(test, (size_t)t->room * (QR_MAX_OBJECT / PAGE_SIZE + 1),
			    sizeof(*t->pages));
	return t;
}

static bool object_is_right(const struct qs_traffic *t, const struct qs_object *o)
{
	if (t->constructed && memchr_inv(o->p + CTOR_FROM, CTOR_MADE, CTOR_BYTES))
		return false;
	return *(u64 *)o->p == o->seq && !memchr_inv(o->p + 8, o->seq * 11, t->fill - 8);
}

void qs_alloc(struct kunit *test, struct qs_traffic *t)
{
	struct qs_object *o = &t->objs[t->n];

	o->p = quarry_cache_alloc(t->cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, o->p);
	o->seq = ++t->seq;
	*(u64 *)o->p = o->seq;
	memset(o->p + 8, o->seq * 11, t->fill - 8);
	t->errors += !object_is_right(t, o);
	t->n++;
}

void qs_fill(struct kunit *test, struct qs_traffic *t)
{
	while (t->n < t->room)
		qs_alloc(test, t);
}

void qs_free(struct qs_traffic *t, unsigned int i)
{
	struct qs_object o = t->objs[i];

	t->errors += !object_is_right(t, &o);
	memset(o.p, 0xee, t->fill);
	t->objs[i] = t->objs[--t->n];
	quarry_cache_free(t->cache, o.p);
}

void qs_free_until(struct qs_traffic *t, unsigned int left)
{
	while (t->n > left)
		qs_free(t, prandom_u32_state(&t->rnd) % t->n);
}

void qs_check(struct kunit *test, struct qs_traffic *t)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		t->errors += !object_is_right(t, &t->objs[i]);
	KUNIT_ASSERT_EQ(test, 0, t->errors);
	qt_exit(test);
}

unsigned long qs_trim(struct quarry_cache *cache, unsigned long want)
{
	unsigned long pages;

	mutex_lock(&qr_trim_lock);
	mutex_lock(&qr_caches_lock);
	pages = qr_cache_trim(qr_cache_of(cache), want);
	mutex_unlock(&qr_caches_lock);
	mutex_unlock(&qr_trim_lock);
	return pages;
}

static int by_value(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

unsigned long qs_held_pages(struct qs_traffic *t)
{
	unsigned int stride = qr_cache_of(t->cache)->geo.stride, i;
	unsigned long n = 0, different = 0, p;

	for (i = 0; i < t->n; i++) {
		unsigned long start = (unsigned long)t->objs[i].p;

		for (p = start >> PAGE_SHIFT; p <= (start + stride - 1) >> PAGE_SHIFT; p++)
			t->pages[n++] = p;
	}
	sort(t->pages, n, sizeof(*t->pages), by_value, NULL);
	for (i = 0; i < n; i++)
		different += !i || t->pages[i] != t->pages[i - 1];
	return different;
}

void qs_trim_is_exact(struct kunit *test, struct qs_traffic *t)
{
	struct quarry_stats *before, *after;
	unsigned long pages, held;
	struct quarry_cache_stats st;
	u64 slabs;

	qr_drain_all();
	held = qs_held_pages(t);
	st = qt_sum(t->cache);
	slabs = st.slabs;
	before = qt_stats(test);
	pages = qs_trim(t->cache, QS_ALL);
	after = qt_stats(test);
	KUNIT_EXPECT_EQ(test, (st.inuse_bytes >> PAGE_SHIFT) - held, pages);
	st = qt_sum(t->cache);
	KUNIT_EXPECT_EQ(test, held, st.inuse_bytes >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, t->n, st.live_objects);
	/* A drained cache has no empty slab, so no slab was destroyed. */
	KUNIT_EXPECT_EQ(test, slabs, st.slabs);
	KUNIT_EXPECT_EQ(test, (u64)pages << PAGE_SHIFT,
			after->trimmed_bytes - before->trimmed_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes - ((u64)pages << PAGE_SHIFT), after->inuse_bytes);
	KUNIT_EXPECT_EQ(test, after->sys_bytes,
			after->inuse_bytes + after->idle_bytes + after->metadata_bytes);
	KUNIT_EXPECT_EQ(test, 0, qs_trim(t->cache, QS_ALL));
	qs_check(test, t);
}

void qs_everything_comes_back(struct kunit *test, struct qs_traffic *t)
{
	qs_free_until(t, 0);
	KUNIT_EXPECT_EQ(test, 0, t->errors);
	quarry_cache_shrink(t->cache);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(t->cache).inuse_bytes);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(t->cache).capacity_objects);
	KUNIT_EXPECT_EQ(test, 0, qt_sum(t->cache).slabs);
	qt_exit(test);
}
