/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chunks: naturally aligned 2 MiB blocks of the direct map, and the arrays
 * that tell from an address which chunk it lies in and of what kind.
 *
 *	none -> ordinary | sampled | large	a whole block, from the buddy allocator
 *	none -> mixed			single runs of pages; the rest is not ours
 */
#ifndef QR_CHUNK_H
#define QR_CHUNK_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <quarry/quarry.h>

#define QR_CHUNK_SHIFT 21
#define QR_CHUNK_ORDER 9
#define QR_CHUNK_PAGES 512u

enum qr_kind {
	QR_ORDINARY, /* slabs: frees on the right node are fast */
	QR_SAMPLED,  /* slabs of objects that the profiler knows: every free is slow */
	QR_LARGE,    /* runs of pages: likewise */
	QR_MIXED,    /* we own some of the pages: every free is slow */
	QR_NR_KINDS,
};

struct qr_slab;

/**
 * struct qr_chunk - a 2 MiB block that is, at least in part, ours
 * @page: the block's first page
 * @index: 2 MiB blocks from the start of the direct map
 * @node: NUMA node of the pages
 * @kind: which of them
 * @nr_used: pages handed out; heap lock
 * @nr_holes: pages that went back to the kernel while the rest stayed; heap lock
 * @longest: the longest run of free pages; heap lock
 * @link: in the heap's list of hollow chunks, or in none; heap lock
 * @used: pages that are not free: handed out, or holes; heap lock
 * @holes: those of @used that are not ours; heap lock
 * @fresh: pages that the kernel zeroed and nobody had since; heap lock
 * @nr_slow: slabs for the sake of which frees here are not fast; qr_cleanups_lock
 * @rcu: freed after readers that found it by address
 * @class: per page the size class of its objects, 0 if none
 * @slab: per page the slab that it belongs to
 *
 * @slab changes together with @used, but for pages that are on their way back, see
 * qr_chunk_hide().  @class is written by the pages' owner
 * before the first object is handed out, and cleared when the run goes back; in
 * between it is 0 while an object has cleanups, see qr_slab_set_fast().
 */
struct qr_chunk {
	struct page *page;
	unsigned long index;
	int node;
	enum qr_kind kind;
	unsigned int nr_used;
	unsigned int nr_holes;
	unsigned int longest;
	unsigned int nr_slow;
	struct list_head link;
	DECLARE_BITMAP(used, QR_CHUNK_PAGES);
	DECLARE_BITMAP(holes, QR_CHUNK_PAGES);
	DECLARE_BITMAP(fresh, QR_CHUNK_PAGES);
	struct rcu_head rcu;
	u8 class[QR_CHUNK_PAGES];
	struct qr_slab *slab[QR_CHUNK_PAGES];
};

extern struct qr_chunk **qr_chunks;
/* The nodes that had memory when we were loaded: those have heaps and depots. */
extern nodemask_t qr_nodes;
/* Pages of mixed chunks, by node. */
extern atomic_long_t qr_mixed_pages[MAX_NUMNODES];
/* The node whose pages are this CPU's own; always one with memory. */
DECLARE_PER_CPU(int, qr_home_node);

static inline unsigned long qr_chunk_index(const void *p)
{
	return qr_offset(p) >> QR_CHUNK_SHIFT;
}

static inline unsigned int qr_page_in_chunk(const void *p)
{
	return (qr_offset(p) >> PAGE_SHIFT) & (QR_CHUNK_PAGES - 1);
}

static inline void *qr_chunk_addr(const struct qr_chunk *chunk, unsigned int page)
{
	return page_address(chunk->page) + ((unsigned long)page << PAGE_SHIFT);
}

/*
 * The slab that @p points into, or NULL.  Any address will do.  The caller is
 * in an RCU read-side section, or owns an object of the slab.
 */
static inline struct qr_slab *qr_slab_of(const void *p)
{
	unsigned long i = qr_chunk_index(p);
	struct qr_chunk *chunk;

	if (i >= qr_nr_chunks)
		return NULL;
	chunk = READ_ONCE(qr_chunks[i]);
	return chunk ? READ_ONCE(chunk->slab[qr_page_in_chunk(p)]) : NULL;
}

/*
 * Take a whole block from the kernel on exactly @node.  May sleep if @gfp
 * says so; no locks held.  NULL if there is none, or no memory to describe it.
 */
struct qr_chunk *qr_chunk_create(int node, enum qr_kind kind, gfp_t gfp);
/* Two side by side, of kind QR_LARGE, in the same way; false if there are none. */
bool qr_chunk_create_pair(struct qr_chunk *pair[2], int node, gfp_t gfp);
/* It is found by address from now on.  Under the lock that guards it. */
void qr_chunk_attach(struct qr_chunk *chunk);
/*
 * It goes: nobody finds it by address any more, and its block may be another chunk as
 * soon as the kernel has its pages.  Under the lock that guards it.
 */
void qr_chunk_detach(struct qr_chunk *chunk);
/*
 * Give what is left of a chunk back that is not attached; no page of it is in use.
 * Returns pages.
 */
unsigned int qr_chunk_destroy(struct qr_chunk *chunk);

/* Free pages of it become holes; the caller gives them back, with no lock held. */
void qr_chunk_dig(struct qr_chunk *chunk, unsigned int page, unsigned int nr);
/* Holes are free pages again. */
void qr_chunk_fill(struct qr_chunk *chunk, unsigned int page, unsigned int nr, bool fresh);

/*
 * The mixed chunk around @page: found, or made.  Adds @nr pages that are
 * @owner's.  NULL if there is no memory.
 */
struct qr_chunk *qr_mixed_get(struct page *page, unsigned int nr, struct qr_slab *owner, gfp_t gfp);
/* @nr pages of it are no longer ours; the last ones take it along. */
void qr_mixed_put(struct qr_chunk *chunk, unsigned int page, unsigned int nr);

/* Pages change hands; under the lock that guards the chunk. */
void qr_chunk_own(struct qr_chunk *chunk, unsigned int page, unsigned int nr,
		  struct qr_slab *owner);
void qr_chunk_disown(struct qr_chunk *chunk, unsigned int page, unsigned int nr);

/*
 * Nobody is to find their slab any more.  By their owner, who gives them back in
 * what follows: qr_validate() must not come in between.
 */
static inline void qr_chunk_hide(struct qr_chunk *chunk, unsigned int page, unsigned int nr)
{
	while (nr--)
		WRITE_ONCE(chunk->slab[page++], NULL);
}

/*
 * Frees to an ordinary chunk's caches take the slow path from now on, or one reason less
 * for that is left.  Under qr_cleanups_lock, with a page of it in use.
 */
void qr_chunk_set_slow(struct qr_chunk *chunk, bool slow);
/* Are they fast? */
bool qr_chunk_is_fast(const struct qr_chunk *chunk);

/* Pages, split ones and in a row, go back to the kernel and off the account. */
void qr_chunk_release_pages(struct page *page, unsigned int nr);
void qr_view_set_cpu(unsigned int cpu);
int qr_chunks_init(void);
void qr_chunks_exit(void);

#endif /* QR_CHUNK_H */
