/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap profiler: samples of allocations, counted by call stack, cache and labels.
 *
 * The layers above decide when to draw a sample, keep a struct qr_sample beside the
 * object, and find it again when the object is freed.  This layer offers
 *
 *	draw.h			which allocations are sampled, and their weights
 *	stack.h, label.h	the call stack and the labels of an allocation
 *	label_scope.h		the labels that clients have set for tasks
 *	bucket.h		tables: one row per site, copied by observers
 *	largest.h		copies that have only the largest rows
 *	kept_profile.h		such copies, kept for long
 *	profile.h		the samples, and what changes when they come and go
 *	profile_memory.h	the profiler's memory, with a bound
 *	unloaded.h		functions and modules of stacks through unloaded modules
 *	mapping.h		where a module's code is, and its build id
 *
 * It uses core/ only.  The lock of a table (raw, interrupts off) protects its rows and
 * its samples.  The lock of label sets (raw) is inside of it or alone; the locks of label
 * scopes (raw) are taken alone; the mutex of copies is outside of it; the mutex of names is
 * inside of the mutex of the list of tables.
 *
 * Allocations and frees are recorded in process, softirq and hardirq context, and
 * memory is asked for as the caller's gfp allows.  In NMI nothing is sampled, and a
 * free only tries the lock.  Functions that sleep say so.
 */
#ifndef QR_PROFILE_H
#define QR_PROFILE_H

#include <linux/gfp.h>
#include <linux/types.h>
#include <quarry/profile.h>

struct qr_bucket;
struct qr_table;

/* The bytes that a sample of @size bytes stands for; @weight as of qr_weight(). */
static inline u64 qr_weighted(u64 weight, u32 size)
{
	return ((qr_u128)weight * size + (1U << QR_OBJECTS_SHIFT) / 2) >> QR_OBJECTS_SHIFT;
}

/**
 * struct qr_sample - what is known of one sampled object
 * @bucket: the row that it is counted in; NULL if the object is free or not sampled
 * @weight: objects that it stands for, see qr_weight()
 * @allocated: of an object that is free: the stack that had allocated it; 0 if it was not sampled
 * @freed: of an object that is free: the stack that freed it; 0 if it is not known
 * @time: when it was allocated or, if it is free, freed; ns of the monotonic clock
 * @asked: bytes that were asked for
 * @cpu: the CPU that allocated it
 *
 * Protected by the lock of its table.
 */
struct qr_sample {
	struct qr_bucket *bucket;
	union {
		u64 weight;
		struct {
			u32 allocated;
			u32 freed;
		};
	};
	u64 time;
	u32 asked;
	u32 cpu;
};

/**
 * struct qr_samples - the samples of one slab
 * @at: array by index of the object; NULL if no object of the slab can be sampled
 * @nr: length of @at; a dangling pointer may lead to an index beyond it
 *
 * Both change together under the lock of qr_own_table, because a dangling pointer may lead to a
 * slab at any time.
 */
struct qr_samples {
	struct qr_sample *at;
	unsigned int nr;
};

/**
 * struct qr_sampled - an object that was drawn
 * @ptr: its address
 * @cache: its cache's number
 * @name: its cache's name
 * @node: the node of its memory
 * @size: bytes it was given
 * @asked: bytes that were asked for
 * @weight: objects that it stands for, see qr_weight()
 * @ip: the return address into Quarry's caller
 * @cgroup: number of the task's cgroup, or 0: then it is no label.  Of an object of Quarry's it is
 *	not used
 */
struct qr_sampled {
	const void *ptr;
	u32 cache;
	const char *name;
	int node;
	u32 size;
	u32 asked;
	u64 weight;
	unsigned long ip;
	u64 cgroup;
};

/*
 * A drawn object was allocated: fill in its sample @s and count it.  Runs in the
 * context of the allocation with no lock held; @gfp is that of the allocation.
 */
void qr_profile_alloced(struct qr_sample *s, const struct qr_sampled *what, gfp_t gfp);

/*
 * The object with index @i was freed: if it was sampled, count that.  An index from a
 * dangling pointer does no harm.  Returns false in an NMI that finds the lock held;
 * then nothing has changed.  Interrupts off.
 */
bool qr_profile_freed(struct qr_samples *samples, unsigned int i, const void *ptr, u32 size);

/*
 * The object with index @i gets a new owner: the code that called Quarry at @what->ip.
 * If it was sampled, this counts as a free and an allocation with the same weight and
 * bytes asked for; this function sets both in @what.  Not in NMI.
 */
void qr_profile_handed_on(struct qr_samples *samples, unsigned int i, struct qr_sampled *what,
			  gfp_t gfp);

/* An object was drawn but could not be recorded: count it as dropped. */
void qr_profile_dropped(u64 weight, u32 size);

/*
 * The same three for the heap of table @t, which has memory for all of its rows
 * (qr_table_init()).  They are called by probes of the kernel's allocators: interrupts are off,
 * and no memory is asked for, except that the stack depot may ask for pages as @gfp allows.  On
 * PREEMPT_RT a work item asks for them (stack_later.h).  Not in NMI, but for the free.
 *
 * qr_table_stack() saves the stack of an allocation that is under way.  It begins with the return
 * address @ip, or, if that is 0, with the caller of @function.  0 if it cannot be saved.
 */
u32 qr_table_stack(struct qr_table *t, unsigned long ip, unsigned long function, gfp_t gfp);
void qr_table_alloced(struct qr_table *t, struct qr_sample *s, const struct qr_sampled *what,
		      u32 stack);
/* Without @wait, false in an NMI that finds the lock held; then nothing has changed. */
bool qr_table_freed(struct qr_table *t, struct qr_sample *s, const void *ptr, u32 size, bool wait);
void qr_table_dropped(struct qr_table *t, u64 weight, u32 size);

/* Get room for @n samples from the profiler's memory.  False without memory. */
bool qr_samples_init(struct qr_samples *samples, unsigned int n, gfp_t gfp);
/* Free the room.  Later lookups find no samples. */
void qr_samples_exit(struct qr_samples *samples);

/**
 * struct qr_live_sample - a copy of the sample of a live object
 * @site: its row's number; U32_MAX if the object is not sampled
 * @weight: as in &struct qr_sample
 * @time: as in &struct qr_sample
 * @asked: as in &struct qr_sample
 * @cpu: as in &struct qr_sample
 */
struct qr_live_sample {
	u32 site;
	u64 weight;
	u64 time;
	u32 asked;
	u32 cpu;
};

/*
 * Copy the first @n of @samples to @out.  The slab may lose its samples at any time.
 * Returns how many were copied.
 */
unsigned int qr_samples_read(const struct qr_samples *samples, unsigned int n,
			     struct qr_live_sample *out);

/**
 * struct qr_origin - where a sampled object came from
 * @allocated: the stack that allocated it last, for qr_stack_frames()
 * @freed: if it is free, the stack that freed it; 0 if it is not known
 * @time: when it was allocated or, if it is free, freed; ns of the monotonic clock
 * @is_free: it is free
 */
struct qr_origin {
	u32 allocated;
	u32 freed;
	u64 time;
	bool is_free;
};

/*
 * Set *@origin to that of the object with index @i.  False if it was not sampled, or if the lock is
 * held and the caller does not @wait for it, or is an NMI.  Any context.
 */
bool qr_sample_origin(const struct qr_samples *samples, unsigned int i, struct qr_origin *origin,
		      bool wait);

/* The sampled object with index @i was freed by @stack.  Any context but NMI. */
void qr_sample_freed_by(struct qr_samples *samples, unsigned int i, u32 stack);

/* The profiler's numbers in struct quarry_stats. */
struct qr_profile_counts {
	u64 samples;
	u64 live_samples;
	u64 dropped_samples;
	u64 dropped_space;
	u64 other_samples;
	u64 live_space;
	u64 sites;
	u64 site_limit;
};

void qr_profile_counts(struct qr_profile_counts *c);
void qr_table_counts(struct qr_table *t, struct qr_profile_counts *c);

/* qr_profile_reset() for any table.  Sleeps. */
void qr_table_reset(struct qr_table *t);

/* The age class of @ns nanoseconds; qr_age_name() names it. */
unsigned int qr_age(u64 ns);

#endif /* QR_PROFILE_H */
