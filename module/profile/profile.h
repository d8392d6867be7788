/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The profiler's table: what was sampled, by stack, cache and labels.
 *
 * The layers of the allocator decide what is sampled and find the sample again
 * when its object is freed; this one does the book-keeping.
 */
#ifndef QR_PROFILE_H
#define QR_PROFILE_H

#include <linux/gfp.h>
#include <linux/types.h>
#include <quarry/profile.h>

struct qr_bucket;

/* @size bytes each, times a weight, see qr_weight(). */
static inline u64 qr_weighted(u64 weight, u32 size)
{
	return ((qr_u128)weight * size + (1U << QR_OBJECTS_SHIFT) / 2) >> QR_OBJECTS_SHIFT;
}

/**
 * struct qr_sample - what is known of one sampled object
 * @bucket: the row that it counts in; NULL: the object is not sampled, or free
 * @weight: objects that it stands for, see qr_weight()
 * @time: when it was allocated, ns of the monotonic clock
 * @asked: bytes that were asked for
 * @cpu: where
 *
 * All of it under the profiler's lock.
 */
struct qr_sample {
	struct qr_bucket *bucket;
	u64 weight;
	u64 time;
	u32 asked;
	u32 cpu;
};

/**
 * struct qr_samples - a slab's worth of them
 * @at: by index of the object; NULL if none can be sampled
 * @nr: how many; a dangling pointer may ask for one that is not there
 *
 * Both change together, under the profiler's lock: slabs are found by dangling
 * pointers, too.
 */
struct qr_samples {
	struct qr_sample *at;
	unsigned int nr;
};

/**
 * struct qr_sampled - an object that was drawn
 * @ptr: where it is
 * @cache: its cache's number
 * @name: its cache's name
 * @node: where its memory is
 * @size: bytes it was given
 * @asked: bytes that were asked for
 * @weight: objects that it stands for, see qr_weight()
 * @ip: where Quarry was called from
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
};

/*
 * An object was allocated that has been drawn; @s is its sample's place.  In
 * the caller's context, no lock held; @gfp as the caller's.
 */
void qr_profile_alloced(struct qr_sample *s, const struct qr_sampled *what, gfp_t gfp);

/*
 * The object was freed that @samples->at[@i] is about, if it was sampled at all.  A
 * dangling pointer does no harm.  False in an NMI that would have to wait.
 * Interrupts off.
 */
bool qr_profile_freed(struct qr_samples *samples, unsigned int i, const void *ptr, u32 size);

/*
 * The object that @samples->at[@i] is about, if it was sampled at all, goes from who
 * allocated it to the caller of @what->ip: a free and an allocation of the same
 * weight and size asked for, both of which are set in @what.  Not in NMI.
 */
void qr_profile_handed_on(struct qr_samples *samples, unsigned int i, struct qr_sampled *what,
			  gfp_t gfp);

/* One that was drawn could not be recorded. */
void qr_profile_dropped(u64 weight, u32 size);

/* Room for @n samples; from the profiler's budget. */
bool qr_samples_init(struct qr_samples *samples, unsigned int n, gfp_t gfp);
/* Whoever looks there from now on finds none. */
void qr_samples_exit(struct qr_samples *samples);

/**
 * struct qr_live_sample - a sampled object that is live
 * @site: its row's number
 * @weight: see &struct qr_sample
 * @time: likewise
 * @asked: likewise
 * @cpu: likewise
 */
struct qr_live_sample {
	u32 site;
	u64 weight;
	u64 time;
	u32 asked;
	u32 cpu;
};

/*
 * Copy @samples, up to @n, to @out: rows without a site (U32_MAX) are not sampled.
 * They may vanish meanwhile.  Returns how many were copied.
 */
unsigned int qr_samples_read(const struct qr_samples *samples, unsigned int n,
			     struct qr_live_sample *out);

/* For `stats`. */
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

/* The age class of so many nanoseconds. */
unsigned int qr_age(u64 ns);

#endif /* QR_PROFILE_H */
