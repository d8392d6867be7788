// SPDX-License-Identifier: GPL-2.0
/*
 * Operations nested into operations, at every instruction where an interrupt could come.  A kprobe
 * is set on each instruction of a function in turn.  Its handler allocates from and frees to the
 * magazine that the function is changing.  Unlike a timer, this reaches every instruction.
 *
 * The handler runs as in an NMI, so the slow path only tries the depot's lock.  It does nothing
 * where the interrupted function has interrupts off, because no interrupt can come there.
 */
#include "tests/kunit_util.h"
#include "tests/probe_util.h"

#include <linux/ptrace.h>

#define NEST_HELD 6 /* objects that the handler has to free */
#define NEST_POOL 400

struct nest {
	struct qt_probes probes;
	const void *at; /* address of the probe in use */
	struct task_struct *task;
	struct quarry_cache *cache;
	struct qt_shadow shadow;
	const char *ops; /* what the handler does: allocate, free; NULL: nothing */
	unsigned int hits;
	unsigned int missed;
	void *held[2 * NEST_HELD];
	unsigned int nr_held;
	void *pool[NEST_POOL];
	unsigned int nr_pool;
};

/* The handler calls these copies of the inline code, which have no probe. */
static noinline void *nested_alloc(struct quarry_cache *cache)
{
	return quarry_cache_alloc(cache, GFP_ATOMIC | __GFP_NOWARN);
}

static noinline void nested_free(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
}

static struct nest *nest_now;

static int nest_handler(struct kprobe *kp, struct pt_regs *regs)
{
	struct nest *n = nest_now;
	const char *op = READ_ONCE(n->ops);

	if (kp->addr != n->at || !op || current != n->task || !qt_irqs_were_on(regs))
		return 0;
	n->hits++;
	for (; *op; op++) {
		if (*op == 'a') {
			void *p = qt_got(&n->shadow, nested_alloc(n->cache));

			if (p)
				n->held[n->nr_held++] = p;
			else
				n->missed++;
		} else {
			nested_free(n->cache, qt_put(&n->shadow, n->held[--n->nr_held]));
		}
	}
	/* Only once for each operation, or a loop would use up the held objects. */
	WRITE_ONCE(n->ops, NULL);
	return 0;
}

/* The functions that get the probes. */
static noinline void *probed_alloc(struct quarry_cache *cache)
{
	return quarry_cache_alloc(cache, GFP_ATOMIC | __GFP_NOWARN);
}

static noinline void probed_free(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
}

static noinline void *probed_malloc(size_t size)
{
	return quarry_malloc(size, GFP_ATOMIC | __GFP_NOWARN);
}

static noinline void probed_free_ptr(void *p)
{
	quarry_free(p);
}

static void keep(struct nest *n, void *p)
{
	if (qt_got(&n->shadow, p))
		n->pool[n->nr_pool++] = p;
	else
		n->missed++;
}

static void *spend(struct nest *n)
{
	return qt_put(&n->shadow, n->pool[--n->nr_pool]);
}

static void do_alloc(struct nest *n)
{
	keep(n, probed_alloc(n->cache));
}

static void do_free(struct nest *n)
{
	probed_free(n->cache, spend(n));
}

static void do_malloc(struct nest *n)
{
	keep(n, probed_malloc(n->cache->size));
}

static void do_free_ptr(struct nest *n)
{
	probed_free_ptr(spend(n));
}

static void do_alloc_call(struct nest *n)
{
	keep(n, qr_cache_alloc_call(n->cache, GFP_ATOMIC | __GFP_NOWARN));
}

static void do_free_call(struct nest *n)
{
	qr_cache_free_call(n->cache, spend(n));
}

#define NEST_BULK 40 /* more than a batch */

static void do_alloc_bulk(struct nest *n)
{
	void *objs[NEST_BULK];
	unsigned int i;

	if (quarry_cache_alloc_bulk(n->cache, GFP_ATOMIC, NEST_BULK, objs) != NEST_BULK) {
		n->missed++;
		return;
	}
	for (i = 0; i < NEST_BULK; i++)
		keep(n, objs[i]);
}

static void do_free_bulk(struct nest *n)
{
	void *objs[NEST_BULK];
	unsigned int i;

	for (i = 0; i < NEST_BULK; i++)
		objs[i] = spend(n);
	quarry_cache_free_bulk(n->cache, NEST_BULK, objs);
}

/* Bring the magazine, the pool and the handler's objects to a known number of objects. */
static void prepare(struct nest *n, unsigned int level, bool expire)
{
	struct qr_head *h = qt_head(n->cache);

	while (n->nr_held > NEST_HELD)
		nested_free(n->cache, qt_put(&n->shadow, n->held[--n->nr_held]));
	while (n->nr_held < NEST_HELD)
		n->held[n->nr_held++] = qt_got(&n->shadow, nested_alloc(n->cache));
	while (n->nr_pool < NEST_POOL / 2)
		keep(n, nested_alloc(n->cache));
	while (n->nr_pool > NEST_POOL / 2)
		nested_free(n->cache, spend(n));
	while (qr_head_peek(h) > level)
		keep(n, nested_alloc(n->cache));
	while (qr_head_peek(h) < level)
		nested_free(n->cache, spend(n));
	if (expire) {
		h->drawn -= h->countdown;
		h->countdown = 0;
	}
}

static void drop_all(void *arg)
{
	struct nest *n = arg;

	while (n->nr_pool)
		nested_free(n->cache, spend(n));
	while (n->nr_held)
		nested_free(n->cache, qt_put(&n->shadow, n->held[--n->nr_held]));
}

/* Test one probe, in every state of the magazine, with every kind of nested operation. */
static void nest_at(struct kunit *test, struct nest *n, void (*op)(struct nest *n),
		    unsigned int off)
{
	static const char *const ops[] = { "a", "f", "af", "fa", "aaa", "fff" };
	unsigned int capacity = qt_head(n->cache)->capacity;
	unsigned int levels[] = { 0, 1, capacity / 2, capacity - 1, capacity };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(levels) + 1; i++) {
		for (k = 0; k < ARRAY_SIZE(ops); k++) {
			bool expire = i == ARRAY_SIZE(levels);
			unsigned int hits = n->hits;
			struct quarry_cache_stats st;

			prepare(n, expire ? capacity / 2 : levels[i], expire);
			WRITE_ONCE(n->ops, ops[k]);
			op(n);
			WRITE_ONCE(n->ops, NULL);
			st = qt_sum(n->cache);
			KUNIT_ASSERT_EQ_MSG(test, 0, atomic64_read(&n->shadow.errors),
					    "at +0x%x, level %u, nested %s", off, i, ops[k]);
			KUNIT_ASSERT_EQ_MSG(test, atomic64_read(&n->shadow.allocs), st.mallocs,
					    "at +0x%x, level %u, nested %s", off, i, ops[k]);
			KUNIT_ASSERT_EQ_MSG(test, atomic64_read(&n->shadow.frees), st.frees,
					    "at +0x%x, level %u, nested %s", off, i, ops[k]);
			KUNIT_ASSERT_EQ_MSG(test, n->nr_pool + n->nr_held, st.live_objects,
					    "at +0x%x, level %u, nested %s", off, i, ops[k]);
			/* In this state the operation does not reach the probe. */
			if (n->hits == hits)
				break;
		}
	}
}

static void nest_run(struct kunit *test, struct quarry_cache *cache, void *fn,
		     void (*op)(struct nest *n))
{
	struct nest *n = qt_array(test, 1, sizeof(*n));
	struct quarry_cache_stats was = qt_sum(cache), is;
	unsigned long from, to, at;
	unsigned int probed = 0, hits, i;
	void **objs = qt_array(test, 900, sizeof(*objs));

	qt_pin(test, 0);
	qt_function_ends(test, (unsigned long)fn, &from, &to);
	n->cache = cache;
	n->task = current;
	qt_shadow_init(&n->shadow);
	/* The handler cannot create slabs, so there must be enough objects in the depot. */
	KUNIT_ASSERT_EQ(test, 900, quarry_cache_alloc_bulk(cache, GFP_KERNEL, 900, objs));
	quarry_cache_free_bulk(cache, 900, objs);
	atomic64_set(&n->shadow.allocs, was.mallocs + 900);
	atomic64_set(&n->shadow.frees, was.frees + 900);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop_all, n));

	nest_now = n;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qt_unprobe, &n->probes));
	for (at = from; at < to; qt_unprobe(&n->probes)) {
		at = qt_probe(&n->probes, at, to, 1, nest_handler);
		for (i = 0; i < n->probes.nr; i++) {
			n->at = n->probes.there[i]->addr;
			hits = n->hits;
			nest_at(test, n, op, (unsigned long)n->at - from);
			if (n->hits != hits)
				qt_exit(test);
			cond_resched();
		}
		probed += n->probes.nr;
	}
	is = qt_sum(cache);
	kunit_info(test,
		   "%u instructions in %lu bytes, %u nestings, %llu allocations and %llu frees past the magazine\n",
		   probed, to - from, n->hits, is.direct_allocs - was.direct_allocs,
		   is.direct_frees - was.direct_frees);
	KUNIT_EXPECT_GT(test, probed, 5);
	KUNIT_EXPECT_GT(test, n->hits, probed / 4);
	KUNIT_EXPECT_EQ(test, 0, n->missed);
	/*
	 * Some nested operations must have found the head claimed, or the test shows nothing.
	 * In the generic form the head is not claimed when a slow path begins.
	 */
	if (!QR_HEAD_REST && (fn == qr_alloc_slow || fn == qr_free_full))
		return;
	KUNIT_EXPECT_GT(test, is.direct_allocs, was.direct_allocs);
	KUNIT_EXPECT_GT(test, is.direct_frees, was.direct_frees);
}

static void into_alloc(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), probed_alloc, do_alloc);
}

static void into_free(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), probed_free, do_free);
}

static void into_malloc(struct kunit *test)
{
	nest_run(test, qr_class_cache[qr_class_const(576)], probed_malloc, do_malloc);
}

static void into_free_ptr(struct kunit *test)
{
	nest_run(test, qr_class_cache[qr_class_const(576)], probed_free_ptr, do_free_ptr);
}

static void into_alloc_called(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), qr_cache_alloc_call, do_alloc_call);
}

static void into_free_called(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), qr_cache_free_call, do_free_call);
}

static void into_alloc_slow(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), qr_alloc_slow, do_alloc);
}

static void into_free_full(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), qr_free_full, do_free);
}

/* A magazine that is granted less than it can use, so that each miss asks for more. */
static void into_alloc_slow_small(struct kunit *test)
{
	qt_budget(test, 1);
	nest_run(test, qt_cache(test, 64, NULL), qr_alloc_slow, do_alloc);
}

static void into_free_full_small(struct kunit *test)
{
	qt_budget(test, 1);
	nest_run(test, qt_cache(test, 64, NULL), qr_free_full, do_free);
}

static void into_alloc_bulk(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), quarry_cache_alloc_bulk, do_alloc_bulk);
}

static void into_free_bulk(struct kunit *test)
{
	nest_run(test, qt_cache(test, 64, NULL), quarry_cache_free_bulk, do_free_bulk);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(into_alloc),
				     KUNIT_CASE_SLOW(into_free),
				     KUNIT_CASE_SLOW(into_malloc),
				     KUNIT_CASE_SLOW(into_free_ptr),
				     KUNIT_CASE_SLOW(into_alloc_called),
				     KUNIT_CASE_SLOW(into_free_called),
				     KUNIT_CASE_SLOW(into_alloc_slow),
				     KUNIT_CASE_SLOW(into_free_full),
				     KUNIT_CASE_SLOW(into_alloc_slow_small),
				     KUNIT_CASE_SLOW(into_free_full_small),
				     KUNIT_CASE_SLOW(into_alloc_bulk),
				     KUNIT_CASE_SLOW(into_free_bulk),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite nested_suite = {
	.name = "quarry_magazine_nested",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(nested_suite);
