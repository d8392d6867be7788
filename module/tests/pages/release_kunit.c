// SPDX-License-Identifier: GPL-2.0
/* Release of idle pages to the kernel while their chunk stays (holes), and the scavenger. */
#include "tests/kunit_util.h"

#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/random.h>
#include <linux/vmstat.h>

#define MAX_RUNS 64

/* Runs and their owners.  The heap only stores the owner's address; no run is cut into objects. */
struct runs {
	struct qr_slab owner[MAX_RUNS];
	struct qr_run run[MAX_RUNS];
};

static void put_runs(void *arg)
{
	struct runs *r = arg;
	unsigned int i;

	for (i = 0; i < MAX_RUNS; i++) {
		if (r->run[i].chunk)
			qr_heap_put(&r->run[i]);
		r->run[i].chunk = NULL;
	}
	qr_heap_release_idle();
}

static struct runs *new_runs(struct kunit *test)
{
	struct runs *r = qt_array(test, 1, sizeof(*r));

	qr_drain_all();
	qr_heap_release_idle();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_runs, r));
	return r;
}

static void get(struct kunit *test, struct runs *r, unsigned int i, enum qr_kind kind,
		unsigned int nr)
{
	KUNIT_ASSERT_TRUE(test, qr_heap_get(&r->run[i], &r->owner[i], kind, first_node(qr_nodes),
					    nr, nr, 1, GFP_KERNEL));
}

static void put(struct runs *r, unsigned int i)
{
	qr_heap_put(&r->run[i]);
	r->run[i].chunk = NULL;
}

static void *run_addr(const struct qr_run *run)
{
	return qr_chunk_addr(run->chunk, run->first);
}

static u64 idle_pages(int node)
{
	struct quarry_node_stats st;

	qr_node_stats_read(node, &st);
	return st.idle_bytes >> PAGE_SHIFT;
}

/* The highest pages are released, exactly as many as were asked for; the others stay. */
static void holes_from_the_top(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	const unsigned int used = QR_CHUNK_PAGES / 5, gone = QR_CHUNK_PAGES / 7;
	const unsigned int left = QR_CHUNK_PAGES - used;
	struct qr_chunk *chunk;
	struct quarry_stats *st;
	u64 taken, returned;

	get(test, r, 0, QR_ORDINARY, used);
	chunk = r->run[0].chunk;
	if (chunk->kind == QR_MIXED)
		kunit_skip(test, "no whole chunk to be had");
	st = qt_stats(test);
	taken = st->taken_bytes;
	returned = st->returned_bytes;
	KUNIT_EXPECT_EQ(test, left, idle_pages(node));
	KUNIT_EXPECT_EQ(test, gone, qr_heap_release(node, gone));
	KUNIT_EXPECT_EQ(test, left - gone, idle_pages(node));
	KUNIT_EXPECT_EQ(test, gone, chunk->nr_holes);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - gone, find_first_bit(chunk->holes, QR_CHUNK_PAGES));
	qt_exit(test);
	/* The heap does not have the holes any more: it can give a run of the other pages. */
	get(test, r, 1, QR_ORDINARY, left - gone);
	KUNIT_EXPECT_PTR_EQ(test, chunk, r->run[1].chunk);
	KUNIT_EXPECT_EQ(test, used, r->run[1].first);
	KUNIT_EXPECT_EQ(test, 0, qr_heap_release(node, 1));
	put(r, 0);
	put(r, 1);
	/* The chunk is hollow: it is no free run of all pages, but it is released in one piece. */
	KUNIT_EXPECT_FALSE(test, list_empty(&chunk->link));
	qt_exit(test);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - gone, qr_heap_release(node, QR_CHUNK_PAGES));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, 0, st->chunks);
	KUNIT_EXPECT_EQ(test, 0, st->hole_bytes);
	KUNIT_EXPECT_EQ(test, returned + QR_CHUNK_PAGES * PAGE_SIZE, st->returned_bytes);
	KUNIT_EXPECT_EQ(test, taken, st->taken_bytes);
}

static void whole_chunks_first(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int i;

	for (i = 0; i < 4; i++)
		get(test, r, i, QR_ORDINARY, QR_CHUNK_PAGES);
	get(test, r, 4, QR_ORDINARY, 8);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 8, idle_pages(node));
	put(r, 2);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, qr_heap_release(node, QR_CHUNK_PAGES));
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->hole_bytes);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 8, idle_pages(node));
	/* No whole chunk is idle any more, and fewer pages than asked for. */
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 8, qr_heap_release(node, QR_CHUNK_PAGES));
	KUNIT_EXPECT_EQ(test, (QR_CHUNK_PAGES - 8) * PAGE_SIZE, qt_stats(test)->hole_bytes);
	qt_exit(test);
}

/* Random runs and releases: no page may be in use by the heap and the kernel at once. */
static void random_holes(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	u64 went = 0, filled = 0, released;
	unsigned int step, k;

	for (step = 0; step < 3000; step++) {
		unsigned int i = get_random_u32_below(MAX_RUNS), what = get_random_u32_below(8);
		enum qr_kind kind = get_random_u32_below(QR_MIXED);
		struct qr_run *run = &r->run[i];

		cond_resched();
		if (!what) {
			released = qr_heap_release(node, get_random_u32_below(600));
			went += released;
			continue;
		}
		if (run->chunk) {
			for (k = 0; k < run->nr; k++)
				KUNIT_ASSERT_EQ(test, i, *(u32 *)(run_addr(run) + k * PAGE_SIZE));
			put(r, i);
			continue;
		}
		/* Sometimes no new chunk can be had: then the run is mixed, or fills holes. */
		WRITE_ONCE(qr_heap_no_chunks, what < 4);
		get(test, r, i, kind, 1 + get_random_u32_below(1 << get_random_u32_below(8)));
		WRITE_ONCE(qr_heap_no_chunks, false);
		if (run->zeroed)
			KUNIT_ASSERT_TRUE(test, qt_is_zero(run_addr(run), run->nr * PAGE_SIZE));
		/* A free of a sampled object must take the slow path in any chunk. */
		if (kind == QR_SAMPLED)
			KUNIT_ASSERT_NE(test, QR_ORDINARY, run->chunk->kind);
		filled += what < 4 && run->chunk->kind != QR_MIXED && run->chunk->nr_holes;
		for (k = 0; k < run->nr; k++)
			*(u32 *)(run_addr(run) + k * PAGE_SIZE) = i;
		if (step % 64 == 0)
			qt_exit(test);
	}
	qt_exit(test);
	kunit_info(test, "%llu pages released, %llu runs in chunks with holes\n", went, filled);
	KUNIT_EXPECT_GT(test, went, 0);
	put_runs(r);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->chunks);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->mixed_bytes);
	KUNIT_EXPECT_EQ(test, 0, qt_stats(test)->hole_bytes);
}

/* A page that comes from the kernel may lie in a hole.  Then it belongs to the chunk again. */
static void holes_are_filled(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	struct qr_chunk *chunk;
	unsigned int i, in_hole = 0;

	get(test, r, 0, QR_ORDINARY, 8);
	chunk = r->run[0].chunk;
	if (chunk->kind == QR_MIXED)
		kunit_skip(test, "no whole chunk to be had");
	KUNIT_ASSERT_EQ(test, QR_CHUNK_PAGES - 8, qr_heap_release(node, ULONG_MAX));
	qt_no_chunks(test);
	for (i = 1; i < MAX_RUNS; i++) {
		get(test, r, i, QR_ORDINARY, 8);
		in_hole += r->run[i].chunk == chunk;
	}
	kunit_info(test, "%u of %u runs lie in holes\n", in_hole, MAX_RUNS - 1);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 8 - 8 * in_hole, chunk->nr_holes);
	KUNIT_EXPECT_EQ(test, 8 * (in_hole + 1), chunk->nr_used);
	qt_exit(test);
}

static void a_range_is_left(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned long start;

	get(test, r, 0, QR_ORDINARY, 10);
	if (r->run[0].chunk->kind == QR_MIXED)
		kunit_skip(test, "no whole chunk to be had");
	start = page_to_pfn(r->run[0].chunk->page);
	KUNIT_EXPECT_EQ(test, 0, qr_heap_release_range(start, start));
	KUNIT_EXPECT_EQ(test, 0, qr_heap_release_range(start, start + 10));
	KUNIT_EXPECT_EQ(test, 20, qr_heap_release_range(start + 5, start + 30));
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 10 - 20, idle_pages(node));
	/* A range in the middle of a free run: the pages before the range stay. */
	KUNIT_EXPECT_EQ(test, 30, qr_heap_release_range(start + 60, start + 90));
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 10 - 50,
			qr_heap_release_range(start, start + QR_CHUNK_PAGES));
	qt_exit(test);
}

/* Idle pages count as reclaimable in the kernel's own statistics. */
static void the_kernel_is_told(struct kunit *test)
{
	struct runs *r = new_runs(test);
	/* Quarry reports in steps of 64 pages; vmstat.c keeps up to 125 pages on each CPU. */
	long slack = 64 + 125 * (long)num_online_cpus();
	long before = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE), now;
	unsigned int i;

	for (i = 0; i < 4; i++)
		get(test, r, i, QR_ORDINARY, QR_CHUNK_PAGES);
	for (i = 0; i < 4; i++)
		put(r, i);
	now = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	KUNIT_EXPECT_GE(test, now - before, 4 * QR_CHUNK_PAGES - slack);
	qr_heap_release_idle();
	now = global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	KUNIT_EXPECT_LE(test, now - before, slack);
}

static void retain(void *unused)
{
	qr_retain_set(10);
	WRITE_ONCE(qr_scavenger_paused, true);
}

/* Wait until at most @pages are idle, however slow the machine is.  Returns how many are. */
static u64 wait_for_idle(int node, u64 pages)
{
	unsigned int ms;

	for (ms = 0; ms < 300000 && idle_pages(node) > pages; ms += 50)
		msleep(50);
	return idle_pages(node);
}

/* Without a request, idle pages decay to the share that is kept, and no further. */
static void idle_pages_decay(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int i, n = 24;
	u64 ns, since, keep;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, retain, NULL));
	for (i = 0; i < n; i++)
		get(test, r, i, QR_ORDINARY, QR_CHUNK_PAGES);
	for (i = 8; i < n; i++)
		put(r, i);
	KUNIT_ASSERT_EQ(test, 16 * QR_CHUNK_PAGES, idle_pages(node));
	KUNIT_EXPECT_EQ(test, -ERANGE, qr_retain_set(101));
	KUNIT_EXPECT_EQ(test, 10, qr_retain_get());
	ns = qt_stats(test)->scavenger_ns;
	since = ktime_get_ns();
	KUNIT_ASSERT_EQ(test, 0, qr_retain_set(50));
	WRITE_ONCE(qr_scavenger_paused, false);
	keep = 8 * QR_CHUNK_PAGES / 2;
	wait_for_idle(node, keep);
	/* 1/8 of the surplus, but at least a chunk, goes every 250 ms: that takes eleven ticks. */
	KUNIT_EXPECT_GE(test, ktime_get_ns() - since, 2 * NSEC_PER_SEC);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, keep, idle_pages(node));
	kunit_info(test, "%llu us of work\n", (qt_stats(test)->scavenger_ns - ns) / NSEC_PER_USEC);
	/* It takes 1 % of the time, and whatever credit it had saved before. */
	KUNIT_EXPECT_LE(test, qt_stats(test)->scavenger_ns - ns,
			(ktime_get_ns() - since) / 100 + 600 * NSEC_PER_MSEC);
	KUNIT_ASSERT_EQ(test, 0, qr_retain_set(0));
	for (i = 0; i < 8; i++)
		put(r, i);
	KUNIT_EXPECT_EQ(test, 0, wait_for_idle(node, 0));
	KUNIT_EXPECT_EQ(test, 0, qr_scavenge_now());
	qt_exit(test);
}

/* A load that comes again each second finds its chunk.  When it has ended, the chunk goes. */
static void a_chunk_waits_for_its_load(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	u64 taken, since;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, retain, NULL));
	get(test, r, 0, QR_ORDINARY, QR_CHUNK_PAGES / 2);
	if (r->run[0].chunk->kind == QR_MIXED)
		kunit_skip(test, "no whole chunk to be had");
	WRITE_ONCE(qr_scavenger_paused, false);
	taken = qt_stats(test)->taken_bytes;
	for (i = 0; i < 12; i++) {
		put(r, 0);
		msleep(1000);
		KUNIT_EXPECT_GE(test, idle_pages(node), QR_CHUNK_PAGES / 2);
		get(test, r, 0, QR_ORDINARY, QR_CHUNK_PAGES / 2);
	}
	KUNIT_EXPECT_LT(test, qt_stats(test)->taken_bytes - taken, QR_CHUNK_PAGES * PAGE_SIZE);
	put(r, 0);
	since = ktime_get_ns();
	KUNIT_EXPECT_EQ(test, 0, wait_for_idle(node, 0));
	KUNIT_EXPECT_GE(test, ktime_get_ns() - since, 3 * NSEC_PER_SEC);
	qt_exit(test);
}

/* Pages that leave slabs one by one make the share smaller, and what was kept by it goes too. */
static void the_share_shrinks(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, retain, NULL));
	for (i = 0; i < 8; i++)
		get(test, r, i, QR_ORDINARY, QR_CHUNK_PAGES);
	put(r, 7);
	KUNIT_ASSERT_EQ(test, 0, qr_retain_set(10));
	WRITE_ONCE(qr_scavenger_paused, false);
	KUNIT_EXPECT_EQ(test, 7 * QR_CHUNK_PAGES / 10,
			wait_for_idle(node, 7 * QR_CHUNK_PAGES / 10));
	for (i = 0; i < 7; i++) {
		qr_heap_drop(&r->run[i]);
		r->run[i].chunk = NULL;
	}
	KUNIT_EXPECT_EQ(test, 0, wait_for_idle(node, 0));
	qt_exit(test);
}

/*
 * Few pages in use on a node with many holes.  It keeps a quarter as many idle pages, so that not
 * each slab takes a chunk.
 */
static void holes_make_it_keep_more(struct kunit *test)
{
	struct runs *r = new_runs(test);
	unsigned int i, holes = 4 * (QR_CHUNK_PAGES - 8);
	int node = first_node(qr_nodes);

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, retain, NULL));
	for (i = 0; i < 8; i += 2) {
		get(test, r, i, QR_ORDINARY, 8);
		get(test, r, i + 1, QR_ORDINARY, QR_CHUNK_PAGES - 8);
		if (r->run[i].chunk->kind == QR_MIXED || r->run[i + 1].chunk != r->run[i].chunk)
			kunit_skip(test, "no whole chunk to be had");
	}
	for (i = 1; i < 8; i += 2)
		put(r, i);
	KUNIT_ASSERT_EQ(test, holes, qr_heap_release(node, holes));
	KUNIT_ASSERT_EQ(test, holes * PAGE_SIZE, qt_stats(test)->hole_bytes);
	get(test, r, 1, QR_ORDINARY, 8);
	WRITE_ONCE(qr_scavenger_paused, false);
	KUNIT_EXPECT_EQ(test, 10, wait_for_idle(node, 10));
	msleep(1000);
	KUNIT_EXPECT_EQ(test, 10, idle_pages(node));
	qt_exit(test);
}

/* Code that frees a page which is not its own gives no page to the kernel.  The walker sees it. */
static void freed_by_others(struct kunit *test)
{
	struct quarry_validation *v = qt_array(test, 1, sizeof(*v));
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	struct page *page;

	get(test, r, 0, QR_LARGE, 8);
	page = virt_to_page(run_addr(&r->run[0]) + 3 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, QR_PAGE_REFS, page_ref_count(page));
	get_page(page);
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(v), "%s", v->first);
	put_page(page);
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(v), "%s", v->first);

	put_page(page);
	KUNIT_EXPECT_EQ(test, 1, qr_page_lost_refs(page));
	KUNIT_EXPECT_EQ(test, -EUCLEAN, qr_validate(v));
	KUNIT_EXPECT_EQ(test, 1, v->errors);
	KUNIT_EXPECT_NOT_NULL(test, strstr(v->first, "freed 1 times by somebody else"));
	/* It goes back to the kernel all the same, with its chunk. */
	put(r, 0);
	qr_heap_release_idle();
	KUNIT_EXPECT_EQ(test, 0, idle_pages(node));
	KUNIT_EXPECT_EQ_MSG(test, 0, qr_validate(v), "%s", v->first);
}

static struct kunit_case release_cases[] = {
	KUNIT_CASE(holes_from_the_top),	    KUNIT_CASE_SLOW(holes_make_it_keep_more),
	KUNIT_CASE(whole_chunks_first),	    KUNIT_CASE_SLOW(random_holes),
	KUNIT_CASE(holes_are_filled),	    KUNIT_CASE(a_range_is_left),
	KUNIT_CASE(the_kernel_is_told),	    KUNIT_CASE(freed_by_others),
	KUNIT_CASE_SLOW(idle_pages_decay),  KUNIT_CASE_SLOW(a_chunk_waits_for_its_load),
	KUNIT_CASE_SLOW(the_share_shrinks), {}
};

static struct kunit_suite release_suite = {
	.name = "quarry_release",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = release_cases,
};

kunit_test_suite(release_suite);
