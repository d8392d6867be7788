// SPDX-License-Identifier: GPL-2.0
/*
 * The real time of an operation, and the throughput of two processors.  scripts/bench-native runs
 * these cases in User Mode Linux.
 *
 * The speed of the machine drifts while they run.  So the sides take turns, and medians are used.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include "measure.h"

#define REPEATS	    9
#define PAIRS	    500000 /* pairs per repeat */
#define ROUNDS	    100	   /* batches per repeat */
#define BATCH	    1024
#define OBJECT	    64 /* bytes */
#define WARM_UP_MS  30
#define MEASURED_MS 120

static const struct bench_side *const sides[] = { &bench_slub, &bench_inline, &bench_called };

#define SIDES ARRAY_SIZE(sides)

static int once_hot(const struct bench_side *side, void *cache, u64 *x100)
{
	s64 ticks = side->pair(cache, PAIRS);

	if (ticks < 0)
		return ticks;
	*x100 = bench_x100(ticks, PAIRS, bench_overhead.pair);
	return 0;
}

static int once_batch(const struct bench_side *side, void *cache, u64 *x100)
{
	u64 alloc, free, total = 0;
	unsigned int i;
	int err;

	for (i = 0; i < ROUNDS; i++) {
		err = bench_batch_once(side, cache, BATCH, &alloc, &free);
		if (err)
			return err;
		total += alloc + free;
	}
	*x100 = bench_x100(total, ROUNDS * BATCH, bench_overhead.fill + bench_overhead.drain);
	return 0;
}

static int once_ordered(const struct bench_side *side, void *cache, u64 *x100)
{
	bench_shuffle(BATCH, false);
	return once_batch(side, cache, x100);
}

static int once_shuffled(const struct bench_side *side, void *cache, u64 *x100)
{
	bench_shuffle(BATCH, true);
	return once_batch(side, cache, x100);
}

static int worker_thread(void *data)
{
	struct bench_worker *w = data;

	w->run(w);
	/* The struct and its counts are read until kthread_stop(). */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Free the objects that the workers left in the ring and in slots. */
static void free_left_over(const struct bench_side *side, void *cache, struct bench_control *ctl)
{
	unsigned int i;

	for (i = ctl->tail; i != ctl->head; i++)
		side->free(cache, ctl->ring[i % BENCH_RING]);
	for (i = 0; i < BENCH_SLOTS; i++) {
		if (ctl->slots[i])
			side->free(cache, ctl->slots[i]);
	}
}

static void start(struct bench_worker *w, unsigned int index)
{
	struct task_struct *task;

	w->index = index;
	w->seed = 88172645463325252ULL + index;
	task = kthread_create(worker_thread, w, "quarry_bench/%u", index);
	if (IS_ERR(task)) {
		w->err = PTR_ERR(task);
		return;
	}
	w->task = task;
	kthread_bind(task, index);
	wake_up_process(task);
}

static u64 pairs_done(const struct bench_worker *w)
{
	return READ_ONCE(w[0].pairs) + READ_ONCE(w[1].pairs);
}

/*
 * Two workers, one on each processor.  The time per object is the elapsed time divided by the
 * objects of both.
 */
static int once_workers(const struct bench_side *side, void *cache,
			void (*run)(struct bench_worker *w), u64 *x100)
{
	struct bench_worker w[2] = {};
	struct bench_control *ctl;
	unsigned int i;
	u64 pairs, ns;
	int err = 0;

	ctl = vzalloc(sizeof(*ctl));
	if (!ctl)
		return -ENOMEM;
	for (i = 0; i < 2; i++) {
		w[i].cache = cache;
		w[i].ctl = ctl;
		w[i].run = run;
		start(&w[i], i);
	}
	msleep(WARM_UP_MS);
	pairs = pairs_done(w);
	ns = ktime_get_ns();
	msleep(MEASURED_MS);
	pairs = pairs_done(w) - pairs;
	ns = ktime_get_ns() - ns;
	WRITE_ONCE(ctl->stop, true);
	for (i = 0; i < 2; i++) {
		if (w[i].task)
			kthread_stop(w[i].task);
		err = err ? err : w[i].err;
	}
	free_left_over(side, cache, ctl);
	vfree(ctl);
	*x100 = div64_u64(ns * 100, max_t(u64, pairs, 1));
	return err;
}

static int once_churn(const struct bench_side *side, void *cache, u64 *x100)
{
	return once_workers(side, cache, side->churn, x100);
}

static int once_pipe(const struct bench_side *side, void *cache, u64 *x100)
{
	return once_workers(side, cache, side->pipe, x100);
}

static int once_handover(const struct bench_side *side, void *cache, u64 *x100)
{
	return once_workers(side, cache, side->handover, x100);
}

static const struct native_case {
	const char *name;
	unsigned int batch, cpus;
	int (*once)(const struct bench_side *side, void *cache, u64 *x100);
} cases[] = {
	{ "hot", 1, 1, once_hot },
	{ "batch-ordered", BATCH, 1, once_ordered },
	{ "batch-shuffled", BATCH, 1, once_shuffled },
	{ "churn", 1, 2, once_churn },
	{ "pipe", 1, 2, once_pipe },
	{ "handover", 1, 2, once_handover },
};

static int run_case(const struct native_case *c, void **caches)
{
	u64 values[SIDES][REPEATS], untold;
	unsigned int r, s;
	int err;

	for (s = 0; s < SIDES; s++) {
		err = c->once(sides[s], caches[s], &untold);
		if (err)
			return err;
	}
	for (r = 0; r < REPEATS; r++) {
		for (s = 0; s < SIDES; s++) {
			err = c->once(sides[s], caches[s], &values[s][r]);
			if (err)
				return err;
		}
	}
	for (s = 0; s < SIDES; s++)
		bench_report(c->name, OBJECT, c->batch, sides[s]->name, values[s], REPEATS);
	return 0;
}

/*
 * In User Mode Linux with several processors, to turn interrupts off and on takes two system calls,
 * elsewhere two instructions.  An allocator that does so looks slow there, so results of
 * batches mean little.  This note in the results lets the reader see it.
 */
static void note_interrupts_off(void)
{
	unsigned long flags;
	unsigned int i;
	u64 ticks;

	ticks = bench_ticks();
	for (i = 0; i < PAIRS / 100; i++) {
		local_irq_save(flags);
		barrier();
		local_irq_restore(flags);
	}
	ticks = bench_x100(bench_ticks() - ticks, PAIRS / 100, bench_overhead.pair);
	bench_note("interrupts off and on: %llu.%02llu ns", ticks / 100, ticks % 100);
}

int bench_native(void)
{
	void *caches[SIDES] = {};
	unsigned int i;
	int err = 0;

	note_interrupts_off();

	for (i = 0; i < SIDES; i++) {
		caches[i] = sides[i]->create(OBJECT);
		if (!caches[i])
			err = -ENOMEM;
	}
	for (i = 0; !err && i < ARRAY_SIZE(cases); i++) {
		if (cases[i].cpus > num_online_cpus())
			bench_note("skipped %s: it needs %u processors", cases[i].name,
				   cases[i].cpus);
		else
			err = run_case(&cases[i], caches);
	}
	for (i = 0; i < SIDES; i++) {
		if (caches[i])
			sides[i]->destroy(caches[i]);
	}
	return err;
}
