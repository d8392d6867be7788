// SPDX-License-Identifier: GPL-2.0
/* The page heap, compared with a naive model of the same chunks. */
#include "tests/kunit_util.h"

#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/random.h>

#define MAX_RUNS 48

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
}

static struct runs *new_runs(struct kunit *test)
{
	struct runs *r = qt_array(test, 1, sizeof(*r));

	qr_drain_all();
	qr_heap_release_idle();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_runs, r));
	return r;
}

static bool get(struct runs *r, unsigned int i, enum qr_kind kind, int node, unsigned int nr,
		unsigned int align, gfp_t gfp)
{
	return qr_heap_get(&r->run[i], &r->owner[i], kind, node, nr, nr, align, gfp);
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

/* The first fit with the lowest address, searched page by page and chunk by chunk. */
static void *model_first_fit(enum qr_kind kind, int node, unsigned int nr, unsigned int align)
{
	unsigned int first, k;
	unsigned long i;

	for (i = 0; i < qr_directory->nr; i++) {
		struct qr_chunk *chunk = qr_chunk_at(i);

		if (!chunk || chunk->kind != kind || chunk->node != node)
			continue;
		for (first = 0; first + nr <= QR_CHUNK_PAGES; first += align) {
			for (k = 0; k < nr && !test_bit(first + k, chunk->used); k++)
				;
			if (k == nr)
				return qr_chunk_addr(chunk, first);
		}
	}
	return NULL;
}

/* The same for large objects, which may cross the end of a chunk. */
static void *model_first_fit_across(int node, unsigned int nr)
{
	unsigned int page, row = 0;
	unsigned long i;

	for (i = 0; i < qr_directory->nr; i++) {
		struct qr_chunk *chunk = qr_chunk_at(i);

		if (!chunk || chunk->kind != QR_LARGE || chunk->node != node) {
			row = 0;
			continue;
		}
		for (page = 0; page < QR_CHUNK_PAGES; page++) {
			row = test_bit(page, chunk->used) ? 0 : row + 1;
			if (row == nr)
				return qr_chunk_addr(chunk, page) - (nr - 1) * PAGE_SIZE;
		}
	}
	return NULL;
}

static void check_run(struct kunit *test, struct runs *r, unsigned int i)
{
	const struct qr_run *run = &r->run[i];
	void *start = run_addr(run), *end = start + run->nr * PAGE_SIZE;
	unsigned int k;

	for (k = 0; k < run->nr; k++)
		KUNIT_ASSERT_PTR_EQ(test, qr_slab_of(start + k * PAGE_SIZE), &r->owner[i]);
	for (k = 0; k < MAX_RUNS; k++) {
		const struct qr_run *other = &r->run[k];
		void *from;

		if (k == i || !other->chunk)
			continue;
		from = run_addr(other);
		KUNIT_ASSERT_TRUE(test, end <= from || from + other->nr * PAGE_SIZE <= start);
	}
	if (run->zeroed)
		KUNIT_ASSERT_TRUE(test, qt_is_zero(start, run->nr * PAGE_SIZE));
	memset(start, 0xa5, run->nr * PAGE_SIZE);
}

static void random_runs_match_model(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int step, over = 0;

	for (step = 0; step < 1500; step++) {
		unsigned int i = get_random_u32_below(MAX_RUNS);
		unsigned int nr, align;
		enum qr_kind kind;
		void *expected;

		cond_resched();
		if (r->run[i].chunk) {
			put(r, i);
			continue;
		}
		/* Mostly short runs, but up to a whole chunk. */
		nr = 1 + get_random_u32_below(1 << (1 + get_random_u32_below(QR_CHUNK_ORDER)));
		kind = get_random_u32_below(4) ? QR_ORDINARY : QR_LARGE;
		align = 1 << get_random_u32_below(kind == QR_LARGE ? 2 : 5);
		if (kind == QR_LARGE && align == 1)
			expected = model_first_fit_across(node, nr);
		else
			expected = model_first_fit(kind, node, nr, align);
		KUNIT_ASSERT_TRUE(test, get(r, i, kind, node, nr, align, GFP_KERNEL));
		KUNIT_ASSERT_EQ(test, nr, r->run[i].nr);
		if (r->run[i].chunk->kind != QR_MIXED)
			KUNIT_ASSERT_EQ(test, kind, r->run[i].chunk->kind);
		if (expected)
			KUNIT_ASSERT_PTR_EQ(test, expected, run_addr(&r->run[i]));
		KUNIT_ASSERT_EQ(test, 0,
				((unsigned long)run_addr(&r->run[i]) >> PAGE_SHIFT) % align);
		check_run(test, r, i);
		over += r->run[i].first + nr > QR_CHUNK_PAGES;
	}
	kunit_info(test, "%u runs went over the end of a chunk\n", over);
}

/* Are the @nr pages behind the run idle, and in chunks of the same heap? */
static bool model_is_free_behind(const struct qr_run *run, unsigned int nr)
{
	unsigned int page = run->first + run->nr;

	for (; nr--; page++) {
		unsigned long i = run->chunk->index + page / QR_CHUNK_PAGES;
		struct qr_chunk *chunk = i < qr_directory->nr ? qr_chunk_at(i) : NULL;

		if (!chunk || chunk->kind != QR_LARGE || chunk->node != run->chunk->node ||
		    test_bit(page % QR_CHUNK_PAGES, chunk->used))
			return false;
	}
	return true;
}

static void random_lengths_match_model(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int step, grown = 0, refused = 0, over = 0;

	for (step = 0; step < 2000; step++) {
		unsigned int i = get_random_u32_below(MAX_RUNS);
		unsigned int nr = 1 + get_random_u32_below(
					      1 << (1 + get_random_u32_below(QR_CHUNK_ORDER)));
		struct qr_run *run = &r->run[i], added;
		bool free;

		cond_resched();
		if (!run->chunk) {
			/* Some are ordinary: such a chunk may lie behind a large one. */
			KUNIT_ASSERT_TRUE(test, get(r, i, step % 8 ? QR_LARGE : QR_ORDINARY, node,
						    nr, 1, GFP_KERNEL));
			check_run(test, r, i);
		} else if (run->chunk->kind != QR_LARGE || !(step % 5)) {
			put(r, i);
		} else if (step % 2 && run->nr > 1) {
			nr = 1 + get_random_u32_below(run->nr - 1);
			qr_heap_trim(run, nr);
			run->nr = nr;
			KUNIT_ASSERT_PTR_NE(test, &r->owner[i],
					    qr_slab_of(run_addr(run) + nr * PAGE_SIZE));
			run->zeroed = false;
			check_run(test, r, i);
		} else {
			free = model_is_free_behind(run, nr);
			KUNIT_ASSERT_EQ(test, free, qr_heap_extend(run, nr, &r->owner[i], &added));
			grown += free;
			refused += !free;
			if (!free)
				continue;
			KUNIT_ASSERT_PTR_EQ(test, run_addr(run) + run->nr * PAGE_SIZE,
					    run_addr(&added));
			KUNIT_ASSERT_EQ(test, nr, added.nr);
			over += run->first + run->nr + nr > QR_CHUNK_PAGES;
			if (added.zeroed)
				KUNIT_ASSERT_TRUE(test,
						  qt_is_zero(run_addr(&added), nr * PAGE_SIZE));
			run->nr += nr;
			run->zeroed = false;
			check_run(test, r, i);
		}
		if (!(step % 100))
			qt_exit(test);
	}
	kunit_info(test, "%u grew, %u of them over an end; %u could not\n", grown, over, refused);
	KUNIT_EXPECT_GT(test, grown, 20);
	KUNIT_EXPECT_GT(test, refused, 20);
}

static void whole_chunk_and_no_more(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_TRUE(test, get(r, i, QR_ORDINARY, node, QR_CHUNK_PAGES, QR_CHUNK_PAGES,
					    GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, 0, r->run[i].first);
		KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, r->run[i].chunk->nr_used);
		check_run(test, r, i);
	}
	put(r, 1);
	KUNIT_ASSERT_TRUE(test, get(r, 3, QR_ORDINARY, node, 1, 1, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, run_addr(&r->run[3]),
			    model_first_fit(QR_ORDINARY, node, 1, 1) - PAGE_SIZE);
}

static void zeroed_only_while_fresh(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);

	/* No chunk is idle, so this one has just come from the kernel. */
	KUNIT_ASSERT_TRUE(test, get(r, 0, QR_LARGE, node, QR_CHUNK_PAGES, 1, GFP_KERNEL));
	if (r->run[0].chunk->kind == QR_MIXED)
		kunit_skip(test, "no whole chunk to be had");
	KUNIT_EXPECT_EQ(test, r->run[0].zeroed, want_init_on_alloc(GFP_KERNEL));
	check_run(test, r, 0);
	put(r, 0);
	/* The same pages again.  check_run() wrote to them. */
	KUNIT_ASSERT_TRUE(test, get(r, 0, QR_LARGE, node, 8, 1, GFP_KERNEL));
	KUNIT_EXPECT_FALSE(test, r->run[0].zeroed);
	KUNIT_ASSERT_TRUE(test, get(r, 1, QR_LARGE, node, 16, 16, GFP_KERNEL));
	KUNIT_EXPECT_FALSE(test, r->run[1].zeroed);
}

static void idle_pages_are_used_again(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	struct quarry_stats *st;
	u64 taken, inuse, idle;
	void *first;

	KUNIT_ASSERT_TRUE(test, get(r, 0, QR_ORDINARY, node, 100, 1, GFP_KERNEL));
	first = run_addr(&r->run[0]);
	st = qt_stats(test);
	taken = st->taken_bytes;
	inuse = st->inuse_bytes;
	idle = st->idle_bytes;
	put(r, 0);
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, st->inuse_bytes, inuse - 100 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, st->idle_bytes, idle + 100 * PAGE_SIZE);
	KUNIT_ASSERT_TRUE(test, get(r, 0, QR_ORDINARY, node, 100, 1, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, first, run_addr(&r->run[0]));
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, st->taken_bytes, taken);
	KUNIT_EXPECT_EQ(test, st->inuse_bytes, inuse);
}

static void release_idle_gives_back(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	struct quarry_stats *st;
	u64 sys, returned, meta;
	unsigned int i;

	rcu_barrier();
	st = qt_stats(test);
	sys = st->sys_bytes;
	meta = qt_metadata(st);
	returned = st->returned_bytes;
	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_TRUE(test, get(r, i, i & 1 ? QR_LARGE : QR_ORDINARY, node,
					    QR_CHUNK_PAGES, 1, GFP_KERNEL));
	/* A chunk with a page in use stays. */
	KUNIT_ASSERT_TRUE(test, get(r, 4, QR_ORDINARY, node, 1, 1, GFP_KERNEL));
	put(r, 0);
	put(r, 3);
	KUNIT_EXPECT_EQ(test, 2 * QR_CHUNK_PAGES, qr_heap_release_idle());
	KUNIT_EXPECT_EQ(test, 0, qr_heap_release_idle());
	for (i = 0; i < 5; i++)
		if (r->run[i].chunk)
			check_run(test, r, i);
	put_runs(r);
	qr_heap_release_idle();
	rcu_barrier();
	st = qt_stats(test);
	KUNIT_EXPECT_EQ(test, sys, st->sys_bytes);
	KUNIT_EXPECT_EQ(test, meta, qt_metadata(st));
	KUNIT_EXPECT_GE(test, st->returned_bytes, returned + 4 * QR_CHUNK_PAGES * PAGE_SIZE);
}

/* Check what the fast path of a free sees of the chunk around @p, on each CPU. */
static void check_views(struct kunit *test, const void *p, bool ordinary)
{
	unsigned long i = qr_chunk_index(p);
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		struct qr_view *view = per_cpu_ptr(&qr_view, cpu);
		const u8 *class = view->class[i];
		bool near = ordinary && qr_chunk_at(i)->node == per_cpu(qr_home_node, cpu);

		KUNIT_EXPECT_EQ(test, near, view->fast[i]);
		KUNIT_EXPECT_EQ(test, near,
				&class[(u32)qr_offset(p) >> PAGE_SHIFT] ==
					&qr_chunk_at(i)->class[qr_page_in_chunk(p)]);
	}
}

static void kinds_are_apart(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		enum qr_kind kind = i & 1 ? QR_LARGE : QR_ORDINARY;

		KUNIT_ASSERT_TRUE(test, get(r, i, kind, node, 5, 1, GFP_KERNEL));
		if (r->run[i].chunk->kind == QR_MIXED)
			kunit_skip(test, "no whole chunk to be had");
		KUNIT_EXPECT_EQ(test, kind, r->run[i].chunk->kind);
		check_views(test, run_addr(&r->run[i]), kind == QR_ORDINARY);
	}
	put_runs(r);
	KUNIT_EXPECT_GT(test, qr_heap_release_idle(), 0);
}

static void views_close_with_the_chunk(struct kunit *test)
{
	struct runs *r = new_runs(test);
	unsigned int cpu;
	unsigned long i;

	KUNIT_ASSERT_TRUE(test, get(r, 0, QR_ORDINARY, first_node(qr_nodes), QR_CHUNK_PAGES, 1,
				    GFP_KERNEL));
	i = r->run[0].chunk->index;
	put_runs(r);
	KUNIT_EXPECT_GT(test, qr_heap_release_idle(), 0);
	KUNIT_EXPECT_NULL(test, qr_chunk_at(i));
	for_each_online_cpu(cpu) {
		struct qr_view *view = per_cpu_ptr(&qr_view, cpu);

		KUNIT_EXPECT_EQ(test, 0, view->fast[i]);
		KUNIT_EXPECT_EQ(test, 0, view->class[i][i * QR_CHUNK_PAGES]);
		KUNIT_EXPECT_EQ(test, 0, view->class[i][(i + 1) * QR_CHUNK_PAGES - 1]);
	}
}

/* A large run may cross from one chunk into the next; an aligned run, as slabs have, must not. */
static void large_runs_go_over_chunks(struct kunit *test)
{
	struct runs *r = new_runs(test);
	int node = first_node(qr_nodes);
	struct qr_chunk *low, *high;
	unsigned int i, k;

	/* Take many chunks, all of their pages, and look for two that lie side by side. */
	for (i = 0; i < 2 * MAX_RUNS / 3; i++)
		KUNIT_ASSERT_TRUE(test, get(r, i, QR_LARGE, node, QR_CHUNK_PAGES, 1, GFP_KERNEL));
	for (i = 0; i < 2 * MAX_RUNS / 3; i++) {
		low = r->run[i].chunk;
		for (k = 0; k < 2 * MAX_RUNS / 3; k++) {
			high = r->run[k].chunk;
			if (low->kind == QR_LARGE && high->kind == QR_LARGE &&
			    high->index == low->index + 1)
				goto found;
		}
	}
	kunit_skip(test, "no two chunks side by side");
found:
	put(r, i);
	put(r, k);
	KUNIT_ASSERT_TRUE(test, get(r, i, QR_LARGE, node, QR_CHUNK_PAGES * 5 / 8, 1, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, low, r->run[i].chunk);
	KUNIT_ASSERT_TRUE(test, get(r, k, QR_LARGE, node, QR_CHUNK_PAGES * 3 / 4, 1, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, low, r->run[k].chunk);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES * 5 / 8, r->run[k].first);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES, low->nr_used);
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES * 3 / 8, high->nr_used);
	check_run(test, r, k);
	/* An aligned run does not cross. */
	put(r, k);
	KUNIT_ASSERT_TRUE(test, get(r, k, QR_LARGE, node, QR_CHUNK_PAGES * 3 / 4, 2, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, high, r->run[k].chunk);
	check_run(test, r, k);
	put(r, i);
	/* Cross with the last page of one chunk only. */
	put(r, k);
	KUNIT_ASSERT_TRUE(test, get(r, i, QR_LARGE, node, QR_CHUNK_PAGES - 1, 1, GFP_KERNEL));
	KUNIT_ASSERT_TRUE(test, get(r, k, QR_LARGE, node, QR_CHUNK_PAGES, 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, QR_CHUNK_PAGES - 1, r->run[k].first);
	check_run(test, r, k);
	put(r, i);
	KUNIT_EXPECT_EQ(test, 1, low->nr_used);
	put(r, k);
	KUNIT_EXPECT_EQ(test, 0, low->nr_used);
	KUNIT_EXPECT_EQ(test, 0, high->nr_used);
}

static void this_node_is_kept_to(struct kunit *test)
{
	struct runs *r = new_runs(test);
	struct quarry_node_stats st[2];
	int nodes[2] = { first_node(qr_nodes), qt_other_node(test, first_node(qr_nodes)) };
	unsigned int i, k;

	for (i = 0; i < 16; i++) {
		int node = nodes[i & 1];

		qr_node_stats_read(node, &st[0]);
		KUNIT_ASSERT_TRUE(test, get(r, i, i & 2 ? QR_LARGE : QR_ORDINARY, node, 1 + 9 * i,
					    1, GFP_KERNEL | __GFP_THISNODE));
		qr_node_stats_read(node, &st[1]);
		KUNIT_EXPECT_EQ(test, st[0].inuse_bytes + (1 + 9 * i) * PAGE_SIZE,
				st[1].inuse_bytes);
		for (k = 0; k < r->run[i].nr; k++)
			KUNIT_ASSERT_EQ(test, node,
					qt_node_of(run_addr(&r->run[i]) + k * PAGE_SIZE));
		check_run(test, r, i);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(random_runs_match_model),   KUNIT_CASE(random_lengths_match_model),
	KUNIT_CASE(whole_chunk_and_no_more),   KUNIT_CASE(zeroed_only_while_fresh),
	KUNIT_CASE(idle_pages_are_used_again), KUNIT_CASE(release_idle_gives_back),
	KUNIT_CASE(kinds_are_apart),	       KUNIT_CASE(views_close_with_the_chunk),
	KUNIT_CASE(large_runs_go_over_chunks), KUNIT_CASE(this_node_is_kept_to),
	KUNIT_CASE(qt_books_balance),	       {}
};

static struct kunit_suite pageheap_suite = {
	.name = "quarry_page_heap",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(pageheap_suite);
