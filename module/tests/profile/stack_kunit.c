// SPDX-License-Identifier: GPL-2.0
/*
 * Call stacks: the caller of Quarry is the leaf, whichever function it called, and the
 * stack that a memo remembers is never taken for another one.
 */
#include "tests/profile_util.h"

#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#define LARGE 50000

/* --- The leaf --- */

/*
 * Every form of allocation in a function of its own.  The function stores the result after
 * the call, so that it is no tail call.  A different number in each keeps the compiler from
 * merging equal functions.
 */
/* clang-format off */
#define SITE(name, expr)							\
static noinline void name(struct quarry_cache *cache, size_t size, void **p)	\
{										\
	int line = __LINE__;							\
										\
	OPTIMIZER_HIDE_VAR(line);						\
	*p = expr;								\
}

/* clang-format on */

static void *bulk_of_one(struct quarry_cache *cache);
static void *malloc_bulk_of_one(size_t size);

SITE(site_alloc, quarry_cache_alloc(cache, GFP_KERNEL))
SITE(site_alloc_called, qr_cache_alloc_call(cache, GFP_KERNEL))
SITE(site_zalloc, quarry_cache_zalloc(cache, GFP_KERNEL))
SITE(site_near, quarry_cache_alloc_node(cache, GFP_KERNEL, NUMA_NO_NODE))
SITE(site_node, quarry_cache_alloc_node(cache, GFP_KERNEL | __GFP_THISNODE, qp_last_node()))
SITE(site_bulk, bulk_of_one(cache))
SITE(site_const, quarry_malloc(200, GFP_KERNEL))
SITE(site_const_called, qr_malloc_const_call(200, GFP_KERNEL))
SITE(site_malloc, quarry_malloc(size, GFP_KERNEL))
SITE(site_malloc_called, qr_malloc_call(size, GFP_KERNEL))
SITE(site_malloc_node, quarry_malloc_node(size, GFP_KERNEL, qp_last_node()))
SITE(site_large, quarry_malloc(LARGE, GFP_KERNEL))
SITE(site_large_variable, quarry_malloc(size + LARGE, GFP_KERNEL))
SITE(site_large_called, qr_malloc_call(size + LARGE, GFP_KERNEL))
SITE(site_large_node, quarry_malloc_node(size + LARGE, GFP_KERNEL, qp_last_node()))
SITE(site_array, quarry_malloc_array(10, size, GFP_KERNEL))
SITE(site_calloc, quarry_calloc(10, 20, GFP_KERNEL))
SITE(site_array_node, quarry_malloc_array_node(10, size, GFP_KERNEL, qp_last_node()))
SITE(site_realloc_array, quarry_realloc_array(NULL, 10, size, GFP_KERNEL))
SITE(site_strdup, quarry_strdup("text", GFP_KERNEL))
SITE(site_strndup, quarry_strndup("text", size, GFP_KERNEL))
SITE(site_memdup, quarry_memdup("text", 4, GFP_KERNEL))
SITE(site_aligned, quarry_aligned_alloc(64, size, GFP_KERNEL))
SITE(site_aligned_large, quarry_aligned_alloc(64, size + LARGE, GFP_KERNEL))
SITE(site_malloc_bulk, malloc_bulk_of_one(size))
SITE(site_malloc_bulk_large, malloc_bulk_of_one(size + LARGE))

static __always_inline void *bulk_of_one(struct quarry_cache *cache)
{
	void *p;

	return quarry_cache_alloc_bulk(cache, GFP_KERNEL, 1, &p) ? p : NULL;
}

static __always_inline void *malloc_bulk_of_one(size_t size)
{
	void *p;

	return quarry_malloc_bulk(size, GFP_KERNEL, 1, &p) ? p : NULL;
}

struct site {
	const char *name;
	void (*fn)(struct quarry_cache *cache, size_t size, void **p);
};

#define SITE_OF(name)                                                                              \
	{                                                                                          \
#name, name                                                                        \
	}

static const struct site sites[] = {
	SITE_OF(site_alloc),	      SITE_OF(site_alloc_called),
	SITE_OF(site_zalloc),	      SITE_OF(site_near),
	SITE_OF(site_node),	      SITE_OF(site_bulk),
	SITE_OF(site_const),	      SITE_OF(site_const_called),
	SITE_OF(site_malloc),	      SITE_OF(site_malloc_called),
	SITE_OF(site_malloc_node),    SITE_OF(site_large),
	SITE_OF(site_large_variable), SITE_OF(site_large_called),
	SITE_OF(site_large_node),     SITE_OF(site_array),
	SITE_OF(site_calloc),	      SITE_OF(site_array_node),
	SITE_OF(site_realloc_array),  SITE_OF(site_strdup),
	SITE_OF(site_strndup),	      SITE_OF(site_memdup),
	SITE_OF(site_aligned),	      SITE_OF(site_aligned_large),
	SITE_OF(site_malloc_bulk),    SITE_OF(site_malloc_bulk_large),
};

static void caller_is_the_leaf(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct qp_watch *w = qp_watch(test, QUARRY_CACHE_ALL);
	unsigned int i, round;

	qp_rate(test, 1);
	/* The second time the stack is found in a memo. */
	for (round = 0; round < 2; round++) {
		for (i = 0; i < ARRAY_SIZE(sites); i++) {
			unsigned int nr = w->nr;
			unsigned long *entries;
			void *p;

			sites[i].fn(cache, 200, &p);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_ASSERT_EQ(test, nr + 1, w->nr);
			KUNIT_EXPECT_STREQ(test, sites[i].name, qp_leaf(test, w->last.stack));
			/* The next frame is this function. */
			KUNIT_ASSERT_GE(test, qp_stack(w->last.stack, &entries), 2);
			KUNIT_EXPECT_TRUE(test, qp_stack_has(w->last.stack, __func__));
			KUNIT_EXPECT_TRUE(test, within_module(entries[1], THIS_MODULE));
			quarry_free(p);
		}
	}
}

/* --- Rows --- */

static noinline void *recurse(struct quarry_cache *cache, unsigned int depth)
{
	void *p = depth ? recurse(cache, depth - 1) : quarry_cache_alloc(cache, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	return p;
}

static void one_row_per_stack(struct kunit *test)
{
	struct quarry_cache *cache = qt_cache(test, 64, NULL);
	struct quarry_profile *base, *p;
	unsigned int rows, i;
	void *two[2];

	qp_rate(test, 1);
	/* Of this cache: rows of one that is gone may be merged at any time. */
	base = qp_take(test, qp_id(cache), false);
	for (i = 0; i < 100; i++) {
		site_alloc(cache, 0, &two[0]);
		quarry_cache_free(cache, two[0]);
	}
	p = qp_take(test, qp_id(cache), false);
	KUNIT_EXPECT_EQ(test, 100, qp_grown(test, p, base, &rows)->alloc.samples);
	KUNIT_EXPECT_EQ(test, 1, rows);
	base = p;
	site_alloc(cache, 0, &two[0]);
	site_alloc(cache, 0, &two[1]);
	p = qp_take(test, qp_id(cache), false);
	KUNIT_EXPECT_EQ(test, 1, qp_grown(test, p, base, &rows)->alloc.samples);
	KUNIT_EXPECT_EQ(test, 2, rows);
	quarry_cache_free(cache, two[0]);
	quarry_cache_free(cache, two[1]);
	base = p;
	for (i = 0; i < 40; i++)
		quarry_cache_free(cache, recurse(cache, i % 20));
	p = qp_take(test, qp_id(cache), false);
	KUNIT_EXPECT_EQ(test, 2, qp_grown(test, p, base, &rows)->alloc.samples);
	KUNIT_EXPECT_EQ(test, 20, rows);
}

/* --- Remembered stacks --- */

#define WAYS 6 /* functions for each leg */
#define LEGS 4 /* calls until the allocation */

struct walk {
	struct kunit *test;
	struct quarry_cache *cache;
	struct qp_watch *watch;
	const u8 *way;	  /* function of each leg */
	unsigned int pad; /* bytes of all frames of variable size */
	unsigned long trace[QUARRY_STACK_MAX];
	unsigned int nr;
	u64 wrong;
};

/* The leaf's return address differs; all other frames must be those that the unwinder finds. */
static noinline void walk_end(struct walk *walk)
{
	unsigned long *entries;
	unsigned int n;
	void *p;

	p = quarry_cache_alloc(walk->cache, GFP_KERNEL);
	walk->nr = stack_trace_save(walk->trace, ARRAY_SIZE(walk->trace), 0);
	n = qp_stack(walk->watch->last.stack, &entries);
	if (!p || n != walk->nr || n < LEGS + 2 ||
	    memcmp(entries + 1, walk->trace + 1, (n - 1) * sizeof(*entries)))
		walk->wrong++;
	quarry_cache_free(walk->cache, p);
}

typedef void (*walk_fn)(struct walk *walk, unsigned int leg);

static noinline void walk_on(struct walk *walk, unsigned int leg);

/*
 * Two functions for each size of frame.  So two stacks of the same depth may differ in one
 * return address only, or only in the order of the same return addresses.
 */
/* clang-format off */
#define WAY(nr, bytes)								\
static noinline void way_##nr(struct walk *walk, unsigned int leg)		\
{										\
	unsigned char pad[bytes], *p = pad;					\
										\
	OPTIMIZER_HIDE_VAR(p);							\
	*p = (nr);								\
	walk_on(walk, leg);							\
	*p = (nr);								\
}

/* clang-format on */

WAY(0, 16)
WAY(1, 16)
WAY(2, 64)
WAY(3, 64)
WAY(4, 160)
WAY(5, 160)

static const walk_fn ways[WAYS] = { way_0, way_1, way_2, way_3, way_4, way_5 };

static noinline void walk_on(struct walk *walk, unsigned int leg)
{
	if (leg == LEGS)
		walk_end(walk);
	else
		ways[walk->way[leg]](walk, leg + 1);
	barrier();
}

/* A frame of variable size, which the unwinder finds through a register. */
static noinline void walk_begin(struct walk *walk, unsigned int bytes)
{
	unsigned char *pad = __builtin_alloca(bytes);

	OPTIMIZER_HIDE_VAR(pad);
	*pad = 1;
	walk_on(walk, 0);
	*pad = 2;
}

static noinline void walk_begin_twice(struct walk *walk, unsigned int bytes)
{
	unsigned char *pad = __builtin_alloca(bytes);

	OPTIMIZER_HIDE_VAR(pad);
	*pad = 3;
	walk_begin(walk, walk->pad - bytes);
	*pad = 4;
}

static struct walk *walk_new(struct kunit *test)
{
	struct walk *walk = qt_array(test, 1, sizeof(*walk));

	walk->test = test;
	walk->cache = qt_cache(test, 64, NULL);
	walk->watch = qp_watch(test, qp_id(walk->cache));
	qp_rate(test, 1);
	/* Memos belong to a CPU, so stay on one. */
	qt_pin(test, 0);
	return walk;
}

/* First pairs of similar stacks that alternate, then random stacks. */
static void callers_are_told_apart(struct kunit *test)
{
	struct walk *walk = walk_new(test);
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	unsigned int i, k, leg;
	u8 way[4][LEGS];

	kunit_info(test, "seed %llu\n", seed);
	prandom_seed_state(&rnd, seed);
	for (i = 0; i < 60; i++) {
		for (leg = 0; leg < LEGS; leg++) {
			way[0][leg] = prandom_u32_state(&rnd) % WAYS;
			/* The other function with the same size of frame. */
			way[1][leg] = way[0][leg] ^ (prandom_u32_state(&rnd) & 1);
			/* The same functions in reverse order. */
			way[2][LEGS - 1 - leg] = way[0][leg];
		}
		/* One leg differs. */
		memcpy(way[3], way[0], LEGS);
		way[3][prandom_u32_state(&rnd) % LEGS] ^= 1;
		for (k = 0; k < 24; k++) {
			walk->way = way[k & 1 ? k / 2 % 4 : 0];
			walk_on(walk, 0);
		}
		KUNIT_ASSERT_EQ(test, 0, walk->wrong);
	}
	for (i = 0; i < 3000; i++) {
		for (leg = 0; leg < LEGS; leg++)
			way[0][leg] = prandom_u32_state(&rnd) % WAYS;
		walk->way = way[0];
		walk_on(walk, 0);
	}
	KUNIT_EXPECT_EQ(test, 0, walk->wrong);
}

/* The same calls at the same depth, with one frame in between at varying places. */
static void frames_of_any_size(struct kunit *test)
{
	static const u8 way[LEGS] = { 0, 1, 0, 1 };
	struct walk *walk = walk_new(test);
	unsigned int i;

	walk->way = way;
	walk->pad = 512;
	for (i = 0; i < 1000; i++) {
		walk_begin_twice(walk, 16 * (1 + i % 2 * (i / 2 % 30)));
		if (i % 10 == 0)
			walk_on(walk, 0);
	}
	KUNIT_EXPECT_EQ(test, 0, walk->wrong);
}

/* --- Interrupts --- */

struct interrupt {
	struct hrtimer timer;
	struct tasklet_struct tasklet;
	struct quarry_cache *cache;
	void *p[2];
	bool done;
};

static noinline void in_interrupt_alloc(struct interrupt *in)
{
	in->p[0] = quarry_cache_alloc(in->cache, GFP_ATOMIC);
	in->p[1] = quarry_malloc(LARGE, GFP_ATOMIC);
	WRITE_ONCE(in->done, true);
}

static enum hrtimer_restart in_interrupt_timer(struct hrtimer *timer)
{
	in_interrupt_alloc(container_of(timer, struct interrupt, timer));
	return HRTIMER_NORESTART;
}

static void in_interrupt_tasklet(struct tasklet_struct *t)
{
	in_interrupt_alloc(container_of(t, struct interrupt, tasklet));
}

static noinline void interrupted_thread(struct interrupt *in, enum hrtimer_mode mode)
{
	ktime_t limit = ktime_add_ms(ktime_get(), 5000);

	if (mode) {
		hrtimer_start(&in->timer, ns_to_ktime(300000), mode);
	} else {
		/* The tasklet runs on this task's stack, when softirqs are enabled again. */
		local_bh_disable();
		tasklet_schedule(&in->tasklet);
		local_bh_enable();
	}
	while (!READ_ONCE(in->done) && ktime_before(ktime_get(), limit))
		cpu_relax();
	barrier();
}

static void timer_off(void *timer)
{
	hrtimer_cancel(timer);
}

static void interrupt_has_a_stack_of_its_own(struct kunit *test, enum hrtimer_mode mode,
					     const char *context)
{
	struct interrupt *in = qt_array(test, 1, sizeof(*in));
	struct qp_watch *w[2];
	unsigned int i;

	qt_skip_on_rt(test);
	qt_pin(test, 0);
	in->cache = qt_cache(test, 64, NULL);
	w[0] = qp_watch(test, qp_id(in->cache));
	w[1] = qp_watch(test, 0);
	tasklet_setup(&in->tasklet, in_interrupt_tasklet);
	qr_compat_hrtimer_setup(&in->timer, in_interrupt_timer, CLOCK_MONOTONIC, mode);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, timer_off, &in->timer));
	qp_rate(test, 1);
	interrupted_thread(in, mode);
	KUNIT_ASSERT_TRUE(test, READ_ONCE(in->done));
	for (i = 0; i < 2; i++) {
		const struct qr_event *e = &w[i]->last;

		KUNIT_ASSERT_NOT_NULL(test, in->p[i]);
		KUNIT_ASSERT_EQ(test, 1, w[i]->nr);
		KUNIT_EXPECT_STREQ(test, "in_interrupt_alloc", qp_leaf(test, e->stack));
		KUNIT_EXPECT_FALSE(test, qp_stack_has(e->stack, "interrupted_thread"));
		KUNIT_EXPECT_FALSE(test, qp_stack_has(e->stack, "kthread"));
		KUNIT_EXPECT_STREQ(test, context, qp_label(e->labels, "context") ?: "none");
		KUNIT_EXPECT_NULL(test, qp_label(e->labels, "comm"));
		KUNIT_EXPECT_EQ(test, 0, e->pid);
		quarry_free(in->p[i]);
	}
	/* An allocation of the task itself has the task's frames. */
	site_alloc(in->cache, 0, &in->p[0]);
	KUNIT_EXPECT_TRUE(test, qp_stack_has(w[0]->last.stack, "kthread"));
	quarry_free(in->p[0]);
}

static void in_hard_interrupt(struct kunit *test)
{
	interrupt_has_a_stack_of_its_own(test, HRTIMER_MODE_REL_PINNED, "hardirq");
}

static void in_soft_interrupt(struct kunit *test)
{
	interrupt_has_a_stack_of_its_own(test, HRTIMER_MODE_REL_PINNED_SOFT, "softirq");
}

static void in_tasklet(struct kunit *test)
{
	interrupt_has_a_stack_of_its_own(test, 0, "softirq");
}

static struct kunit_case cases[] = { KUNIT_CASE(caller_is_the_leaf),
				     KUNIT_CASE(one_row_per_stack),
				     KUNIT_CASE_SLOW(callers_are_told_apart),
				     KUNIT_CASE(frames_of_any_size),
				     KUNIT_CASE(in_hard_interrupt),
				     KUNIT_CASE(in_soft_interrupt),
				     KUNIT_CASE(in_tasklet),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite stack_suite = {
	.name = "quarry_stack",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(stack_suite);
