// SPDX-License-Identifier: GPL-2.0
#include "tests/page_alloc_util.h"

#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include "pages/chunk.h"

static struct qt_page_allocs now;
static struct task_struct *task;

/* The tracepoint mm_page_alloc; @gfp has the scope of the task in it already. */
static void asked(void *unused, struct page *page, unsigned int order, gfp_t gfp, int migratetype)
{
	if (current != READ_ONCE(task) || !in_task())
		return;
	now.nr++;
	now.pages += 1UL << order;
	if (gfp & __GFP_DIRECT_RECLAIM)
		now.reclaim_all &= gfp;
	now.any |= gfp;
	if (order < QR_CHUNK_ORDER)
		return;
	now.nr_chunks++;
	now.chunks_all &= gfp;
	now.chunks_any |= gfp;
}

static void look(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "mm_page_alloc"))
		*(struct tracepoint **)found = tp;
}

static void stop(void *tp)
{
	tracepoint_probe_unregister(tp, asked, NULL);
	tracepoint_synchronize_unregister();
}

static struct tracepoint *tracepoint(struct kunit *test)
{
	struct tracepoint *tp = NULL;

	for_each_kernel_tracepoint(look, &tp);
	KUNIT_ASSERT_NOT_NULL(test, tp);
	return tp;
}

void qt_page_allocs_begin(struct kunit *test)
{
	struct tracepoint *tp = tracepoint(test);

	now = (struct qt_page_allocs){ .reclaim_all = ~(__force gfp_t)0,
				       .chunks_all = ~(__force gfp_t)0 };
	KUNIT_ASSERT_EQ(test, 0, tracepoint_probe_register(tp, asked, NULL));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop, tp));
	WRITE_ONCE(task, current);
}

struct qt_page_allocs qt_page_allocs_end(struct kunit *test)
{
	struct qt_page_allocs seen = now;

	WRITE_ONCE(task, NULL);
	kunit_release_action(test, stop, tracepoint(test));
	return seen;
}
