/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A slab is a run of pages cut into equal objects.  A map outside of the objects says which of
 * them are free.  Nothing is ever written into a free object, except the poison that a client
 * asked for.
 *
 * This is the main header of the layer slab/, which makes objects out of pages:
 *
 *	geometry.h	how objects of a size are laid out in a slab
 *	sizeclass.h	the size classes of quarry_malloc()
 *	slab.h		slabs, and the descriptors that large objects and arenas use too
 *	misuse.h	reports of what clients did wrong
 *	guard.h		red zones and poison
 *	large.h		objects over 32 KiB
 *	mapped.h	large objects whose pages are not a run
 *
 * slab/ uses profile/, pages/ and core/.  It knows nothing of magazines, depots and caches: for it
 * struct qr_depot and struct qr_cache are names only.
 *
 * Locks: the lock of a slab's depot guards the slab's state, and the callers hold it.  The layer
 * itself has qr_cleanups_lock (below) and retired_lock (mapped.c), both raw spinlocks.
 *
 * Contexts: any but NMI.  In NMI, an address can be looked up, and a caller that got the depot's
 * lock by trying can take and give objects.  Functions with gfp flags are called with no lock
 * held and sleep if the flags allow it.  Mapped objects are made and unmapped only where sleep
 * is allowed.
 */
#ifndef QR_SLAB_H
#define QR_SLAB_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/llist.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include "pages/page_heap.h"
#include "profile/profile.h"
#include "slab/geometry.h"
#include "slab/guard.h"

/* A depot sorts its slabs into this many bins by the share of their objects that are free. */
#define QR_SLAB_BINS 8

/* The most objects in a slab of sampled objects, each of which has a &struct qr_sample. */
#define QR_SAMPLED_OBJECTS 128

/* qr_slab.bin of a large object.  The free that changes LIVE to FREED is the valid one. */
#define QR_LARGE_LIVE  (UINT_MAX - 1)
#define QR_LARGE_FREED (UINT_MAX - 2)
/* qr_slab.bin of an arena's block, which no client may free. */
#define QR_ARENA_BLOCK (UINT_MAX - 3)

struct qr_cache;
struct qr_depot;

/**
 * struct qr_cleanup - a function that runs when an object is freed
 * @next: the cleanup of the same object that was added before this one
 * @fn: the function
 * @arg: its second argument
 */
struct qr_cleanup {
	struct qr_cleanup *next;
	quarry_cleanup_fn fn;
	void *arg;
};

/* Stands for an object's list of cleanups while they run. */
#define QR_CLEANUPS_RUN ((struct qr_cleanup *)1UL)

/*
 * Guards the cleanups of all objects.  Taken with interrupts off, alone or inside a depot's lock;
 * no lock is taken inside of it.
 */
extern raw_spinlock_t qr_cleanups_lock;
/* The last value that a qr_slab.cleanups_mark was set to.  Under the lock. */
extern u32 qr_cleanups_mark;

/**
 * struct qr_slab - one slab, one large object, or one block of an arena
 * @link: in one of the depot's lists (depot lock), or in the arena's list of blocks
 * @depot: the depot that has the slab; NULL for a large object, and before a depot has it
 * @cache: the cache of the slab's objects; NULL in the same cases
 * @base: address of the first object
 * @stride: bytes from one object to the next
 * @inverse: 2^32 / @stride, rounded up; 0 once pages have left, see qr_slab_trim()
 * @nr_objects: number of objects, without those that left
 * @nr_free: number of free objects in @free; depot lock
 * @mark: when a free raises @nr_free to this, the depot moves the slab to another list;
 *	depot lock
 * @bin: which of the depot's lists the slab is in; depot lock
 * @nr_cut: number of objects that the slab was cut into: @nr_objects and those that left
 * @gone: a bit for each page of @run that has left; depot lock and qr_cleanups_lock
 * @class: size class of the objects, or 0 for a client's cache or outside an ordinary chunk
 * @nr_cleaned: number of objects that have cleanups; qr_cleanups_lock
 * @cleanups: for each object the list of its cleanups, the last added first; NULL if no object
 *	ever had one.  qr_cleanups_lock
 * @run: the slab's pages.  Of a mapped object: where its first page is, and how many pages
 * @pages: all pages of a mapped object, see slab/mapped.h; NULL for all others
 * @samples: memory for a sample of each object, or of the large object, if they can be sampled
 * @guard: the cache's guard, or NULL if its objects are not watched
 * @words: number of 64-bit words in each of the two maps; constant for a descriptor's life
 * @cleanups_mark: a new value whenever a cleanup leaves a list, so that a search can tell; 0: the
 *	slab has never had cleanups.  qr_cleanups_lock
 * @apart: because of the slab, frees to caches are slow in its whole chunk, see qr_slab_create();
 *	qr_cleanups_lock
 * @typesafe: the slab keeps its pages for a grace period after its last object was freed
 * @deferred_round: private to cache/deferred.c
 * @nr_deferred: number of deferred objects, whose bits are set in the map of qr_slab_cached();
 *	see cache/deferred.h
 * @deferred: the slab is in the list of cache/deferred.c, which alone uses this
 * @deferred_link: the slab's place in that list
 * @rcu: for a @typesafe slab that is being given back
 * @start: of an arena's block: bytes that were allocated in the arena before this block
 * @length: of an arena's block that holds one object: the object's bytes; 0 for other blocks
 * @free: bit set for each free object that is in no magazine or batch; depot lock.  A bit that
 *	stands for no object is set, so that a pointer to its place looks free already.  The bit
 *	of an object that left is clear, so that it is not taken.  The map of qr_slab_cached()
 *	follows
 */
struct qr_slab {
	struct list_head link;
	struct qr_depot *depot;
	struct qr_cache *cache;
	void *base;
	u32 stride;
	u32 inverse;
	u32 nr_objects;
	u32 nr_free;
	u32 mark;
	u32 bin;
	u32 nr_cut;
	u32 gone;
	u32 class;
	u32 nr_cleaned;
	u32 words;
	u32 cleanups_mark;
	struct qr_cleanup **cleanups;
	struct qr_run run;
	struct page **pages;
	struct qr_samples samples;
	const struct qr_guard *guard;
	bool apart;
	bool typesafe;
	u32 deferred_round;
	atomic_t nr_deferred;
	union {
		struct {
			unsigned long deferred;
			struct llist_node deferred_link;
		};
		struct rcu_head rcu;
		struct {
			u64 start;
			u64 length;
		};
	};
	u64 free[];
};

/*
 * The second map.  A set bit marks a deferred object.  In a slab without deferred objects the
 * walker uses it to mark the objects that it found in magazines and depots (view/validate.c).
 */
static inline u64 *qr_slab_cached(struct qr_slab *slab)
{
	return slab->free + slab->words;
}

/* Size of a large object in bytes: whole pages. */
static inline size_t qr_slab_bytes(const struct qr_slab *slab)
{
	return (size_t)slab->run.nr << PAGE_SHIFT;
}

/* The slow ways of the two functions below, for slabs that pages have left.  See slab.c. */
int qr_slab_index_exact(const struct qr_slab *slab, const void *p);
bool qr_slab_give_exact(struct qr_slab *slab, const void *p);

/*
 * The number of the object that begins at @p, or -1 if none does.  An object's number never
 * changes, and objects that left still have theirs.
 */
static __always_inline int qr_slab_index(const struct qr_slab *slab, const void *p)
{
	u32 offset = p - slab->base;
	u32 i = ((u64)offset * READ_ONCE(slab->inverse)) >> 32;

	if (unlikely(i * slab->stride != offset) || unlikely(i >= slab->nr_cut))
		return qr_slab_index_exact(slab, p);
	return i;
}

/* The pages of the slab that object @i lies on, as a bit mask. */
static inline u32 qr_slab_pages_of(const struct qr_slab *slab, unsigned int i)
{
	unsigned int first = i * slab->stride >> PAGE_SHIFT;
	unsigned int last = ((i + 1) * slab->stride - 1) >> PAGE_SHIFT;

	return GENMASK(last, first);
}

/* Number of pages that have not left the slab. */
static inline unsigned int qr_slab_pages_left(const struct qr_slab *slab)
{
	return slab->run.nr - hweight32(slab->gone);
}

/*
 * Does the slab have deferred objects?  While it has, it must not be given back.  All its objects
 * can look free at that time, but only after a double free.
 */
static inline bool qr_slab_is_deferred(const struct qr_slab *slab)
{
	return atomic_read(&slab->nr_deferred);
}

/* Has object @i left the slab, together with a page of its own? */
static inline bool qr_slab_has_lost(const struct qr_slab *slab, unsigned int i)
{
	return unlikely(slab->gone) && (slab->gone & qr_slab_pages_of(slab, i));
}

/* Is object @i free in the map, or has it left?  Either way no client can own it. */
static inline bool qr_slab_is_free(const struct qr_slab *slab, unsigned int i)
{
	return (slab->free[i / 64] & BIT_ULL(i % 64)) || qr_slab_has_lost(slab, i);
}

/* Number of bits in the map that stand for no object. */
static inline unsigned int qr_slab_spare_bits(const struct qr_slab *slab)
{
	return slab->words * 64 - slab->nr_cut;
}

/*
 * Give the object at @p back to the slab; false if there is none or if it is free already.  @p
 * must point into the slab's pages: then its bit lies in the map.  Under the depot's lock.
 */
static __always_inline bool qr_slab_give(struct qr_slab *slab, const void *p)
{
	u32 offset = p - slab->base;
	u32 i = ((u64)offset * slab->inverse) >> 32;
	u64 *word = &slab->free[i / 64], bit = BIT_ULL(i % 64);

	if (unlikely(i * slab->stride != offset) || unlikely(*word & bit))
		return qr_slab_give_exact(slab, p);
	*word |= bit;
	slab->nr_free++;
	return true;
}

/* Take the free object with the lowest address; there is one.  Returns its number. */
static inline unsigned int qr_slab_take_first(struct qr_slab *slab)
{
	u64 *word = slab->free, map;

	while (!*word)
		word++;
	map = *word;
	*word = map & (map - 1);
	slab->nr_free--;
	return (word - slab->free) * 64 + __ffs64(map);
}

/* Take up to @want objects, lowest address first; returns how many.  Under the depot's lock. */
unsigned int qr_slab_take(struct qr_slab *slab, void **out, unsigned int want);

/*
 * Get pages and cut them into objects.  The caller then sets depot and cache.  @class goes into
 * the chunk's class table, unless the pages are from the emergency reserves (qr_run.access).
 * Sleeps if @gfp allows it; no lock held.  NULL when there is no memory.
 */
struct qr_slab *qr_slab_create(const struct qr_geometry *geo, unsigned int class, int node,
			       gfp_t gfp);
/* A slab of @pages in a chunk of kind QR_SAMPLED, with memory for its objects' samples. */
struct qr_slab *qr_slab_create_sampled(const struct qr_geometry *geo, unsigned int pages, int node,
				       gfp_t gfp);
/* A run of @pages in chunks of kind QR_LARGE, which is not cut.  @align: in pages. */
struct qr_slab *qr_slab_create_large(unsigned int pages, unsigned int align, int node, gfp_t gfp);
/* The same for an arena: up to QR_CHUNK_PAGES pages, or @least if there is no longer run. */
struct qr_slab *qr_slab_create_block(unsigned int pages, unsigned int least, int node, gfp_t gfp);
void qr_slab_destroy(struct qr_slab *slab);

/* Entries in @cleanups: one for each object, and one for a large object. */
static inline unsigned int qr_slab_rows(const struct qr_slab *slab)
{
	return max(slab->nr_cut, 1u);
}

/*
 * Set whether frees of the slab's objects may take the fast path.  In chunks where they never do,
 * this changes nothing.  Under qr_cleanups_lock.
 */
void qr_slab_set_fast(struct qr_slab *slab, bool fast);

/* A cleanup leaves a list of the slab.  Under qr_cleanups_lock. */
static inline void qr_cleanups_change(struct qr_slab *slab)
{
	slab->cleanups_mark = ++qr_cleanups_mark ?: ++qr_cleanups_mark; /* not 0 */
}

/*
 * Take the cleanups of up to @most objects off without running them.  Puts the lists into @off and
 * returns how many.  There are no more when the slab's @nr_cleaned is 0.
 */
unsigned int qr_slab_strip(struct qr_slab *slab, struct qr_cleanup **off, unsigned int most);

struct qr_cleanup *qr_cleanup_new(gfp_t gfp);
void qr_cleanup_free(struct qr_cleanup *cleanup);
/* Free all cleanups of a list. */
void qr_cleanups_free(struct qr_cleanup *list);

/* Create and destroy a descriptor without pages; the caller handles the pages. */
struct qr_slab *qr_slab_create_bare(int node, gfp_t gfp);
void qr_slab_destroy_bare(struct qr_slab *slab);

/*
 * Trim: take the pages on which all objects are free out of a slab that has other objects in use.
 * The objects on these pages leave the slab for good, also those of which a part lies on a
 * page that stays.  The addresses of these pages no longer lead to the slab.  Returns a mask of
 * the pages, for qr_slab_put_pages().  Under the depot's lock.
 */
u32 qr_slab_trim(struct qr_slab *slab);

/*
 * Give pages to the heap that qr_slab_trim() took out of a slab with the run @run.  The slab
 * itself may have been destroyed since.  No lock held.
 */
void qr_slab_put_pages(const struct qr_run *run, u32 pages);

int qr_slabs_init(void);
void qr_slabs_exit(void);

#endif /* QR_SLAB_H */
