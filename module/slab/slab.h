/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slabs: a run of pages cut into equal objects, the state of which is kept in
 * a bitmap outside of them.  Nothing is ever written into a free object.
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

/* How finely a depot tells its slabs apart by the share of free objects. */
#define QR_SLAB_BINS 8

/* The most objects in a slab of sampled ones, each of which has a &struct qr_sample. */
#define QR_SAMPLED_OBJECTS 128

/* In qr_slab.bin, for a large object: whoever changes the first to the second has freed it. */
#define QR_LARGE_LIVE  (UINT_MAX - 1)
#define QR_LARGE_FREED (UINT_MAX - 2)
/* For a block of an arena, which is nobody's to free. */
#define QR_ARENA_BLOCK (UINT_MAX - 3)

struct qr_cache;
struct qr_depot;

/**
 * struct qr_cleanup - what runs when an object is freed
 * @next: one of the same object that was added earlier
 * @fn: the function
 * @arg: its second argument
 */
struct qr_cleanup {
	struct qr_cleanup *next;
	quarry_cleanup_fn fn;
	void *arg;
};

/* In place of an object's cleanups, while they run. */
#define QR_CLEANUPS_RUN ((struct qr_cleanup *)1UL)

/* Guards all cleanups; below a depot's lock, above none.  Interrupts off. */
extern raw_spinlock_t qr_cleanups_lock;

/**
 * struct qr_slab - one slab, one large object, or one block of an arena
 * @link: in one of its depot's lists; depot lock.  Or in its arena's
 * @depot: whose it is; NULL for a large object, and while it is on its way
 * @cache: the same
 * @base: its first object
 * @stride: bytes from one object to the next
 * @inverse: 2^32 / @stride, rounded up; 0 once pages have left, see qr_slab_trim()
 * @nr_objects: objects in it
 * @nr_free: objects in @free; depot lock
 * @mark: the @nr_free at which a free must look at the slab's place; depot lock
 * @bin: which of the depot's lists; depot lock
 * @nr_cut: objects that it was cut into: @nr_objects and those that left
 * @gone: a bit for each page of @run that has left; depot lock and qr_cleanups_lock
 * @class: the size class of its objects in an ordinary chunk, or 0
 * @nr_cleaned: objects that have cleanups; qr_cleanups_lock
 * @cleanups: each object's, the last added first; NULL while none ever had one.
 *	qr_cleanups_lock
 * @run: its pages; of a mapped object, where the first of them are, and how many
 * @pages: all pages of a mapped object, see slab/mapped.h; NULL for all others
 * @samples: one for each object, or for the large one, if they can be sampled
 * @guard: how its objects are watched, or NULL; its cache's
 * @words: of 64 bits, in each of the two maps; it stays as long as the descriptor is one
 * @typesafe: its pages stay its own for a grace period after the last object was freed
 * @deferred_again: see @deferred
 * @nr_deferred: objects that wait in the map of qr_slab_cached(), see cache/deferred.h
 * @deferred: whether it waits with them; private to cache/deferred.c, as are @deferred_again and @deferred_link
 * @deferred_link: where
 * @rcu: of @typesafe slabs that are on their way back
 * @start: of an arena's block: bytes that were allocated in the arena before it
 * @length: of a block that is one object: its bytes; 0 for all others
 * @free: objects that are here and not above; depot lock.  Bits that stand
 *	for no object are set, so that a pointer there looks free already;
 *	those of objects that left are clear, so that none is taken.  Behind it
 *	is the map of qr_slab_cached()
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
	struct qr_cleanup **cleanups;
	struct qr_run run;
	struct page **pages;
	struct qr_samples samples;
	const struct qr_guard *guard;
	bool typesafe;
	bool deferred_again;
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
 * The map of what the walker found in magazines and depots, see view/validate.c, and of what is
 * late; the walker leaves that as it was.
 */
static inline u64 *qr_slab_cached(struct qr_slab *slab)
{
	return slab->free + slab->words;
}

/* Size that a large object was given, in bytes. */
static inline size_t qr_slab_bytes(const struct qr_slab *slab)
{
	return (size_t)slab->run.nr << PAGE_SHIFT;
}

/* What is not so simple about slabs that pages have left; see there. */
int qr_slab_index_exact(const struct qr_slab *slab, const void *p);
bool qr_slab_give_exact(struct qr_slab *slab, const void *p);

/*
 * The number of the object that starts at @p, or -1 if none does.  Objects keep
 * their numbers, and those that left with their pages have one, too.
 */
static __always_inline int qr_slab_index(const struct qr_slab *slab, const void *p)
{
	u32 offset = p - slab->base;
	u32 i = ((u64)offset * READ_ONCE(slab->inverse)) >> 32;

	if (unlikely(i * slab->stride != offset) || unlikely(i >= slab->nr_cut))
		return qr_slab_index_exact(slab, p);
	return i;
}

/* The pages of @run that object @i lies on. */
static inline u32 qr_slab_pages_of(const struct qr_slab *slab, unsigned int i)
{
	unsigned int first = i * slab->stride >> PAGE_SHIFT;
	unsigned int last = ((i + 1) * slab->stride - 1) >> PAGE_SHIFT;

	return GENMASK(last, first);
}

/* Pages that it has. */
static inline unsigned int qr_slab_pages_left(const struct qr_slab *slab)
{
	return slab->run.nr - hweight32(slab->gone);
}

/*
 * Does it wait in cache/deferred.c's list?  With all objects free that takes a double free, but it must
 * not go then either.
 */
static inline bool qr_slab_is_deferred(const struct qr_slab *slab)
{
	return atomic_read(&slab->nr_deferred);
}

/* Has object @i left? */
static inline bool qr_slab_has_lost(const struct qr_slab *slab, unsigned int i)
{
	return unlikely(slab->gone) && (slab->gone & qr_slab_pages_of(slab, i));
}

/* Nobody can hold object @i: it is here, or it left. */
static inline bool qr_slab_is_free(const struct qr_slab *slab, unsigned int i)
{
	return (slab->free[i / 64] & BIT_ULL(i % 64)) || qr_slab_has_lost(slab, i);
}

/* Bits in the map that stand for no object. */
static inline unsigned int qr_slab_spare_bits(const struct qr_slab *slab)
{
	return slab->words * 64 - slab->nr_cut;
}

/*
 * Give the object at @p; false if there is none or it is free already.  @p
 * points into the slab's pages, which makes the bit one of the map's.
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

/* Take the object with the lowest address, of which there is one; returns its number. */
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

/*
 * Take up to @want objects, lowest address first; returns how many.  The
 * caller holds the depot's lock.
 */
unsigned int qr_slab_take(struct qr_slab *slab, void **out, unsigned int want);

/*
 * Get pages and cut them.  The slab belongs to nobody yet: the caller sets
 * depot and cache.  @class goes into the chunk's table.  May sleep if @gfp
 * says so; no lock held.  NULL when there is no memory.
 */
struct qr_slab *qr_slab_create(const struct qr_geometry *geo, unsigned int class, int node,
			       gfp_t gfp);
/* One of @pages, in a chunk of kind QR_SAMPLED and with room for its objects' samples. */
struct qr_slab *qr_slab_create_sampled(const struct qr_geometry *geo, unsigned int pages, int node,
				       gfp_t gfp);
/* One uncut run of @pages in chunks of kind QR_LARGE. */
struct qr_slab *qr_slab_create_large(unsigned int pages, unsigned int align, int node, gfp_t gfp);
/* Another, of up to QR_CHUNK_PAGES; of @least pages if more are not to be had in a row. */
struct qr_slab *qr_slab_create_block(unsigned int pages, unsigned int least, int node, gfp_t gfp);
void qr_slab_destroy(struct qr_slab *slab);

/* Rows in @cleanups: a large object has one. */
static inline unsigned int qr_slab_rows(const struct qr_slab *slab)
{
	return max(slab->nr_cut, 1u);
}

/*
 * May frees of its objects take the fast path?  With qr_cleanups_lock; only where they could
 * at first.
 */
void qr_slab_set_fast(struct qr_slab *slab, bool fast);

/* Take all cleanups off, without running them; they come before @list. */
struct qr_cleanup *qr_slab_strip(struct qr_slab *slab, struct qr_cleanup *list);

struct qr_cleanup *qr_cleanup_new(gfp_t gfp);
void qr_cleanup_free(struct qr_cleanup *cleanup);
/* All of a list. */
void qr_cleanups_free(struct qr_cleanup *list);

/* The descriptor alone; the caller sees to its pages. */
struct qr_slab *qr_slab_create_bare(int node, gfp_t gfp);
void qr_slab_destroy_bare(struct qr_slab *slab);

/*
 * Take out the pages on which nobody holds an object, in a slab of which somebody
 * does.  The objects on them leave for good, and with them those that lie on a page
 * that stays as well.  Returns the pages, for qr_slab_put_pages(); nobody finds
 * the slab by their addresses any more.  The caller holds the depot's lock.
 */
u32 qr_slab_trim(struct qr_slab *slab);

/*
 * Give the heap pages that had left a slab of @run before, whatever has become of it
 * since.  No lock held.
 */
void qr_slab_put_pages(const struct qr_run *run, u32 pages);

int qr_slabs_init(void);
void qr_slabs_exit(void);

#endif /* QR_SLAB_H */
