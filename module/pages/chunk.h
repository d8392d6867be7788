/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chunks: naturally aligned 2 MiB blocks of the direct map.
 *
 *	ordinary, sampled, large	a whole block from the kernel's page allocator; some of
 *					its pages may have gone back since and left holes
 *	mixed				some runs of pages in the block are Quarry's, the rest
 *					is not
 *
 * A chunk is changed under the lock that guards it: its node heap's, or for a mixed chunk
 * qr_mixed_lock.
 */
#ifndef QR_CHUNK_H
#define QR_CHUNK_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <quarry/quarry.h>
#include "pages/directory.h"
#include "pages/view.h"

#define QR_CHUNK_ORDER (QR_CHUNK_SHIFT - PAGE_SHIFT)
#define QR_CHUNK_PAGES ((unsigned int)BIT(QR_CHUNK_ORDER)) /* 512 of 4 KiB, 128 of 16 KiB */

/*
 * References that Quarry has on each page that it holds, idle or in use.  If somebody else frees
 * a page or memory on it (kfree(), put_page(), __free_page()), the reference that this drops is
 * not the last one.  So the page stays Quarry's and the kernel does not give it to another owner.
 * The bias is more than the frees that a page can see, and leaves room for the references of
 * clients.  Clients that take references see no difference, but code that steals a page with one
 * reference only leaves the page alone.
 */
#define QR_PAGE_BIAS 0x100000
#define QR_PAGE_REFS (1 + QR_PAGE_BIAS)

enum qr_kind {
	QR_ORDINARY, /* slabs: frees on the chunk's own node are fast */
	QR_SAMPLED,  /* slabs of sampled objects: every free is slow */
	QR_LARGE,    /* large objects and arenas' blocks: every free is slow */
	QR_MIXED,    /* only some of the pages are Quarry's: every free is slow */
	QR_NR_KINDS,
};

struct qr_slab;

/**
 * struct qr_chunk - a 2 MiB block of which all or some pages are Quarry's
 * @page: the block's first page
 * @index: number of the block, counted from the start of the direct map
 * @node: NUMA node of the pages
 * @kind: what the chunk is used for
 * @nr_used: pages in use; heap lock
 * @nr_holes: pages that went back to the kernel while the rest stayed; heap lock
 * @longest: pages in the longest run of idle pages; heap lock
 * @link: in the heap's list of hollow chunks, or empty; heap lock
 * @used: bit set for each page that is not idle: in use, or a hole; heap lock
 * @holes: bit set for each hole, which has its bit in @used as well; heap lock
 * @fresh: bit set for each idle page that was never used since the kernel zeroed it; heap lock
 * @nr_slow: slabs without a size class that have objects with cleanups.  While there are any,
 *	no free to a cache is fast in this chunk.  qr_cleanups_lock
 * @rcu: the descriptor is freed after a grace period, for readers that found it by address
 * @class: for each page the size class of its objects, or 0
 * @slab: for each page the slab that it belongs to, or NULL
 *
 * @slab changes together with @used, except for pages that are being given back, see
 * qr_chunk_hide().  The owner of the pages writes @class before it hands out the first
 * object; the entry is cleared when the run goes back.  In between, the entry is 0 while an
 * object of the slab has cleanups, see qr_slab_set_fast().
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

/* Guards all mixed chunks.  Each exists while it has a page in use. */
extern raw_spinlock_t qr_mixed_lock;
/* The nodes that have had memory since the module was loaded.  Only these have heaps and depots. */
extern nodemask_t qr_nodes;
/* Pages in use in mixed chunks, by node. */
extern atomic_long_t qr_mixed_pages[MAX_NUMNODES];
/* The node that this CPU takes pages from: the nearest one that has memory. */
DECLARE_PER_CPU(int, qr_home_node);

static inline unsigned long qr_chunk_index(const void *p)
{
	return qr_offset(p) >> QR_CHUNK_SHIFT;
}

/* The end, in chunks, of what page frames below @end need. */
static inline unsigned long qr_chunks_below(unsigned long end)
{
	return end ? qr_chunk_index(pfn_to_kaddr(end - 1)) + 1 : 0;
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
 * The slab that @p points into, or NULL.  @p may be any address.  The caller is in an RCU
 * read-side section, or owns an object of the slab.
 */
static inline struct qr_slab *qr_slab_of(const void *p)
{
	struct qr_chunk *chunk = qr_chunk_at(qr_chunk_index(p));

	return chunk ? READ_ONCE(chunk->slab[qr_page_in_chunk(p)]) : NULL;
}

/*
 * Take a whole block from the kernel, on @node only and never from the emergency reserves, and
 * charge it to the module's limit.
 * Call with no lock held; sleeps if @gfp allows it.  NULL if there is no block, no memory for
 * the descriptor, or no room under the hard limit.
 */
struct qr_chunk *qr_chunk_create(int node, enum qr_kind kind, gfp_t gfp);
/* The same for two chunks side by side, of kind QR_LARGE.  False if they cannot be had. */
bool qr_chunk_create_pair(struct qr_chunk *pair[2], int node, gfp_t gfp);
/* From now on the chunk can be found by address.  Under the lock that guards it. */
void qr_chunk_attach(struct qr_chunk *chunk);
/*
 * From now on the chunk cannot be found by address.  After its pages are back with the kernel,
 * a new chunk may cover the same block.  Under the lock that guards it.
 */
void qr_chunk_detach(struct qr_chunk *chunk);
/*
 * Give the pages of a chunk back to the kernel, except its holes.  The chunk is detached and
 * no page of it is in use.  Returns the number of pages.
 */
unsigned int qr_chunk_destroy(struct qr_chunk *chunk);

/* Idle pages become holes.  The caller then gives them back, with no lock held. */
void qr_chunk_dig(struct qr_chunk *chunk, unsigned int page, unsigned int nr);
/* Holes become idle pages again. */
void qr_chunk_fill(struct qr_chunk *chunk, unsigned int page, unsigned int nr, bool fresh);

/*
 * Give @owner the @nr pages from @page on, in the mixed chunk around them, which is created if
 * there is none.  NULL if there is no memory for it.
 */
struct qr_chunk *qr_mixed_get(struct page *page, unsigned int nr, struct qr_slab *owner, gfp_t gfp);
/* Give @nr pages of a mixed chunk back to the kernel.  The chunk goes with its last pages. */
void qr_mixed_put(struct qr_chunk *chunk, unsigned int page, unsigned int nr);

/*
 * Idle pages become @owner's, and idle again.  Under the lock that guards the chunk.  With NULL for
 * @owner, the pages are in use, and qr_chunk_set_owner() says later whose they are.
 */
void qr_chunk_own(struct qr_chunk *chunk, unsigned int page, unsigned int nr,
		  struct qr_slab *owner);
void qr_chunk_disown(struct qr_chunk *chunk, unsigned int page, unsigned int nr);
/* Let the addresses of pages in use lead to @owner. */
void qr_chunk_set_owner(struct qr_chunk *chunk, unsigned int page, unsigned int nr,
			struct qr_slab *owner);

/*
 * Make the slab of these pages impossible to find by their addresses.  The owner of the pages
 * calls this before it gives them back, and keeps qr_validate() out until it has.
 */
static inline void qr_chunk_hide(struct qr_chunk *chunk, unsigned int page, unsigned int nr)
{
	while (nr--)
		WRITE_ONCE(chunk->slab[page++], NULL);
}

/*
 * Add (@slow) or remove a reason for frees in an ordinary chunk to take the slow path.  They
 * are fast while there is none.  Under qr_cleanups_lock, with a page of the chunk in use.
 */
void qr_chunk_set_slow(struct qr_chunk *chunk, bool slow);
/* Do frees to caches take the fast path in this chunk? */
bool qr_chunk_is_fast(const struct qr_chunk *chunk);

/*
 * Take Quarry's references on @nr pages that the kernel gave.  Before the pages can be found in a
 * chunk, or under the lock that guards it.
 */
void qr_chunk_hold_pages(struct page *page, unsigned int nr);
/* How many of Quarry's references on a page did somebody else drop? */
int qr_page_lost_refs(const struct page *page);
/* Give @nr split pages in a row back to the kernel, and uncharge them. */
void qr_chunk_release_pages(struct page *page, unsigned int nr);
int qr_chunks_init(void);
void qr_chunks_exit(void);

#endif /* QR_CHUNK_H */
