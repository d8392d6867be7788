// SPDX-License-Identifier: GPL-2.0
/*
 * The views.  See view.h.
 *
 * The fast path reads one entry of a view without looking where the array ends, so the whole array
 * has addresses.  But only parts of it have memory of their own: vmap() maps a part that never had
 * a chunk of the node to pages that all such parts share.  They say that no free is fast there.
 * When a part is needed, the array is mapped anew with that part's own pages, the CPUs' pointers
 * are switched, and the old mapping goes after a grace period.  All mappings of a node show the
 * same pages, so an old one is never wrong: where it still has the shared pages, frees are slow.
 *
 * That sleeps, and a chunk may come in atomic context.  So a work item (directory.c) does it, and
 * then opens the view for the chunks that came meanwhile.
 */
#include "pages/view.h"

#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include "compat.h"
#include "core/metadata.h"
#include "pages/chunk.h"

/* A part of a view: a page of bytes, and 8 pages of pointers. */
#define VIEW_PART   QR_VIEW_PART
#define FAST_PAGES  (VIEW_PART / PAGE_SIZE)
#define CLASS_PAGES (VIEW_PART * sizeof(u8 *) / PAGE_SIZE)

/* qr_free() takes 32 bits of an offset, so pointers of chunks 4 GiB apart are biased equally. */
#define BIAS_CHUNKS (1UL << (32 - QR_CHUNK_SHIFT))

/**
 * struct view - what the CPUs of a node see; the mappings are changed with the mutex in directory.c
 * @fast: for each chunk: is it an ordinary one of the node?
 * @class: for each chunk the biased address of its class table
 * @nr_parts: parts that the arrays have
 * @own: parts that have pages of their own; view_lock for changes
 * @wanted: parts that have a chunk, but no pages of their own; view_lock
 */
struct view {
	u8 *fast;
	const u8 **class;
	unsigned long nr_parts;
	unsigned long *own;
	unsigned long *wanted;
};

DEFINE_PER_CPU(struct qr_view, qr_view);
DEFINE_PER_CPU(int, qr_home_node);
EXPORT_SYMBOL_QUARRY_TEST(qr_home_node);

/* Pages of parts that never had a chunk of the node. */
static struct page *no_fast, *no_class_pages[CLASS_PAGES];
/* The class table of a chunk that is no ordinary one of the node: no page has a class. */
static const u8 no_class[QR_CHUNK_PAGES];

static struct view views[MAX_NUMNODES];
static bool live; /* clients may use the views */

/* Changes of views and of qr_chunk.nr_slow; innermost. */
static DEFINE_RAW_SPINLOCK(view_lock);

/* A chunk's class table, biased so that 32 bits of the offset lead to the page's entry. */
static const u8 *biased(const u8 *table, unsigned long index)
{
	return (const u8 *)((unsigned long)table - index % BIAS_CHUNKS * QR_CHUNK_PAGES);
}

static bool is_own(const struct view *v, unsigned long index)
{
	return index / VIEW_PART < v->nr_parts && test_bit(index / VIEW_PART, v->own);
}

/* With view_lock, for a chunk whose part of the view has pages of its own. */
static void view_open(struct view *v, const struct qr_chunk *chunk)
{
	WRITE_ONCE(v->class[chunk->index], biased(chunk->class, chunk->index));
	WRITE_ONCE(v->fast[chunk->index], !chunk->nr_slow);
}

void qr_view_attach(struct qr_chunk *chunk)
{
	struct view *v = &views[chunk->node];

	raw_spin_lock(&view_lock);
	qr_directory_set(chunk->index, chunk);
	if (likely(is_own(v, chunk->index))) {
		view_open(v, chunk);
	} else {
		if (chunk->index / VIEW_PART < v->nr_parts)
			__set_bit(chunk->index / VIEW_PART, v->wanted);
		qr_directory_want(chunk->index + 1);
	}
	raw_spin_unlock(&view_lock);
}

void qr_view_detach(struct qr_chunk *chunk)
{
	struct view *v = &views[chunk->node];

	raw_spin_lock(&view_lock);
	if (likely(is_own(v, chunk->index))) {
		WRITE_ONCE(v->fast[chunk->index], 0);
		WRITE_ONCE(v->class[chunk->index], biased(no_class, chunk->index));
	}
	qr_directory_set(chunk->index, NULL);
	raw_spin_unlock(&view_lock);
}

/* Only the chunk's own node has the entry set: for the CPUs of other nodes it is always 0. */
void qr_chunk_set_slow(struct qr_chunk *chunk, bool slow)
{
	struct view *v = &views[chunk->node];
	unsigned long flags;

	raw_spin_lock_irqsave(&view_lock, flags);
	chunk->nr_slow += slow ? 1 : -1;
	if (is_own(v, chunk->index))
		WRITE_ONCE(v->fast[chunk->index], !chunk->nr_slow);
	raw_spin_unlock_irqrestore(&view_lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_chunk_set_slow);

bool qr_chunk_is_fast(const struct qr_chunk *chunk)
{
	const struct view *v = &views[chunk->node];
	unsigned long flags;
	bool fast;

	raw_spin_lock_irqsave(&view_lock, flags);
	fast = is_own(v, chunk->index) && v->fast[chunk->index];
	raw_spin_unlock_irqrestore(&view_lock, flags);
	return fast;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_chunk_is_fast);

bool qr_view_covers(const struct qr_chunk *chunk)
{
	return is_own(&views[chunk->node], chunk->index);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_view_covers);

static void show_view(unsigned int cpu, int node)
{
	struct qr_view *view = per_cpu_ptr(&qr_view, cpu);

	WRITE_ONCE(view->fast, views[node].fast);
	WRITE_ONCE(view->class, views[node].class);
}

/* The nearest node that has memory.  The CPU's own node may have none. */
static int home_of(unsigned int cpu)
{
	int node = cpu_to_mem(cpu), best = first_node(qr_nodes), other;

	if (node == NUMA_NO_NODE || !node_online(node))
		return best;
	for_each_node_mask(other, qr_nodes)
		if (node_distance(node, other) < node_distance(node, best))
			best = other;
	return best;
}

/* Called before @cpu runs anything, because its nearest node may change while it is offline. */
void qr_view_set_cpu(unsigned int cpu)
{
	int node = home_of(cpu);
	unsigned long flags;

	raw_spin_lock_irqsave(&view_lock, flags);
	per_cpu(qr_home_node, cpu) = node;
	show_view(cpu, node);
	raw_spin_unlock_irqrestore(&view_lock, flags);
}

/* --- Mappings --- */

/* Page @i of a part; of the view's own pages, which an old mapping shows, if it has them. */
static struct page *page_of(const void *old, bool own, unsigned long page, struct page *shared)
{
	return own ? vmalloc_to_page(old + page * PAGE_SIZE) : shared;
}

/* The pages of a part that gets its own: the first is for bytes, the others are for pointers. */
static void free_part(struct page **pages)
{
	unsigned int i;

	for (i = 0; i < FAST_PAGES + CLASS_PAGES; i++)
		qr_meta_page_free(pages[i]);
}

static bool get_part(struct page **pages, int node)
{
	unsigned int i;

	memset(pages, 0, (FAST_PAGES + CLASS_PAGES) * sizeof(*pages));
	for (i = 0; i < FAST_PAGES + CLASS_PAGES; i++) {
		pages[i] = qr_meta_page(node);
		if (!pages[i]) {
			free_part(pages);
			return false;
		}
		if (i >= FAST_PAGES)
			copy_page(page_address(pages[i]),
				  page_address(no_class_pages[i - FAST_PAGES]));
	}
	return true;
}

/*
 * Map the view of @node anew, with @nr parts, of which @add gets its own pages if it is less than
 * @nr.  With the mutex in directory.c.  The old mapping goes after a grace period.
 */
static int view_map(int node, unsigned long nr, unsigned long add)
{
	struct page *part[FAST_PAGES + CLASS_PAGES], **pages, **to;
	size_t bytes = nr * sizeof(part), map_bytes = BITS_TO_LONGS(nr) * sizeof(long);
	struct view *v = &views[node], old = *v, new = { .nr_parts = nr };
	unsigned long p, flags;
	unsigned int i, cpu;

	if (add < nr && !get_part(part, node))
		return -ENOMEM;
	pages = qr_meta_kvalloc(bytes, GFP_KERNEL);
	new.own = qr_meta_alloc(map_bytes, GFP_KERNEL, NUMA_NO_NODE);
	new.wanted = qr_meta_alloc(map_bytes, GFP_KERNEL, NUMA_NO_NODE);
	if (!pages || !new.own || !new.wanted)
		goto no_memory;
	to = pages;
	for (p = 0; p < nr; p++) {
		bool own = p < old.nr_parts && test_bit(p, old.own);

		for (i = 0; i < FAST_PAGES; i++)
			*to++ = p == add ? part[i] :
					   page_of(old.fast, own, p * FAST_PAGES + i, no_fast);
	}
	for (p = 0; p < nr; p++) {
		bool own = p < old.nr_parts && test_bit(p, old.own);

		for (i = 0; i < CLASS_PAGES; i++)
			*to++ = p == add ? part[FAST_PAGES + i] :
					   page_of(old.class, own, p * CLASS_PAGES + i,
						   no_class_pages[i]);
	}
	new.fast = qr_meta_vmap(pages, nr * FAST_PAGES);
	new.class = qr_meta_vmap(pages + nr * FAST_PAGES, nr * CLASS_PAGES);
	if (!new.fast || !new.class)
		goto no_memory;
	qr_meta_kvfree(pages, bytes);

	raw_spin_lock_irqsave(&view_lock, flags);
	if (old.nr_parts) {
		bitmap_copy(new.own, old.own, old.nr_parts);
		bitmap_copy(new.wanted, old.wanted, old.nr_parts);
	}
	if (add < nr) {
		__set_bit(add, new.own);
		__clear_bit(add, new.wanted);
	}
	*v = new;
	for_each_possible_cpu(cpu)
		if (per_cpu(qr_home_node, cpu) == node)
			show_view(cpu, node);
	raw_spin_unlock_irqrestore(&view_lock, flags);
	if (!old.nr_parts)
		return 0;
	if (likely(live))
		synchronize_rcu();
	qr_meta_vunmap(old.fast, old.nr_parts * FAST_PAGES);
	qr_meta_vunmap(old.class, old.nr_parts * CLASS_PAGES);
	qr_meta_free(old.own, BITS_TO_LONGS(old.nr_parts) * sizeof(long));
	qr_meta_free(old.wanted, BITS_TO_LONGS(old.nr_parts) * sizeof(long));
	return 0;

no_memory:
	qr_meta_vunmap(new.fast, nr * FAST_PAGES);
	qr_meta_vunmap(new.class, nr * CLASS_PAGES);
	qr_meta_free(new.own, map_bytes);
	qr_meta_free(new.wanted, map_bytes);
	qr_meta_kvfree(pages, bytes);
	if (add < nr)
		free_part(part);
	return -ENOMEM;
}

/* Part @p has pages of its own now: open the views of its chunks that came before. */
static void open_part(int node, unsigned long p)
{
	unsigned long i = p * VIEW_PART, end = i + VIEW_PART, slice, flags;
	struct qr_chunk *chunk;

	while ((i = qr_directory_next(i)) < end) {
		raw_spin_lock_irqsave(&view_lock, flags);
		for (slice = min(round_up(i + 1, 64), end); i < slice; i++) {
			chunk = qr_chunk_at(i);
			if (chunk && chunk->kind == QR_ORDINARY && chunk->node == node)
				view_open(&views[node], chunk);
		}
		raw_spin_unlock_irqrestore(&view_lock, flags);
	}
}

int qr_view_extend(int node, unsigned long nr)
{
	if (views[node].nr_parts * VIEW_PART >= nr)
		return 0;
	return view_map(node, nr / VIEW_PART, ULONG_MAX);
}

int qr_view_give_part(int node, unsigned long index)
{
	int err = view_map(node, views[node].nr_parts, index / VIEW_PART);

	if (!err)
		open_part(node, index / VIEW_PART);
	return err;
}

int qr_view_give_wanted(int node)
{
	struct view *v = &views[node];
	unsigned long p;
	int err = 0;

	/* Without memory, the next chunk that comes there tries again. */
	while (!err && (p = find_first_bit(v->wanted, v->nr_parts)) < v->nr_parts)
		err = qr_view_give_part(node, p * VIEW_PART);
	return err;
}

void qr_view_want_beyond(unsigned long from)
{
	unsigned long i, flags;
	struct qr_chunk *chunk;

	for (i = from; (i = qr_directory_next(i)) < READ_ONCE(qr_directory)->nr; i++) {
		raw_spin_lock_irqsave(&view_lock, flags);
		chunk = qr_chunk_at(i);
		if (chunk && chunk->kind == QR_ORDINARY && !is_own(&views[chunk->node], i))
			__set_bit(i / VIEW_PART, views[chunk->node].wanted);
		raw_spin_unlock_irqrestore(&view_lock, flags);
	}
}

void qr_views_go_live(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		qr_view_set_cpu(cpu);
	live = true;
}

int qr_views_init(void)
{
	unsigned long i;

	BUILD_BUG_ON(VIEW_PART % PAGE_SIZE || VIEW_PART % BIAS_CHUNKS);
	no_fast = qr_meta_page(NUMA_NO_NODE);
	if (!no_fast)
		return -ENOMEM;
	for (i = 0; i < CLASS_PAGES; i++) {
		no_class_pages[i] = qr_meta_page(NUMA_NO_NODE);
		if (!no_class_pages[i])
			goto no_memory;
	}
	for (i = 0; i < VIEW_PART; i++) {
		unsigned long each = PAGE_SIZE / sizeof(u8 *);
		const u8 **page = page_address(no_class_pages[i / each]);

		page[i % each] = biased(no_class, i);
	}
	return 0;

no_memory:
	qr_views_exit();
	return -ENOMEM;
}

static void view_exit(struct view *v)
{
	unsigned long p;
	unsigned int i;

	for (p = 0; p < v->nr_parts; p++) {
		if (!test_bit(p, v->own))
			continue;
		for (i = 0; i < FAST_PAGES; i++)
			qr_meta_page_free(page_of(v->fast, true, p * FAST_PAGES + i, NULL));
		for (i = 0; i < CLASS_PAGES; i++)
			qr_meta_page_free(page_of(v->class, true, p * CLASS_PAGES + i, NULL));
	}
	qr_meta_vunmap(v->fast, v->nr_parts * FAST_PAGES);
	qr_meta_vunmap(v->class, v->nr_parts * CLASS_PAGES);
	qr_meta_free(v->own, BITS_TO_LONGS(v->nr_parts) * sizeof(long));
	qr_meta_free(v->wanted, BITS_TO_LONGS(v->nr_parts) * sizeof(long));
	memset(v, 0, sizeof(*v));
}

void qr_views_exit(void)
{
	unsigned int i;
	int node;

	live = false;
	for_each_node_mask(node, qr_nodes)
		view_exit(&views[node]);
	for (i = 0; i < CLASS_PAGES; i++)
		qr_meta_page_free(no_class_pages[i]);
	qr_meta_page_free(no_fast);
}

/* At the end of the file: sparse forgets that a variable is per CPU after its export. */
EXPORT_SYMBOL_QUARRY(qr_view);
