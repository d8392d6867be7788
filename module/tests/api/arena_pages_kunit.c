// SPDX-License-Identifier: GPL-2.0
/* Arenas: where their pages come from, and where they go. */
#include "tests/api/arena_util.h"

#include <linux/irqflags.h>
#include <linux/sizes.h>
#include "core/limit.h"

static void reset_keeps_a_block(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_stats *before, *st;
	unsigned int turn, i;

	for (turn = 0; turn < 3; turn++) {
		for (i = 0; i < SZ_4M / 64; i++)
			qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, SZ_4M, qa_allocated(arena));
		/* Blocks of 1, 2, 4 ... 64 pages, and then more of 64 pages. */
		KUNIT_EXPECT_LE(test, qa_stats(arena).blocks, 7 + SZ_4M / QUARRY_ARENA_BLOCK);
		KUNIT_EXPECT_LE(test, qa_stats(arena).bytes, SZ_4M + QUARRY_ARENA_BLOCK);
		quarry_arena_reset(arena);
		KUNIT_EXPECT_EQ(test, 1, qa_stats(arena).blocks);
		KUNIT_EXPECT_EQ(test, QUARRY_ARENA_BLOCK, qa_stats(arena).bytes);
		KUNIT_EXPECT_EQ(test, SZ_4M, qa_stats(arena).peak_bytes);
	}
	before = qt_stats(test);
	for (i = 0; i < QUARRY_ARENA_BLOCK / 64; i++)
		qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->arena_bytes, st->arena_bytes);
	KUNIT_EXPECT_EQ(test, 1, qa_stats(arena).blocks);
	qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 2, qa_stats(arena).blocks);
}

/* Goes over the end of a block and back many times without new pages. */
static void release_keeps_a_block(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_arena_mark mark;
	struct quarry_stats *before;
	unsigned int i, k;

	qa_must(test, quarry_arena_alloc(arena, PAGE_SIZE - 64, GFP_KERNEL));
	for (i = 0; i < 100; i++) {
		mark = quarry_arena_mark(arena);
		for (k = 0; k < 5; k++)
			qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
		KUNIT_ASSERT_EQ(test, 0, quarry_arena_release(arena, &mark));
		if (!i)
			before = qt_stats(test);
	}
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, qt_stats(test)->inuse_bytes);
	KUNIT_EXPECT_EQ(test, 2, qa_stats(arena).blocks);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE - 64, qa_allocated(arena));
}

static void pages_are_accounted(struct kunit *test)
{
	struct quarry_stats *before, *st;
	struct quarry_arena *arena;
	unsigned int i;

	qr_drain_all();
	before = qt_stats(test);
	arena = qt_arena(test, NULL);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->arenas + 1, st->arenas);
	KUNIT_EXPECT_EQ(test, before->arena_bytes, st->arena_bytes);
	for (i = 0; i < 10000; i++)
		qa_must(test, quarry_arena_alloc(arena, 100, GFP_KERNEL));
	qa_must(test, quarry_arena_alloc(arena, SZ_1M, GFP_KERNEL));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->arena_live_bytes + 1040000 + SZ_1M, st->arena_live_bytes);
	KUNIT_EXPECT_EQ(test, before->live_bytes + 1040000 + SZ_1M, st->live_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes + (st->arena_bytes - before->arena_bytes),
			st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, st->sys_bytes, st->inuse_bytes + st->idle_bytes + st->metadata_bytes);
	KUNIT_EXPECT_EQ(test, qa_stats(arena).bytes, st->arena_bytes - before->arena_bytes);
	KUNIT_EXPECT_EQ(test, before->large_objects, st->large_objects);
	KUNIT_EXPECT_EQ(test, before->mallocs, st->mallocs);
	qt_exit(test);
	qt_arena_destroy(test, arena);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, before->arenas, st->arenas);
	KUNIT_EXPECT_EQ(test, before->arena_bytes, st->arena_bytes);
	KUNIT_EXPECT_EQ(test, before->arena_live_bytes, st->arena_live_bytes);
	KUNIT_EXPECT_EQ(test, before->inuse_bytes, st->inuse_bytes);
	KUNIT_EXPECT_EQ(test, before->live_bytes, st->live_bytes);
}

static void in_atomic_context(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_arena_mark mark;
	unsigned int i, got = 0, err;
	unsigned long flags;

	qa_must(test, quarry_arena_alloc(arena, 8, GFP_KERNEL));
	local_bh_disable();
	mark = quarry_arena_mark(arena);
	for (i = 0; i < 2000; i++)
		got += !!quarry_arena_alloc(arena, 100, GFP_ATOMIC);
	err = quarry_arena_release(arena, &mark);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, 2000, got);
	KUNIT_EXPECT_EQ(test, 0, err);
	/* With interrupts off, where the arena needs no new pages. */
	local_irq_save(flags);
	mark = quarry_arena_mark(arena);
	got = !!quarry_arena_alloc(arena, 100, GFP_NOWAIT);
	err = quarry_arena_release(arena, &mark);
	quarry_arena_reset(arena);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, 1, got);
	KUNIT_EXPECT_EQ(test, 0, err);
}

static void nodes(struct kunit *test)
{
	struct quarry_arena_args args = { .block = PAGE_SIZE, .policy = QUARRY_NODE_FIXED };
	nodemask_t seen = NODE_MASK_NONE;
	struct quarry_arena *arena;
	unsigned int i;
	int node;
	void *p;

	for_each_node_mask(node, qr_nodes) {
		args.node = node;
		arena = qt_arena(test, &args);
		for (i = 0; i < 50; i++) {
			p = qa_must(test, quarry_arena_alloc(arena, 1000, GFP_KERNEL));
			KUNIT_ASSERT_EQ(test, node, qt_node_of(p));
		}
		qt_arena_destroy(test, arena);
	}
	args.policy = QUARRY_NODE_INTERLEAVE;
	arena = qt_arena(test, &args);
	for (i = 0; i < 50; i++) {
		p = qa_must(test, quarry_arena_alloc(arena, 1000, GFP_KERNEL));
		node_set(qt_node_of(p), seen);
	}
	KUNIT_EXPECT_TRUE(test, nodes_equal(seen, qr_nodes));
}

#define MUCH 10000

/* A node is full: other nodes serve, which is counted, but not an arena of a fixed node. */
static void full_node(struct kunit *test)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN;
	int near = first_node(qr_nodes), far = qt_other_node(test, near);
	struct quarry_arena_args args = { .policy = QUARRY_NODE_FIXED, .node = near };
	struct quarry_arena *fixed, *local;
	unsigned int i;
	u64 before;
	void *p;

	qt_pin(test, qt_cpu_of_node(test, near));
	fixed = qt_arena(test, &args);
	local = qt_arena(test, NULL);
	qr_drain_all();
	/* Idle pages would serve too, so give them back. */
	qr_heap_release_idle();
	qt_fill_node(test, near);
	before = qt_stats(test)->remote_fallbacks;
	for (i = 0; i < MUCH && (p = quarry_arena_alloc(fixed, PAGE_SIZE, gfp)); i++)
		KUNIT_ASSERT_EQ(test, near, qt_node_of(p));
	KUNIT_EXPECT_LT(test, i, MUCH);
	KUNIT_EXPECT_EQ(test, before, qt_stats(test)->remote_fallbacks);
	for (i = 0; i < MUCH; i++) {
		p = qa_must(test, quarry_arena_alloc(local, PAGE_SIZE, gfp));
		if (qt_node_of(p) == far)
			break;
	}
	KUNIT_EXPECT_LT(test, i, MUCH);
	KUNIT_EXPECT_EQ(test, before + 1, qt_stats(test)->remote_fallbacks);
}

static void lift(void *unused)
{
	quarry_limit_set(NULL, QUARRY_NO_LIMIT, QUARRY_NO_LIMIT);
}

static void limits(struct kunit *test)
{
	struct quarry_arena *arena = qt_arena(test, NULL);
	struct quarry_stats *before, *st;
	struct quarry_arena_mark mark;
	u64 at;
	u8 *p;

	qr_drain_all();
	qr_scavenge_now();
	p = qa_must(test, quarry_arena_alloc(arena, 64, GFP_KERNEL));
	qt_fill(p, 64, 1);
	mark = quarry_arena_mark(arena);
	before = qt_stats(test);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, lift, NULL));
	quarry_limit_set(NULL, QUARRY_NO_LIMIT, before->held_bytes + SZ_1M);
	while (quarry_arena_alloc(arena, 1000, QUIET))
		KUNIT_ASSERT_LE(test, qa_allocated(arena), SZ_1M + SZ_4M);
	at = qa_allocated(arena);
	KUNIT_EXPECT_GT(test, at, SZ_512K);
	st = qt_stats(test);
	KUNIT_EXPECT_LE(test, st->held_bytes, before->held_bytes + SZ_1M);
	KUNIT_EXPECT_EQ(test, before->failed_allocs + 1, st->failed_allocs);
	KUNIT_EXPECT_GT(test, st->hard_limit_hits, before->hard_limit_hits);
	/* A failed allocation changes nothing. */
	KUNIT_EXPECT_NULL(test, quarry_arena_alloc(arena, SZ_2M, QUIET));
	KUNIT_EXPECT_EQ(test, at, qa_allocated(arena));
	qa_must(test, quarry_arena_alloc(arena, PAGE_SIZE, QUIET | __GFP_NOFAIL));
	qt_exit(test);
	lift(NULL);
	qa_must(test, quarry_arena_alloc(arena, 1000, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 0, quarry_arena_release(arena, &mark));
	KUNIT_EXPECT_TRUE(test, qt_is_filled(p, 64, 1));
}

/* Without whole chunks, blocks are as long as the kernel's free runs. */
static void in_mixed_chunks(struct kunit *test)
{
	struct quarry_arena *arena;
	unsigned int i;

	qt_no_chunks(test);
	qr_drain_all();
	qr_scavenge_now();
	arena = qt_arena(test, NULL);
	for (i = 0; i < 4000; i++)
		qt_fill(qa_must(test, quarry_arena_alloc(arena, 200, GFP_KERNEL)), 200, i);
	qt_exit(test);
	quarry_arena_reset(arena);
	qt_exit(test);
	qt_arena_destroy(test, arena);
}

static void bad_arguments(struct kunit *test)
{
	struct quarry_arena_args args = {};
	struct quarry_arena *arena;

	KUNIT_EXPECT_NULL(test, quarry_arena_create(NULL, NULL));
	KUNIT_EXPECT_NULL(test, quarry_arena_create("", NULL));
	args.block = QUARRY_ARENA_MAX_BLOCK + 1;
	KUNIT_EXPECT_NULL(test, quarry_arena_create("bad", &args));
	args.block = 0;
	args.flags = QUARRY_HWCACHE_ALIGN;
	KUNIT_EXPECT_NULL(test, quarry_arena_create("bad", &args));
	args.flags = 0;
	args.policy = QUARRY_NODE_INTERLEAVE + 1;
	KUNIT_EXPECT_NULL(test, quarry_arena_create("bad", &args));
	args.policy = QUARRY_NODE_FIXED;
	args.node = -1;
	KUNIT_EXPECT_NULL(test, quarry_arena_create("bad", &args));
	args.node = MAX_NUMNODES;
	KUNIT_EXPECT_NULL(test, quarry_arena_create("bad", &args));
	quarry_arena_destroy(NULL);

	args = (struct quarry_arena_args){ .block = 1 };
	arena = qt_arena(test, &args);
	qa_must(test, quarry_arena_alloc(arena, 8, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, qa_stats(arena).bytes);
	qt_arena_destroy(test, arena);
	args.block = QUARRY_ARENA_MAX_BLOCK;
	arena = qt_arena(test, &args);
	while (qa_allocated(arena) < 3 * SZ_2M)
		qa_must(test, quarry_arena_alloc(arena, 1000, GFP_KERNEL));
	KUNIT_EXPECT_LE(test, qa_stats(arena).blocks, 13);
	quarry_arena_reset(arena);
	KUNIT_EXPECT_EQ(test, SZ_2M, qa_stats(arena).bytes);
}

static struct kunit_case cases[] = { KUNIT_CASE(reset_keeps_a_block),
				     KUNIT_CASE(release_keeps_a_block),
				     KUNIT_CASE(pages_are_accounted),
				     KUNIT_CASE(in_atomic_context),
				     KUNIT_CASE(nodes),
				     KUNIT_CASE(full_node),
				     KUNIT_CASE(limits),
				     KUNIT_CASE(in_mixed_chunks),
				     KUNIT_CASE(bad_arguments),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite arena_pages_suite = {
	.name = "quarry_arena_pages",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(arena_pages_suite);
