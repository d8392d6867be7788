// SPDX-License-Identifier: GPL-2.0
/* The directory of chunks, and what the fast path sees of chunks far up. */
#include "core/metadata.h"
#include "tests/kunit_util.h"

#define FAR_CHUNKS (8UL << (40 - QR_CHUNK_SHIFT)) /* 8 TiB */

static void grow(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, qr_directory_grow(FAR_CHUNKS * QR_CHUNK_PAGES));
	qr_directory_settle();
}

/* What a CPU reads for page @page of a chunk, as quarry_cache_free() and quarry_free() do. */
static u8 class_seen(unsigned int cpu, unsigned long index, unsigned int page)
{
	unsigned long off = (index << QR_CHUNK_SHIFT) + ((unsigned long)page << PAGE_SHIFT);
	u8 class;

	preempt_disable();
	class = per_cpu(qr_view, cpu).class[index][(u32)off >> PAGE_SHIFT];
	preempt_enable();
	return class;
}

static u8 fast_seen(unsigned int cpu, unsigned long index)
{
	u8 fast;

	preempt_disable();
	fast = per_cpu(qr_view, cpu).fast[index];
	preempt_enable();
	return fast;
}

static void a_long_span_costs_little(struct kunit *test)
{
	u64 before = atomic64_read(&qr_metadata_bytes);
	struct quarry_cache *cache = qt_cache(test, 200, NULL);
	void *p = quarry_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	grow(test);
	KUNIT_EXPECT_GE(test, qr_directory->nr, FAR_CHUNKS);
	KUNIT_EXPECT_GE(test, qr_nr_chunks, FAR_CHUNKS);
	KUNIT_EXPECT_LT(test, atomic64_read(&qr_metadata_bytes) - before, 1 << 20);
	/* Chunks that were there before are found and fast as before. */
	KUNIT_EXPECT_TRUE(test, qr_chunk_is_fast(qr_chunk_at(qr_chunk_index(p))));
	KUNIT_EXPECT_PTR_EQ(test, qr_cache_of(cache), qr_slab_of(p)->cache);
	quarry_cache_free(cache, p);
	/* A second time there is nothing to do. */
	before = atomic64_read(&qr_metadata_bytes);
	grow(test);
	KUNIT_EXPECT_EQ(test, before, atomic64_read(&qr_metadata_bytes));
}

/* No chunk there: no page has a class, at whichever end of a part. */
static void nothing_is_fast_without_chunks(struct kunit *test)
{
	static const unsigned long at[] = {
		QR_VIEW_PART,	      QR_VIEW_PART + 1, QR_VIEW_PART + 2047, QR_VIEW_PART + 2048,
		2 * QR_VIEW_PART - 1, FAR_CHUNKS / 2,	FAR_CHUNKS - 1,
	};
	unsigned int i, cpu;

	grow(test);
	for_each_online_cpu(cpu) {
		for (i = 0; i < ARRAY_SIZE(at); i++) {
			KUNIT_EXPECT_EQ(test, 0, fast_seen(cpu, at[i]));
			KUNIT_EXPECT_EQ(test, 0, class_seen(cpu, at[i], 0));
			KUNIT_EXPECT_EQ(test, 0, class_seen(cpu, at[i], QR_CHUNK_PAGES - 1));
			KUNIT_EXPECT_NULL(test, qr_chunk_at(at[i]));
		}
	}
	KUNIT_EXPECT_NULL(test, qr_slab_of((void *)QR_MAP_START + (FAR_CHUNKS << QR_CHUNK_SHIFT)));
	KUNIT_EXPECT_NULL(test, qr_slab_of(test));
}

/* A chunk far up is found at once; its frees are fast when its part of the view has memory. */
static void a_far_chunk_becomes_fast(struct kunit *test)
{
	struct qr_chunk *chunk = qt_array(test, 1, sizeof(*chunk));
	unsigned long flags;
	unsigned int cpu;

	grow(test);
	chunk->index = FAR_CHUNKS - 5;
	chunk->node = first_node(qr_nodes);
	chunk->kind = QR_ORDINARY;
	memset(chunk->class, 7, sizeof(chunk->class));
	KUNIT_ASSERT_TRUE(test, qr_directory_prepare(chunk->index, GFP_KERNEL));
	local_irq_save(flags);
	qr_chunk_attach(chunk);
	local_irq_restore(flags);
	KUNIT_EXPECT_PTR_EQ(test, chunk, qr_chunk_at(chunk->index));
	qr_directory_settle();
	KUNIT_EXPECT_TRUE(test, qr_chunk_is_fast(chunk));
	for_each_online_cpu(cpu) {
		bool home = per_cpu(qr_home_node, cpu) == chunk->node;

		KUNIT_EXPECT_EQ(test, home, fast_seen(cpu, chunk->index));
		KUNIT_EXPECT_EQ(test, home ? 7 : 0, class_seen(cpu, chunk->index, 0));
		KUNIT_EXPECT_EQ(test, home ? 7 : 0,
				class_seen(cpu, chunk->index, QR_CHUNK_PAGES - 1));
		KUNIT_EXPECT_EQ(test, 0, class_seen(cpu, chunk->index - 1, QR_CHUNK_PAGES - 1));
		KUNIT_EXPECT_EQ(test, 0, class_seen(cpu, chunk->index + 1, 0));
		KUNIT_EXPECT_EQ(test, 0, fast_seen(cpu, chunk->index - 1));
	}
	qr_chunk_set_slow(chunk, true);
	KUNIT_EXPECT_FALSE(test, qr_chunk_is_fast(chunk));
	qr_chunk_set_slow(chunk, false);
	KUNIT_EXPECT_TRUE(test, qr_chunk_is_fast(chunk));
	local_irq_save(flags);
	qr_chunk_detach(chunk);
	local_irq_restore(flags);
	KUNIT_EXPECT_NULL(test, qr_chunk_at(chunk->index));
	for_each_online_cpu(cpu) {
		KUNIT_EXPECT_EQ(test, 0, fast_seen(cpu, chunk->index));
		KUNIT_EXPECT_EQ(test, 0, class_seen(cpu, chunk->index, 0));
	}
}

static struct kunit_case cases[] = { KUNIT_CASE(a_long_span_costs_little),
				     KUNIT_CASE(nothing_is_fast_without_chunks),
				     KUNIT_CASE(a_far_chunk_becomes_fast),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite directory_suite = {
	.name = "quarry_directory",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(directory_suite);
