// SPDX-License-Identifier: GPL-2.0
/* The state of one node's heap, and its statistics. */
#include "pages/node_heap.h"

#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/nodemask.h>
#include <linux/string.h>
#include <linux/vmstat.h>
#include <quarry/stats.h>
#include "compat.h"
#include "core/limit.h"
#include "core/metadata.h"
#include "pages/release.h"

struct qr_heap *qr_heaps[MAX_NUMNODES];
EXPORT_SYMBOL_QUARRY_TEST(qr_heaps);

/* Report after a change of 64 pages.  The kernel's own counters per node are as coarse. */
#define REPORT_STEP 64

void qr_heap_summarize(struct qr_heap *heap, struct qr_chunk *chunk)
{
	struct qr_sum sum = qr_sum_of(chunk->used, QR_CHUNK_PAGES);

	heap->changes++;
	WRITE_ONCE(chunk->longest, sum.longest);
	qr_tree_set(&heap->tree[chunk->kind], chunk->index, &sum);
}

/* The same for each chunk of a run that has several, from left to right. */
static void summarize_next(struct qr_heap *heap, struct qr_chunk *chunk, bool last)
{
	struct qr_sum sum = {};

	/* Most chunks of such a run are full. */
	if (chunk->nr_used < QR_CHUNK_PAGES)
		sum = qr_sum_of(chunk->used, QR_CHUNK_PAGES);
	heap->changes++;
	WRITE_ONCE(chunk->longest, sum.longest);
	qr_tree_set_next(&heap->tree[chunk->kind], chunk->index, &sum, last);
}

/* Idle pages can go back at any time, so they count as reclaimable and in MemAvailable. */
void qr_heap_report(struct qr_heap *heap)
{
	unsigned long idle = qr_heap_idle(heap);

	mod_node_page_state(NODE_DATA(heap->node), NR_KERNEL_MISC_RECLAIMABLE,
			    (long)(idle - heap->reported));
	heap->reported = idle;
}

static void report_coarsely(struct qr_heap *heap)
{
	long off = qr_heap_idle(heap) - heap->reported;

	if (unlikely(off >= REPORT_STEP) || unlikely(off <= -REPORT_STEP))
		qr_heap_report(heap);
}

/* The chunk behind @chunk, in which a long run goes on. */
static struct qr_chunk *next_chunk(const struct qr_chunk *chunk)
{
	return qr_chunk_at(chunk->index + 1);
}

/*
 * True if these pages are still zero since the kernel gave them.  The caller is about to use
 * them, so the marks are cleared.
 */
static bool take_fresh(struct qr_chunk *chunk, unsigned int first, unsigned int nr)
{
	bool fresh = find_next_zero_bit(chunk->fresh, first + nr, first) >= first + nr;

	bitmap_clear(chunk->fresh, first, nr);
	return fresh;
}

/* The watcher is called once only, until it sets both thresholds again. */
bool qr_heap_has_news(struct qr_heap *heap)
{
	if (likely(qr_heap_idle(heap) <= heap->surplus && heap->used >= heap->low))
		return false;
	heap->surplus = ULONG_MAX;
	heap->low = 0;
	return true;
}

void qr_heap_take_run(struct qr_heap *heap, struct qr_run *run, struct qr_chunk *chunk,
		      unsigned int first, unsigned int nr, struct qr_slab *owner)
{
	bool one = first + nr <= QR_CHUNK_PAGES;
	unsigned int n;

	*run = (struct qr_run){ .chunk = chunk, .first = first, .nr = nr, .zeroed = true };
	if (nr > QR_OWN_AT_ONCE)
		owner = NULL;
	heap->used += nr;
	heap->peak = max(heap->peak, heap->used);
	for (;;) {
		n = min(nr, QR_CHUNK_PAGES - first);
		if (unlikely(chunk->nr_holes) && !chunk->nr_used)
			list_del_init(&chunk->link);
		run->zeroed &= take_fresh(chunk, first, n);
		qr_chunk_own(chunk, first, n, owner);
		nr -= n;
		if (likely(one))
			qr_heap_summarize(heap, chunk);
		else
			summarize_next(heap, chunk, !nr);
		if (!nr)
			break;
		chunk = next_chunk(chunk);
		first = 0;
	}
	report_coarsely(heap);
}

void qr_heap_own_run(const struct qr_run *run, struct qr_slab *owner)
{
	unsigned int nr = run->nr, first = run->first, n;
	struct qr_chunk *chunk = run->chunk;

	for (;;) {
		n = min(nr, QR_CHUNK_PAGES - first);
		qr_chunk_set_owner(chunk, first, n, owner);
		nr -= n;
		if (!nr)
			break;
		chunk = next_chunk(chunk);
		first = 0;
	}
}

/* Clearing the entries of a chunk's pages takes some 4,500 instructions. */
#define CUT_CHUNKS 2

struct qr_run qr_run_cut(struct qr_run *rest)
{
	struct qr_run part = *rest;
	unsigned int i;

	part.nr = min(rest->nr, CUT_CHUNKS * QR_CHUNK_PAGES - rest->first);
	rest->nr -= part.nr;
	for (i = 0; rest->nr && i < CUT_CHUNKS; i++)
		rest->chunk = next_chunk(rest->chunk);
	rest->first = 0;
	return part;
}

void qr_heap_put_run(struct qr_heap *heap, const struct qr_run *run)
{
	unsigned int nr = run->nr, first = run->first, n;
	struct qr_chunk *chunk = run->chunk;

	heap->used -= nr;
	for (;;) {
		n = min(nr, QR_CHUNK_PAGES - first);
		qr_chunk_disown(chunk, first, n);
		qr_heap_summarize(heap, chunk);
		if (unlikely(chunk->nr_holes) && !chunk->nr_used)
			list_add(&chunk->link, &heap->hollow);
		nr -= n;
		if (!nr)
			break;
		chunk = next_chunk(chunk);
		first = 0;
	}
	report_coarsely(heap);
}

void qr_heap_add_chunk(struct qr_heap *heap, struct qr_chunk *chunk)
{
	qr_chunk_attach(chunk);
	qr_heap_summarize(heap, chunk);
	heap->nr_chunks[chunk->kind]++;
	heap->owned += QR_CHUNK_PAGES;
	report_coarsely(heap);
}

void qr_heap_remove_chunk(struct qr_heap *heap, struct qr_chunk *chunk)
{
	static const struct qr_sum nothing;

	heap->changes++;
	qr_tree_set(&heap->tree[chunk->kind], chunk->index, &nothing);
	list_del_init(&chunk->link);
	heap->nr_chunks[chunk->kind]--;
	heap->owned -= QR_CHUNK_PAGES - chunk->nr_holes;
	heap->holes -= chunk->nr_holes;
	qr_chunk_detach(chunk);
	report_coarsely(heap);
}

void qr_node_stats_read(int node, struct quarry_node_stats *st)
{
	struct qr_heap *heap = node >= 0 && node < MAX_NUMNODES ? qr_heaps[node] : NULL;
	unsigned long flags, mixed;
	int kind;

	memset(st, 0, sizeof(*st));
	if (!heap)
		return;
	raw_spin_lock_irqsave(&heap->lock, flags);
	for (kind = 0; kind < QR_MIXED; kind++)
		st->chunks[kind] = heap->nr_chunks[kind];
	mixed = atomic_long_read(&qr_mixed_pages[node]);
	st->mixed_bytes = (u64)mixed << PAGE_SHIFT;
	st->inuse_bytes = (u64)(heap->used + mixed) << PAGE_SHIFT;
	st->idle_bytes = (u64)qr_heap_idle(heap) << PAGE_SHIFT;
	st->hole_bytes = (u64)heap->holes << PAGE_SHIFT;
	st->searches = heap->searches;
	st->search_steps = heap->steps;
	raw_spin_unlock_irqrestore(&heap->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_node_stats_read);

int qr_walk_chunks(int node, qr_chunk_fn fn, void *arg)
{
	static const char *const kinds[] = { "ordinary", "sampled", "large", "mixed" };
	struct quarry_chunk_info ci;
	unsigned long i;
	int err;

	/* In the order of addresses.  No lock is held over a call of @fn, which may sleep. */
	for (i = qr_directory_next(0); i < READ_ONCE(qr_directory)->nr;
	     i = qr_directory_next(i + 1)) {
		struct qr_chunk *chunk;
		bool found;

		rcu_read_lock();
		chunk = qr_chunk_at(i);
		found = chunk && chunk->node == node;
		if (found) {
			ci.pfn = page_to_pfn(chunk->page);
			ci.kind = kinds[chunk->kind];
			ci.used = READ_ONCE(chunk->nr_used);
			ci.owned = chunk->kind == QR_MIXED ?
					   ci.used :
					   QR_CHUNK_PAGES - READ_ONCE(chunk->nr_holes);
			ci.longest = chunk->kind == QR_MIXED ? 0 : READ_ONCE(chunk->longest);
		}
		rcu_read_unlock();
		if (!found)
			continue;
		err = fn(&ci, arg);
		if (err)
			return err;
	}
	return 0;
}

/* Chunks of a node for which trees get their blocks at once: 4 GiB.  Others come when needed. */
#define EAGER_CHUNKS 2048

static int cover_eagerly(struct qr_heap *heap)
{
	pg_data_t *pgdat = NODE_DATA(heap->node);
	unsigned long first = qr_chunk_index(pfn_to_kaddr(pgdat->node_start_pfn)), i;
	unsigned long last = qr_chunks_below(pgdat_end_pfn(pgdat));
	int kind, err = 0;

	if (last - first > EAGER_CHUNKS || nodes_weight(qr_nodes) > 2)
		return 0;
	for (kind = 0; kind < QR_MIXED; kind++)
		for (i = first; !err && i < last; i++)
			err = qr_tree_cover(&heap->tree[kind], i, GFP_KERNEL);
	return err;
}

int qr_heap_create(int node)
{
	struct qr_heap *heap = qr_meta_alloc(sizeof(*heap), GFP_KERNEL, node);
	int kind, err;

	if (!heap)
		return -ENOMEM;
	raw_spin_lock_init(&heap->lock);
	INIT_LIST_HEAD(&heap->hollow);
	heap->node = node;
	heap->surplus = ULONG_MAX;
	heap->compact_after = jiffies;
	for (kind = 0; kind < QR_MIXED; kind++)
		qr_tree_init(&heap->tree[kind], QR_CHUNK_PAGES);
	err = cover_eagerly(heap);
	/* Pairs with the address dependency of who finds the heap. */
	smp_store_release(&qr_heaps[node], heap);
	return err;
}

int qr_heaps_init(void)
{
	int node, err = qr_trees_init();

	if (err)
		return err;
	for_each_node_mask(node, qr_nodes) {
		err = qr_heap_create(node);
		if (err) {
			qr_heaps_exit();
			return err;
		}
	}
	return 0;
}

void qr_heaps_exit(void)
{
	int node, kind;

	qr_heap_release_idle();
	for_each_node_mask(node, qr_nodes) {
		struct qr_heap *heap = qr_heaps[node];

		if (!heap)
			continue;
		for (kind = 0; kind < QR_MIXED; kind++)
			qr_tree_exit(&heap->tree[kind]);
		qr_meta_free(heap, sizeof(*heap));
		qr_heaps[node] = NULL;
	}
	qr_trees_exit();
}
