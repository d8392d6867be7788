/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for the suites of arenas. */
#ifndef QR_TESTS_ARENA_UTIL_H
#define QR_TESTS_ARENA_UTIL_H

#include "api/arena.h"
#include "tests/kunit_util.h"

#define QUIET (GFP_KERNEL | __GFP_NOWARN)

struct qa_want {
	u32 id;
	struct quarry_arena_stats *st;
};

static inline int qa_pick(const struct quarry_arena_stats *st, void *arg)
{
	struct qa_want *want = arg;

	if (st->id != want->id)
		return 0;
	*want->st = *st;
	return 1;
}

static inline struct quarry_arena_stats qa_stats(struct quarry_arena *arena)
{
	struct quarry_arena_stats st = {};
	struct qa_want want = { .id = qr_arena_of(arena)->id, .st = &st };

	qr_walk_arenas(qa_pick, &want);
	return st;
}

/* Bytes that are allocated, including those lost to alignment. */
static inline u64 qa_allocated(struct quarry_arena *arena)
{
	return qa_stats(arena).live_bytes;
}

static inline void *qa_must(struct kunit *test, void *p)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

#endif /* QR_TESTS_ARENA_UTIL_H */
