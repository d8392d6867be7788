/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Types and functions that all parts of the benchmark use.
 *
 * Three sides run the same cases: "slub", "inline" (Quarry as quarry.h is by default) and "called"
 * (Quarry with QUARRY_CALLED).  pairs.h and workers.h are compiled once for each side, so that
 * every allocator runs in the same loops, with its own calls inlined there.
 *
 * All results are times in units of 10 ps: names with x100 are 100 times the nanoseconds.  Under
 * QEMU's -icount shift=0 a nanosecond is one guest instruction.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/timekeeping.h>
#include <linux/types.h>

#define BENCH_REPEATS	 15
#define BENCH_MAX_BATCH	 16384
#define BENCH_CHURN_SIZE 256 /* bytes, in the cases that measure the profiler */

/* GCC treats functions that only a table or init code refers to as cold; these are hot. */
#define bench_timed __attribute__((__hot__))

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
#include <asm/msr.h>
#include <asm/tsc.h>

static __always_inline u64 bench_ticks(void)
{
	u64 t;

	barrier();
	t = rdtsc();
	barrier();
	return t;
}
#else
static __always_inline u64 bench_ticks(void)
{
	return ktime_get_ns();
}
#endif

/*
 * Ticks for @n pairs of an allocation and a free, or -ENOMEM.  The loop checks for NULL, as a
 * client does.
 */
/* clang-format off */
#define BENCH_LOOP(n, alloc, release)				\
({								\
	u64 start = bench_ticks();				\
	unsigned int left = (n);				\
	void *p;						\
								\
	do {							\
		p = alloc;					\
		OPTIMIZER_HIDE_VAR(p);				\
		if (unlikely(!p))				\
			break;					\
		release;					\
		barrier();					\
	} while (--left);					\
	left ? -ENOMEM : (s64)(bench_ticks() - start);		\
})
/* clang-format on */

/**
 * struct bench_worker - one thread of a case with two processors
 * @cache: the cache, the same for both workers
 * @ctl: state that both workers share
 * @index: 0 or 1; also the CPU that the worker runs on
 * @seed: state of the worker's random numbers
 * @run: the side's loop
 * @task: the thread
 * @err: why the worker ended early, or 0
 * @pairs: objects allocated and freed so far.  It has a cache line of its own because the
 *	controlling thread reads it while the case runs
 */
struct bench_worker {
	void *cache;
	struct bench_control *ctl;
	unsigned int index;
	u64 seed;
	void (*run)(struct bench_worker *w);
	struct task_struct *task;
	int err;
	u64 pairs ____cacheline_aligned_in_smp;
};

/*
 * Slots of the ring between producer and consumer.  A processor of the guest is a thread of the
 * host and may not run for a while; the ring is long enough for the other one to go on then.
 */
#define BENCH_RING    16384
#define BENCH_PUBLISH 16   /* objects handed over at a time */
#define BENCH_SLOTS   4096 /* slots that both workers of "handover" share */
#define BENCH_CHURN   256  /* objects that a worker of "churn" holds */

/**
 * struct bench_control - state that the workers of a case share
 * @stop: tells the workers to end
 * @head: ring slots filled so far; written by the producer
 * @tail: ring slots emptied so far; written by the consumer
 * @ring: objects that go from the producer to the consumer
 * @slots: objects that either worker may free
 */
struct bench_control {
	bool stop;
	unsigned int head ____cacheline_aligned_in_smp;
	unsigned int tail ____cacheline_aligned_in_smp;
	void *ring[BENCH_RING] ____cacheline_aligned_in_smp;
	void *slots[BENCH_SLOTS];
};

/**
 * struct bench_side - an allocator, as one side of the comparison
 * @name: name in the results
 * @create: make a cache of objects of @size bytes
 * @destroy: destroy a cache
 * @free: free one object, without timing
 * @pair: @n times allocate and free
 * @zeroed: the same with __GFP_ZERO
 * @atomic: the same with GFP_ATOMIC, for callers with interrupts off
 * @replace: @n times free the object in a random slot of @slots, put a new object of
 *	BENCH_CHURN_SIZE bytes there and fill it, also with interrupts off.  The number of
 *	slots is @mask + 1, a power of two.  All slots have objects, except after -ENOMEM
 * @fill: allocate @n objects into @objs
 * @drain: free @n objects
 * @malloc_const: @n times allocate 64 bytes, a constant, and free by pointer
 * @malloc_var: the same with a size that the compiler does not know
 * @free_null: @n times free NULL
 * @malloc_drain: free @n objects by pointer
 * @bulk: @n times allocate and free @bulk objects at once; may be NULL
 * @rcu_fill: allocate @n objects of 64 bytes for @rcu_drain; returns 0 or -ENOMEM
 * @rcu_drain: free @n of them after a grace period
 * @churn: worker that replaces its own objects at random
 * @pipe: worker 0 allocates, worker 1 frees
 * @handover: worker that replaces objects of both workers at random
 *
 * Functions with @n return ticks, unless it says otherwise.  On failure they return -ENOMEM with
 * nothing left allocated, except @fill, which stores NULL.
 */
struct bench_side {
	const char *name;
	void *(*create)(unsigned int size);
	void (*destroy)(void *cache);
	void (*free)(void *cache, void *obj);
	s64 (*pair)(void *cache, unsigned int n);
	s64 (*zeroed)(void *cache, unsigned int n);
	s64 (*atomic)(void *cache, unsigned int n);
	s64 (*replace)(void *cache, void **slots, unsigned int mask, u64 *seed, unsigned int n);
	s64 (*fill)(void *cache, void **objs, unsigned int n);
	s64 (*drain)(void *cache, void **objs, unsigned int n);
	s64 (*malloc_const)(unsigned int n);
	s64 (*malloc_var)(size_t size, unsigned int n);
	s64 (*free_null)(unsigned int n);
	s64 (*malloc_drain)(void **objs, unsigned int n);
	s64 (*bulk)(void *cache, void **objs, unsigned int bulk, unsigned int n);
	s64 (*rcu_fill)(void **objs, unsigned int n);
	s64 (*rcu_drain)(void **objs, unsigned int n);
	void (*churn)(struct bench_worker *w);
	void (*pipe)(struct bench_worker *w);
	void (*handover)(struct bench_worker *w);
};

extern const struct bench_side bench_slub, bench_inline, bench_called, bench_shimmed;

/**
 * struct bench_overhead - what the timed loops cost without an allocator
 * @clock: ticks between two readings of the clock
 * @pair: 100 times the ticks of one turn of a pair's loop
 * @fill: the same for the loop that fills
 * @drain: the same for the loop that drains
 */
struct bench_overhead {
	u64 clock;
	u64 pair;
	u64 fill;
	u64 drain;
};

extern struct bench_overhead bench_overhead;
extern void **bench_objs, **bench_order;

int bench_buffers_alloc(void);
void bench_buffers_free(void);
void bench_calibrate(void);
void bench_shuffle(unsigned int n, bool shuffled);
void bench_permute(unsigned int n);
u64 bench_x100(u64 ticks, u64 ops, u64 overhead);
void bench_report(const char *name, unsigned int size, unsigned int batch, const char *side,
		  u64 *values, unsigned int n);
void bench_line(const char *fmt, ...) __printf(1, 2);
void bench_note(const char *fmt, ...) __printf(1, 2);

/* Allocate @n objects and free them in the order of bench_shuffle().  Returns 0 or -ENOMEM. */
int bench_batch_once(const struct bench_side *side, void *cache, unsigned int n, u64 *alloc,
		     u64 *free);

extern const void *const bench_golden_paths[];

int bench_hot(void);
int bench_batch(void);
int bench_malloc(void);
int bench_shim(void);
int bench_bulk(void);
int bench_zeroed(void);
int bench_rcu(void);
int bench_pool(void);
int bench_native(void);
int bench_search(void);
int bench_arena(void);
int bench_rate_hot(const struct bench_side *side);
int bench_rate_churn(const struct bench_side *side);
int bench_rate_bare(const struct bench_side *side);
int bench_page(const struct bench_side *side);
int bench_rate_stacks(const struct bench_side *side);

struct dentry;

int bench_strings_init(struct dentry *dir);
void bench_strings_exit(void);
int bench_hold(const struct bench_side *side);
int bench_drop(const struct bench_side *side);

#endif /* BENCH_MEASURE_H */
