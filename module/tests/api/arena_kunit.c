// SPDX-License-Identifier: GPL-2.0
/* Arenas: allocations, and what a release to a mark gives up. */
#include "tests/api/arena_util.h"

#include <linux/jump_label.h>
#include <linux/random.h>
#include <linux/sizes.h>

static void sizes_and_alignment(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	unsigned int n = 3000, i;
	void **p = qt_array(test, n, sizeof(*p));
	u64 sum = 0;

	for (i = 0; i < n; i++) {
		size_t size = i % 700;

		p[i] = qa_must(test, quarry_arena_alloc(arena, size, GFP_KERNEL));
		KUNIT_ASSERT_EQ(test, 0, (unsigned long)p[i] % 8);
		KUNIT_ASSERT_PTR_NE(test, p[i], i ? p[i - 1] : NULL);
		qt_fill(p[i], size, i);
		sum += ALIGN(max(size, 1UL), 8);
		if (i % 500 == 0)
			qt_exit(test);
	}
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_TRUE(test, qt_is_filled(p[i], i % 700, i));
	KUNIT_EXPECT_EQ(test, sum, qa_allocated(arena));
	KUNIT_EXPECT_GE(test, qa_stats(arena).bytes, sum);
}

static void aligned(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	size_t align, size;
	void *p;

	for (align = 1; align <= PAGE_SIZE; align *= 2) {
		for (size = 0; size < 3 * PAGE_SIZE; size += 600) {
			qa_must(test, quarry_arena_alloc(arena, 8, GFP_KERNEL));
			p = quarry_arena_alloc_aligned(arena, align, size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_ASSERT_EQ(test, 0, (unsigned long)p % max(align, 8UL));
			memset(p, 0x5a, size);
		}
	}
	qt_exit(test);
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc_aligned(arena, 0, 8, QUIET));
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc_aligned(arena, 24, 8, QUIET));
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc_aligned(arena, 2 * PAGE_SIZE, 8, QUIET));
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc_aligned(arena, PAGE_SIZE, SIZE_MAX, QUIET));
}

/* Writes to every byte of the arena's memory, then resets it. */
static void dirty(struct kunit *test, struct quarry_arena *arena)
{
	unsigned int i;

	for (i = 0; i < 200; i++)
		memset(qa_must(test, quarry_arena_alloc(arena, 1000, GFP_KERNEL)), 0xa5, 1000);
	quarry_arena_reset(arena);
}

static void expect_zeroed(struct kunit *test, struct quarry_arena *arena, gfp_t gfp)
{
	size_t size;
	void *p;

	dirty(test, arena);
	for (size = 0; size < 2000; size += 7) {
		p = qa_must(test, quarry_arena_alloc(arena, size, gfp));
		KUNIT_ASSERT_TRUE(test, qt_is_zero(p, ALIGN(size, 8)));
		p = qa_must(test, quarry_arena_alloc_aligned(arena, 64, size, gfp));
		KUNIT_ASSERT_TRUE(test, qt_is_zero(p, ALIGN(size, 8)));
	}
	p = qa_must(test, quarry_arena_alloc(arena, SZ_512K, gfp));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, SZ_512K));
}

static void zeroed(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	u32 *p;

	expect_zeroed(test, arena, GFP_KERNEL | __GFP_ZERO);
	dirty(test, arena);
	p = qa_must(test, quarry_arena_zalloc(arena, 500, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 500));
	p = qa_must(test, quarry_arena_calloc(arena, 100, 12, GFP_KERNEL));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 1200));
	KUNIT_EXPECT_NULL(test, quarry_arena_calloc(arena, SIZE_MAX / 8, 9, QUIET));
	KUNIT_EXPECT_NULL(test, quarry_arena_calloc(arena, SIZE_MAX, 1, QUIET));
}

static void copies(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	const char *text = "quarry";
	size_t huge = SIZE_MAX;
	char *p;

	OPTIMIZER_HIDE_VAR(huge);
	p = qa_must(test, quarry_arena_strdup(arena, text, GFP_KERNEL));
	KUNIT_EXPECT_STREQ(test, p, text);
	KUNIT_EXPECT_PTR_NE(test, (const char *)p, text);
	p = qa_must(test, quarry_arena_strdup(arena, "", GFP_KERNEL));
	KUNIT_EXPECT_STREQ(test, p, "");
	p = qa_must(test, quarry_arena_memdup(arena, text, 3, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, memcmp(p, text, 3));
	KUNIT_EXPECT_NULL(test, quarry_arena_strdup(arena, NULL, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_arena_memdup(arena, text, huge, QUIET));
}

static void key_off(void *unused)
{
	static_branch_disable(&init_on_alloc);
}

static void init_on_alloc_is_honoured(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);

	if (static_key_enabled(&init_on_alloc))
		kunit_skip(test, "it is on already");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, key_off, NULL));
	static_branch_enable(&init_on_alloc);
	expect_zeroed(test, arena, GFP_KERNEL);
}

/*
 * Runs only on a kernel that was booted with init_on_free.  The kernel then assumes that all free
 * pages are zero, so the test cannot turn the option on later.
 */
static void init_on_free_is_honoured(struct kunit *test)
{
	struct quarry_arena_args args = { .block = SZ_16K };
	struct quarry_arena *arena = qt_arena(test, &args);
	struct quarry_arena_mark mark;
	u8 *kept, *p, *q;

	if (!static_key_enabled(&init_on_free))
		kunit_skip(test, "booted without it");
	/* The first bytes of the arena are zeroed too. */
	p = qa_must(test, quarry_arena_alloc(arena, 100, GFP_KERNEL));
	memset(p, 0x5a, 104);
	quarry_arena_reset(arena);
	KUNIT_EXPECT_PTR_EQ(test, (void *)p, qr_arena_of(arena)->spare->base);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 104));

	kept = qa_must(test, quarry_arena_alloc(arena, 100, GFP_KERNEL));
	memset(kept, 0x5a, 104);
	mark = quarry_arena_mark(arena);
	p = qa_must(test, quarry_arena_alloc(arena, 3000, GFP_KERNEL));
	memset(p, 0x5a, 3000);
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(arena, &mark));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 3000));
	KUNIT_EXPECT_EQ(test, 0x5a, kept[103]);

	/* Release over the beginning of a block.  It becomes the spare block; others are freed. */
	mark = quarry_arena_mark(arena);
	p = qa_must(test, quarry_arena_alloc(arena, 2000, GFP_KERNEL));
	memset(p, 0x5a, 2000);
	do {
		q = qa_must(test, quarry_arena_alloc(arena, 1000, GFP_KERNEL));
		memset(q, 0x5a, 1000);
	} while (qa_stats(arena).blocks < 4);
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(arena, &mark));
	KUNIT_EXPECT_TRUE(test, qt_is_zero(p, 2000));
	KUNIT_ASSERT_NOT_NULL(test, qr_arena_of(arena)->spare);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(qr_arena_of(arena)->spare->base,
					   qr_slab_bytes(qr_arena_of(arena)->spare)));
	KUNIT_EXPECT_EQ(test, 0x5a, kept[103]);
	quarry_arena_reset(arena);
	KUNIT_EXPECT_TRUE(test, qt_is_zero(qr_arena_of(arena)->spare->base,
					   qr_slab_bytes(qr_arena_of(arena)->spare)));
}

static void large(struct kunit *test)
{
	static const size_t sizes[] = {
		SZ_64K + 1, SZ_128K, SZ_256K, SZ_256K + 8, SZ_1M, SZ_2M, SZ_2M + 1, SZ_4M,
	};
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_arena_mark mark;
	unsigned int i, turn;
	u8 *before, *behind;
	void *p;

	for (turn = 0; turn < 2; turn++) {
		before = qa_must(test, quarry_arena_alloc(arena, 100, GFP_KERNEL));
		mark = quarry_arena_mark(arena);
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			p = qa_must(test, quarry_arena_alloc(arena, sizes[i], GFP_KERNEL));
			qt_fill(p, sizes[i], i);
			KUNIT_EXPECT_TRUE(test, qt_is_filled(p, sizes[i], i));
			qt_exit(test);
		}
		/* The large objects took no room of the block at hand. */
		behind = qa_must(test, quarry_arena_alloc(arena, 8, GFP_KERNEL));
		if (!turn)
			KUNIT_EXPECT_PTR_EQ(test, before + 104, behind);
		KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(arena, &mark));
		KUNIT_EXPECT_EQ(test, 104, qa_allocated(arena));
		qt_exit(test);
		quarry_arena_reset(arena);
	}
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc(arena, QUARRY_MAX_LARGE + 1, QUIET));
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc(arena, SIZE_MAX, QUIET));
	KUNIT_EXPECT_EQ(test, 0, qa_allocated(arena));
}

/* An object of more than a quarter of the largest block gets pages of its own. */
static void from_when_on_alone(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	void *p = qa_must(test, quarry_arena_alloc(arena, 8, GFP_KERNEL));

	qa_must(test, quarry_arena_alloc(arena, QUARRY_ARENA_BLOCK / 4 + 8, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, p + 8, quarry_arena_alloc(arena, 8, GFP_KERNEL));
	qa_must(test, quarry_arena_alloc(arena, QUARRY_ARENA_BLOCK / 4, GFP_KERNEL));
	KUNIT_EXPECT_PTR_NE(test, p + 16, quarry_arena_alloc(arena, 8, GFP_KERNEL));
}

static u64 stale_marks(struct kunit *test)
{
	return qt_stats(test)->misuse_stale_mark;
}

static void marks(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL), *other = qt_arena(test, NULL);
	struct quarry_arena_mark outer, inner, again, foreign, none = {};
	u64 before = stale_marks(test);
	u8 *p, *q;

	p = qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	memset(p, 0x5a, 64);
	outer = quarry_arena_mark(arena);
	q = qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	inner = quarry_arena_mark(arena);
	qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(arena, &inner));
	KUNIT_EXPECT_EQ(test, 128, qa_allocated(arena));
	/* A mark works once; a second release with it changes nothing. */
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &inner));
	KUNIT_EXPECT_EQ(test, 128, qa_allocated(arena));
	again = quarry_arena_mark(arena);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &inner));
	qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	inner = quarry_arena_mark(arena);
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(arena, &outer));
	KUNIT_EXPECT_EQ(test, 64, qa_allocated(arena));
	/* Nested marks died with it, and stay dead when as much is allocated again. */
	KUNIT_EXPECT_PTR_EQ(test, q, quarry_arena_alloc(arena, 640, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &inner));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &again));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &outer));
	KUNIT_EXPECT_EQ(test, 704, qa_allocated(arena));
	outer = quarry_arena_mark(arena);
	quarry_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, 0, qa_allocated(arena));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &outer));
	foreign = quarry_arena_mark(other);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &foreign));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(arena, &none));
	KUNIT_EXPECT_EQ(test, before + 8, stale_marks(test));
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(other, &foreign));
	qt_arena_destroy(test, other);
	other = qt_arena(test, NULL);
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(other, &foreign));
	KUNIT_EXPECT_EQ(test, before + 9, stale_marks(test));
}

/* A mark of another arena is refused even if an equal mark of this arena would be valid. */
static void marks_of_a_twin(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL), *twin = qt_arena(test, NULL);
	struct quarry_arena_mark mark = quarry_arena_mark(arena), same = quarry_arena_mark(twin);

	KUNIT_ASSERT_EQ(test, mark.offset, same.offset);
	KUNIT_ASSERT_EQ(test, mark.serial, same.serial);
	qa_must(test, quarry_arena_alloc(twin, 64, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, -EINVAL, quarry_arena_release(twin, &mark));
	KUNIT_EXPECT_EQ(test, 64, qa_allocated(twin));
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(twin, &same));
	KUNIT_EXPECT_EQ(test, 0, qa_allocated(twin));
}

#define DEPTH 40

/* Contents below a mark stay, and the arena's statistics match what it gave. */
static void random_operations(struct kunit *test)
{
	struct quarry_arena_args args = { .block = SZ_32K };
	struct quarry_arena *arena = qt_arena(test, &args);
	struct {
		struct quarry_arena_mark mark;
		u64 bytes;
		unsigned int objects;
	} *at = qt_array(test, DEPTH, sizeof(*at));
	struct {
		void *p;
		size_t size;
	} *o = qt_array(test, 20000, sizeof(*o));
	unsigned int depth = 0, n = 0, turn, i;
	u64 bytes = 0;

	for (turn = 0; turn < 12000; turn++) {
		unsigned int what = get_random_u32_below(100);

		if (what < 90) {
			size_t size = get_random_u32_below(what == 89 ? 50000 :
							   what > 80  ? 9000 :
									300);

			o[n].p = qa_must(test, quarry_arena_alloc(arena, size, GFP_KERNEL));
			o[n].size = size;
			qt_fill(o[n].p, size, n);
			n++;
			bytes += ALIGN(max(size, 1UL), 8);
		} else if (what < 94 && depth < DEPTH) {
			at[depth].mark = quarry_arena_mark(arena);
			at[depth].bytes = bytes;
			at[depth++].objects = n;
		} else if (what < 98 && depth) {
			depth -= 1 + get_random_u32_below(min(depth, 3U));
			KUNIT_ASSERT_EQ(test, 0, quarry_arena_release(arena, &at[depth].mark));
			bytes = at[depth].bytes;
			n = at[depth].objects;
		} else if (what == 99 && turn % 7 == 0) {
			quarry_arena_reset(arena);
			bytes = 0;
			depth = 0;
			n = 0;
		}
		KUNIT_ASSERT_EQ(test, bytes, qa_allocated(arena));
		if (turn % 200)
			continue;
		for (i = 0; i < n; i++)
			KUNIT_ASSERT_TRUE(test, qt_is_filled(o[i].p, o[i].size, i));
		qt_exit(test);
	}
}

static void objects_are_not_freed(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_stats *before = qt_stats(test), *st;
	void *p = qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	void *q = qa_must(test, quarry_arena_alloc(arena, SZ_1M, GFP_KERNEL));

	qt_fill(p, 64, 1);
	qt_fill(q, SZ_1M, 2);
	quarry_free(p);
	quarry_free(p + 8);
	quarry_free(q);
	quarry_cache_free(cache, p);
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(p));
	KUNIT_EXPECT_EQ(test, 0, quarry_usable_size(q));
	KUNIT_EXPECT_NULL(test, quarry_realloc(p, 128, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, quarry_realloc(q, SZ_2M, GFP_KERNEL));
	quarry_cache_shrink(cache);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->misuse_foreign + 6, st->misuse_foreign);
	KUNIT_EXPECT_EQ(test, before->leaked_objects, st->leaked_objects);
	KUNIT_EXPECT_EQ(test, before->frees, st->frees);
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 64, 1));
	KUNIT_EXPECT_TRUE(test, qt_is_filled(q, SZ_1M, 2));
	qt_exit(test);
}

static struct kunit_case cases[] = { KUNIT_CASE(sizes_and_alignment),
				     KUNIT_CASE(aligned),
				     KUNIT_CASE(zeroed),
				     KUNIT_CASE(copies),
				     KUNIT_CASE(init_on_alloc_is_honoured),
				     KUNIT_CASE(init_on_free_is_honoured),
				     KUNIT_CASE(large),
				     KUNIT_CASE(from_when_on_alone),
				     KUNIT_CASE(marks),
				     KUNIT_CASE(marks_of_a_twin),
				     KUNIT_CASE(random_operations),
				     KUNIT_CASE(objects_are_not_freed),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite arena_suite = {
	.name = "quarry_arena",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(arena_suite);
