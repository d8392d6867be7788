// SPDX-License-Identifier: GPL-2.0
/*
 * The search for live objects that nothing points to.
 *
 * It is the marking of a conservative garbage collector with three colours (Dijkstra and others,
 * "On-the-fly garbage collection", 1978; Boehm and Weiser, "Garbage collection in an uncooperative
 * environment", 1988).  Every word of the kernel's memory that looks like the address of an object,
 * or of a place in it, counts as a pointer to it.  Roots are all pages that belong to the kernel:
 * its data, that of modules and processors, stacks, vmalloc() areas and slabs, because each of
 * these is in some page of the direct map.  A reached object is searched in its turn.
 *
 * No pointer of Quarry's own counts, or each object would be reached: pages of its kmem_caches are
 * left out, and the arrays below have offsets and no addresses.  The magazines of all caches are
 * shut meanwhile, because an object that waits in one would look live, with no pointer to it.
 *
 * The machine goes on.  A pointer may be moved from a place that the search has not seen yet to one
 * that it has seen, and its object looks lost.  So there are rounds: each searches all memory, and
 * looks which of the objects that no round has reached are still live.  An object that is reached
 * once, or freed once, is not lost.  The last round is the first that finds no such object.
 * Objects that are allocated meanwhile are not judged, but searched like others (newcomers.c).
 *
 * What cannot be seen: pointers that only a register, a device or a page of a process has; pointers
 * that are stored in another form (compressed, with bits set, as a physical address or a page frame
 * number).  Such objects look lost.  A word that looks like a pointer by chance, or was left behind
 * in memory that is free or was never cleared, hides a leak.
 */
#include "view/find_leaks.h"

#include <linux/bitops.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <quarry/rcu.h>
#include "api/arena_view.h"
#include "cache/cache.h"
#include "compat.h"
#include "core/metadata.h"
#include "probe/slab_layout.h"
#include "slab/large.h"
#include "view/newcomers.h"

#define MOST_ROUNDS 10

/**
 * struct target - an object that is judged
 * @offset: of its first byte from the start of the direct map, so that this is no pointer to it
 * @size: its bytes
 * @reached: something points to it, in the round that is under way
 * @live: it was found among the live objects, in the round that is under way
 * @kept: it counts as reached, because a pool keeps it
 * @clear: it is not lost, as some round has shown
 */
struct target {
	u64 offset : 47;
	u64 reached : 1;
	u64 live : 1;
	u64 kept : 1;
	u64 clear : 1;
	u32 size;
};

/**
 * struct search - a search
 * @s: its numbers
 * @target: the objects, by address
 * @nr: how many
 * @room: how many there is memory for
 * @first: @offset of the first one
 * @span: bytes from there to the end of the last one
 * @shift: of the parts of that for which @index has entries
 * @index: [i] is how many objects begin in a part before the part i
 * @nr_index: entries of @index
 * @newcomers: objects that something points to, and that are no targets
 * @todo: numbers of objects that were reached, and not searched yet
 * @nr_todo: how many
 * @page: a copy of what is being searched
 * @fn: see qr_find_leaks()
 * @arg: see qr_find_leaks()
 * @at: where the last walk over the objects has come to in @target
 */
struct search {
	struct qr_leak_search *s;
	struct target *target;
	u32 nr;
	u32 room;
	u64 first;
	u64 span;
	unsigned int shift;
	u32 *index;
	u32 nr_index;
	struct qr_newcomers newcomers;
	u32 *todo;
	u32 nr_todo;
	unsigned long *page;
	qr_object_fn fn;
	void *arg;
	u32 at;
};

static DEFINE_MUTEX(search_lock); /* one search at a time; outermost */

/* --- Objects --- */

static int count_object(const struct qr_object *o, void *arg)
{
	u32 *n = arg;

	if (*n == U32_MAX)
		return -ENOMEM;
	(*n)++;
	return 0;
}

/* The objects of pools are kept for later, and pools' own memory is not searched. */
static bool is_kept(u32 cache)
{
	const struct qr_cache *c;
	bool kept;

	rcu_read_lock();
	c = cache ? qr_cache_find(cache) : NULL;
	kept = c && c->keeper;
	rcu_read_unlock();
	return kept;
}

/* Is it an object of a cache, or a large one?  The walk ends with sampled objects of arenas. */
static bool is_judged(const struct qr_object *o)
{
	const struct qr_slab *slab;
	bool judged;

	rcu_read_lock();
	slab = qr_slab_of(o->ptr);
	judged = slab && READ_ONCE(slab->bin) != QR_ARENA_BLOCK;
	rcu_read_unlock();
	return judged;
}

static int add_object(const struct qr_object *o, void *arg)
{
	struct search *x = arg;
	u64 offset = qr_offset(o->ptr);

	/* More objects may have come since they were counted: those are not judged. */
	if (x->nr == x->room || !is_judged(o) || (x->nr && offset <= x->target[x->nr - 1].offset))
		return 0;
	x->target[x->nr++] = (struct target){
		.offset = offset,
		.size = o->size,
		.kept = is_kept(o->cache),
	};
	return 0;
}

/* About as many parts as objects, and none is smaller than a page. */
static int make_index(struct search *x)
{
	const struct target *last;
	u32 i, part = 0;

	if (!x->nr)
		return 0;
	last = &x->target[x->nr - 1];
	x->first = x->target[0].offset;
	x->span = last->offset + last->size - x->first;
	x->shift = PAGE_SHIFT;
	while (x->span >> x->shift > max(x->nr, 1024U))
		x->shift++;
	x->nr_index = (x->span >> x->shift) + 2;
	x->index = qr_meta_valloc(array_size(x->nr_index, sizeof(*x->index)));
	if (!x->index)
		return -ENOMEM;
	for (i = 0; i < x->nr; i++)
		while (part <= (x->target[i].offset - x->first) >> x->shift)
			x->index[part++] = i;
	while (part < x->nr_index)
		x->index[part++] = x->nr;
	return 0;
}

/* The number of the object that @offset lies in, or -1.  @offset is within @x->span. */
static s64 target_at(const struct search *x, u64 offset)
{
	u64 part = (offset - x->first) >> x->shift;
	u32 low = x->index[part], high = x->index[part + 1];

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (x->target[mid].offset <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || offset - x->target[low - 1].offset >= x->target[low - 1].size)
		return -1;
	return low - 1;
}

/* --- Marking --- */

static void reach(struct search *x, u32 i)
{
	if (x->target[i].reached)
		return;
	x->target[i].reached = true;
	x->todo[x->nr_todo++] = i;
}

static void look_at_word(struct search *x, unsigned long word)
{
	u64 offset = word - QR_MAP_START;
	s64 i = -1;

	if (likely(offset >> QR_CHUNK_SHIFT >= qr_nr_chunks))
		return;
	if (offset - x->first < x->span)
		i = target_at(x, offset);
	if (i >= 0)
		reach(x, i);
	else
		qr_newcomers_meet(&x->newcomers, (const void *)word);
}

/* Search memory of the direct map, which need not be mapped there. */
static void look_at(struct search *x, const void *from, size_t size)
{
	unsigned int i, n;

	for (; size >= sizeof(long); from += n, size -= min_t(size_t, size, n)) {
		n = min_t(size_t, PAGE_SIZE - offset_in_page(from), round_down(size, sizeof(long)));
		if (copy_from_kernel_nofault(x->page, from, n)) {
			x->s->hidden++;
			continue;
		}
		for (i = 0; i < n / sizeof(long); i++)
			look_at_word(x, x->page[i]);
	}
}

static bool look_at_one(struct search *x)
{
	const struct target *t;
	const void *newcomer;
	size_t size;

	if (x->nr_todo) {
		t = &x->target[x->todo[--x->nr_todo]];
		look_at(x, (const void *)(QR_MAP_START + t->offset), t->size);
		return true;
	}
	if (!qr_newcomers_next(&x->newcomers, &newcomer, &size))
		return false;
	look_at(x, newcomer, size);
	return true;
}

static void look_at_reached(struct search *x)
{
	while (look_at_one(x))
		cond_resched();
}

/* --- Roots --- */

/* Does a kmem_cache of Quarry's own have this page? */
static bool is_own_metadata(struct page *page)
{
	const struct kmem_cache *cache = qr_kernel_cache_of(page_address(page));
	const char *name = cache ? qr_kernel_cache_name(cache) : NULL;

	return name && !strncmp(name, "quarry_", 7);
}

/* Is this a page of a process or of a file, or free?  None of these has pointers of the kernel. */
static bool is_no_root(struct page *page)
{
	struct page *head = compound_head(page);

	if (PageReserved(page))
		return false;
	if (PageSlab(head))
		return is_own_metadata(head);
	return !page_ref_count(head) || PageLRU(head) || READ_ONCE(head->mapping) ||
	       PageTable(head);
}

/* Blocks of arenas and mapped objects are not judged, so whatever is in them counts. */
static bool is_own_root(const struct qr_slab *slab)
{
	return !READ_ONCE(slab->depot) && (slab->pages || !qr_is_large(slab));
}

static bool is_root(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	const struct qr_slab *slab = NULL;
	struct qr_chunk *chunk;
	bool root = true;
	unsigned int k;

	if (!page)
		return false;
	k = qr_page_in_chunk(page_address(page));
	rcu_read_lock();
	chunk = qr_chunk_at(qr_chunk_index(page_address(page)));
	if (chunk)
		slab = READ_ONCE(chunk->slab[k]);
	if (slab)
		root = is_own_root(slab);
	else if (chunk && chunk->kind != QR_MIXED)
		root = test_bit(k, chunk->holes); /* or it is idle */
	rcu_read_unlock();
	return root && (slab || !is_no_root(page));
}

static bool is_killed(void)
{
	cond_resched();
	return fatal_signal_pending(current);
}

static int look_at_roots(struct search *x)
{
	unsigned long pfn;
	int node;
	u32 i;

	for (i = 0; i < x->nr; i++)
		if (x->target[i].kept)
			reach(x, i);
	for_each_online_node(node)
		for (pfn = node_start_pfn(node); pfn < node_end_pfn(node); pfn++) {
			if (is_killed())
				return -EINTR;
			if (!is_root(pfn))
				continue;
			x->s->pages++;
			look_at(x, pfn_to_kaddr(pfn), PAGE_SIZE);
			look_at_reached(x);
		}
	return 0;
}

/* --- The search --- */

/* Search all memory once. */
static int mark(struct search *x)
{
	int err;
	u32 i;

	for (i = 0; i < x->nr; i++)
		x->target[i].reached = false;
	x->nr_todo = 0;
	qr_newcomers_init(&x->newcomers);
	err = look_at_roots(x) ?: x->newcomers.err;
	qr_newcomers_exit(&x->newcomers);
	for (i = 0; i < x->nr && !err; i++)
		x->target[i].clear |= x->target[i].reached;
	return err;
}

/* Step on to the target that @o is; NULL if it is none. */
static struct target *target_of(struct search *x, const struct qr_object *o)
{
	u64 offset = qr_offset(o->ptr);

	while (x->at < x->nr && x->target[x->at].offset < offset)
		x->at++;
	if (x->at == x->nr || x->target[x->at].offset != offset || x->target[x->at].size != o->size)
		return NULL;
	return &x->target[x->at];
}

static int see_live(const struct qr_object *o, void *arg)
{
	struct target *t = target_of(arg, o);

	if (t)
		t->live = true;
	return 0;
}

/* Look which targets are still live, and count those that may be lost. */
static int sift(struct search *x, u32 *left)
{
	int err;
	u32 i;

	for (i = 0; i < x->nr; i++)
		x->target[i].live = false;
	x->at = 0;
	err = qr_walk_objects(false, see_live, x);
	for (i = 0, *left = 0; i < x->nr && !err; i++) {
		x->target[i].clear |= !x->target[i].live;
		*left += !x->target[i].clear;
	}
	return err;
}

static int name_lost(const struct qr_object *o, void *arg)
{
	struct search *x = arg;
	const struct target *t = target_of(x, o);

	if (!t || t->clear)
		return 0;
	x->s->leaks++;
	return x->fn(o, x->arg);
}

static int make_room(struct search *x)
{
	u32 n = 0;
	int err = qr_walk_objects(false, count_object, &n);

	if (err)
		return err;
	x->room = max(n, 1U);
	x->target = qr_meta_valloc(array_size(x->room, sizeof(*x->target)));
	x->todo = qr_meta_valloc(array_size(x->room, sizeof(*x->todo)));
	x->page = (unsigned long *)qr_meta_valloc(PAGE_SIZE);
	return x->target && x->todo && x->page ? 0 : -ENOMEM;
}

static int search(struct search *x)
{
	struct qr_leak_search *s = x->s;
	u32 left = 1, before = 0;
	int err;

	quarry_rcu_barrier();
	err = make_room(x) ?: qr_walk_objects(false, add_object, x) ?: make_index(x);
	s->objects = x->nr;
	if (err)
		return err;
	while (s->rounds < MOST_ROUNDS && left && (s->rounds < 2 || left != before)) {
		before = left;
		err = mark(x);
		quarry_rcu_barrier();
		err = err ?: sift(x, &left);
		if (err)
			return err;
		s->rounds++;
	}
	s->reached = x->nr - left;
	x->at = 0;
	return left ? qr_walk_objects(false, name_lost, x) : 0;
}

int qr_find_leaks(struct qr_leak_search *s, qr_object_fn fn, void *arg)
{
	struct search x = { .s = s, .fn = fn, .arg = arg };
	int err;

	memset(s, 0, sizeof(*s));
	if (!mutex_trylock(&search_lock))
		return -EBUSY;
	err = qr_slab_layout_learn();
	if (!err) {
		qr_caches_shut(true);
		err = search(&x);
		qr_caches_shut(false);
	}
	qr_meta_vfree(x.index, array_size(x.nr_index, sizeof(*x.index)));
	qr_meta_vfree(x.target, array_size(x.room, sizeof(*x.target)));
	qr_meta_vfree(x.todo, array_size(x.room, sizeof(*x.todo)));
	qr_meta_vfree(x.page, PAGE_SIZE);
	mutex_unlock(&search_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_find_leaks);
