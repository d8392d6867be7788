// SPDX-License-Identifier: GPL-2.0
/*
 * Sampling, interrupted after every instruction.  (In long functions only after some of
 * the instructions, which are different ones in each run.)  Each instruction of a
 * function gets a kprobe, one after the other.  Its handler queues an irq_work, so an
 * interrupt comes when the instruction has been executed.  The interrupt allocates
 * and frees objects of the cache that the interrupted code uses.  (The handler itself
 * cannot do that: it runs as if in an NMI, where nothing is sampled.)
 */
#include "tests/probe_util.h"
#include "tests/profile_util.h"

#include <linux/irq_work.h>
#include <linux/ptrace.h>
#include <linux/stacktrace.h>

#define HELD  8
#define SIZE  64
#define SET   8
#define SHORT 1200 /* bytes */

struct nest {
	struct qt_probes probes;
	const void *at; /* address of the probe whose handler acts */
	struct irq_work work;
	struct task_struct *task;
	struct quarry_cache *cache;
	struct qt_shadow shadow;
	const char *ops;	/* what the interrupt does: allocate, free, large; NULL: nothing */
	unsigned long from, to; /* bounds of the function */
	unsigned int turn;
	unsigned int asked;
	unsigned int inside;
	unsigned int missed;
	u64 larges;
	u64 samples; /* samples before the run */
	void *held[HELD];
	unsigned int nr_held;
};

static void keep(struct nest *n)
{
	void *p = qt_got(&n->shadow, quarry_cache_alloc(n->cache, GFP_ATOMIC));

	if (p)
		n->held[n->nr_held++] = p;
	else
		n->missed++;
}

static void give(struct nest *n)
{
	quarry_cache_free(n->cache, qt_put(&n->shadow, n->held[--n->nr_held]));
}

static void one_large(struct nest *n)
{
	void *p = quarry_malloc(33000, GFP_ATOMIC);

	n->missed += !p;
	n->larges++;
	quarry_free(p);
}

/* Was the probed function interrupted?  It is then the first frame of the task. */
static bool came_between(struct nest *n)
{
	unsigned long entries[32];
	unsigned int nr = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	unsigned int first = filter_irq_stacks(entries, nr);

	return first < nr && entries[first] >= n->from && entries[first] < n->to;
}

static void nest_work(struct irq_work *work)
{
	struct nest *n = container_of(work, struct nest, work);
	const char *op = n->ops;

	if (!op)
		return;
	/* Only once per operation: a loop must not use up the held objects. */
	n->ops = NULL;
	n->inside += came_between(n);
	for (; *op; op++) {
		if (*op == 'a')
			keep(n);
		else if (*op == 'f')
			give(n);
		else
			one_large(n);
	}
}

static struct nest *nest_now;

static int nest_handler(struct kprobe *kp, struct pt_regs *regs)
{
	struct nest *n = nest_now;

	if (kp->addr == n->at && READ_ONCE(n->ops) && current == n->task && qt_irqs_were_on(regs)) {
		n->asked++;
		irq_work_queue(&n->work);
	}
	return 0;
}

/* --- What is interrupted --- */

static noinline void *probed_alloc(struct quarry_cache *cache)
{
	void *p = quarry_cache_alloc(cache, GFP_ATOMIC);

	OPTIMIZER_HIDE_VAR(p); /* no tail call */
	return p;
}

static noinline void probed_free(struct quarry_cache *cache, void *p)
{
	quarry_cache_free(cache, p);
	barrier();
}

static void one(struct nest *n)
{
	void *p = qt_got(&n->shadow, probed_alloc(n->cache));

	n->missed += !p;
	probed_free(n->cache, qt_put(&n->shadow, p));
}

static void one_set(struct nest *n)
{
	void *objs[SET];
	unsigned int i;

	if (quarry_cache_alloc_bulk(n->cache, GFP_ATOMIC, SET, objs) != SET) {
		n->missed++;
		return;
	}
	for (i = 0; i < SET; i++)
		qt_put(&n->shadow, qt_got(&n->shadow, objs[i]));
	quarry_cache_free_bulk(n->cache, SET, objs);
}

typedef void (*op_fn)(struct nest *n);

/* Two callers that alternate, so that no stack is found in a memo from the last time. */
static noinline void call_one_way(struct nest *n, op_fn op)
{
	op(n);
	barrier();
}

static noinline void call_another_way(struct nest *n, op_fn op)
{
	int not_the_same_function = 1;

	OPTIMIZER_HIDE_VAR(not_the_same_function);
	op(n);
	barrier();
}

/* --- Where --- */

/* The address of a function of Quarry, or of the variant that the compiler made of it. */
static unsigned long find_function(struct kunit *test, const char *name)
{
	static const char *const suffixes[] = { "", ".constprop.0", ".isra.0" };
	unsigned long found = 0;
	char symbol[64];
	unsigned int i;

	for (i = 0; !found && i < ARRAY_SIZE(suffixes); i++) {
		struct kprobe kp = { .symbol_name = symbol };

		snprintf(symbol, sizeof(symbol), "quarry:%s%s", name, suffixes[i]);
		if (!register_kprobe(&kp)) {
			found = (unsigned long)kp.addr;
			unregister_kprobe(&kp);
		}
	}
	KUNIT_ASSERT_NE_MSG(test, 0, found, "there is no function %s", name);
	return found;
}

/* The counters, the profile and the shadow agree.  @all: all objects have been sampled. */
static void expect_balance(struct kunit *test, struct nest *n, bool all, const char *ops)
{
	struct quarry_cache_stats st = qt_sum(n->cache);
	struct qr_profile_counts c = qp_counts();
	unsigned long off = (unsigned long)n->at - n->from;

	KUNIT_ASSERT_EQ_MSG(test, 0, atomic64_read(&n->shadow.errors), "+0x%lx, %s", off, ops);
	KUNIT_ASSERT_EQ_MSG(test, atomic64_read(&n->shadow.allocs), st.mallocs, "+0x%lx, %s", off,
			    ops);
	KUNIT_ASSERT_EQ_MSG(test, n->nr_held, st.live_objects, "+0x%lx, %s", off, ops);
	if (all) {
		KUNIT_ASSERT_EQ_MSG(test, n->nr_held, c.live_samples, "+0x%lx, %s", off, ops);
		KUNIT_ASSERT_EQ_MSG(test, st.mallocs + n->larges, c.samples - n->samples,
				    "+0x%lx, %s", off, ops);
	} else {
		KUNIT_ASSERT_LE_MSG(test, c.live_samples, n->nr_held, "+0x%lx, %s", off, ops);
		KUNIT_ASSERT_LE_MSG(test, c.samples - n->samples, st.mallocs + n->larges,
				    "+0x%lx, %s", off, ops);
	}
}

static void nest_at(struct kunit *test, struct nest *n, op_fn op, bool all)
{
	static const char *const ops[] = { "a", "f", "afl", "aaf" };
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(ops); k++) {
		unsigned int asked = n->asked;

		while (n->nr_held > HELD / 2)
			give(n);
		while (n->nr_held < HELD / 2)
			keep(n);
		WRITE_ONCE(n->ops, ops[k]);
		if (n->turn++ % 2)
			call_one_way(n, op);
		else
			call_another_way(n, op);
		irq_work_sync(&n->work);
		WRITE_ONCE(n->ops, NULL);
		expect_balance(test, n, all, ops[k]);
		/* The operation does not execute this instruction. */
		if (n->asked == asked)
			break;
	}
}

static void drop_all(void *arg)
{
	struct nest *n = arg;

	irq_work_sync(&n->work);
	while (n->nr_held)
		give(n);
}

static void nest_run(struct kunit *test, unsigned long fn, op_fn op, u32 rate)
{
	struct nest *n = qt_array(test, 1, sizeof(*n));
	unsigned int probed = 0, every, i;
	unsigned long at;

	qt_skip_on_rt(test);
	qt_pin(test, 0);
	n->cache = qt_cache(test, SIZE, NULL);
	n->task = current;
	qt_shadow_init(&n->shadow);
	init_irq_work(&n->work, nest_work);
	qt_function_ends(test, fn, &n->from, &n->to);
	every = DIV_ROUND_UP(n->to - n->from, SHORT);
	qp_rate(test, rate);
	n->samples = qp_counts().samples;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop_all, n));

	nest_now = n;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qt_unprobe, &n->probes));
	for (at = n->from; at < n->to; qt_unprobe(&n->probes)) {
		at = qt_probe(&n->probes, at, n->to, every, nest_handler);
		for (i = 0; i < n->probes.nr; i++) {
			n->at = n->probes.there[i]->addr;
			nest_at(test, n, op, rate == 1);
			cond_resched();
		}
		probed += n->probes.nr;
	}
	qp_expect_all_found(test);
	qt_exit(test);
	kunit_info(test, "%u instructions in %lu bytes, %u interrupts, %u between two of them\n",
		   probed, n->to - n->from, n->asked, n->inside);
	KUNIT_EXPECT_EQ(test, 0, n->missed);
	KUNIT_EXPECT_GT(test, probed, 5);
	KUNIT_EXPECT_GT(test, n->inside, n->asked / 2);
	drop_all(n);
	KUNIT_EXPECT_EQ(test, 0, qp_counts().live_samples);
}

static void into_alloc(struct kunit *test)
{
	nest_run(test, (unsigned long)probed_alloc, one, 1);
}

static void into_alloc_now_and_then(struct kunit *test)
{
	nest_run(test, (unsigned long)probed_alloc, one, 3 * SIZE);
}

static void into_free(struct kunit *test)
{
	nest_run(test, (unsigned long)probed_free, one, 1);
}

static void into_free_now_and_then(struct kunit *test)
{
	nest_run(test, (unsigned long)probed_free, one, 3 * SIZE);
}

static void into_sampling(struct kunit *test)
{
	nest_run(test, find_function(test, "qr_alloc_sampled"), one, 1);
}

static void into_recording(struct kunit *test)
{
	nest_run(test, find_function(test, "qr_profile_alloced"), one, 1);
}

static void into_stack_save(struct kunit *test)
{
	nest_run(test, find_function(test, "qr_stack_save"), one, 1);
}

static void into_alloc_bulk(struct kunit *test)
{
	nest_run(test, find_function(test, "quarry_cache_alloc_bulk"), one_set, 3 * SIZE);
}

static void into_large(struct kunit *test)
{
	nest_run(test, find_function(test, "qr_large_alloc"), one_large, 1);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(into_alloc),
				     KUNIT_CASE_SLOW(into_alloc_now_and_then),
				     KUNIT_CASE_SLOW(into_free),
				     KUNIT_CASE_SLOW(into_free_now_and_then),
				     KUNIT_CASE_SLOW(into_sampling),
				     KUNIT_CASE_SLOW(into_recording),
				     KUNIT_CASE_SLOW(into_stack_save),
				     KUNIT_CASE_SLOW(into_alloc_bulk),
				     KUNIT_CASE_SLOW(into_large),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite nested_suite = {
	.name = "quarry_profile_nested",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(nested_suite);
