// SPDX-License-Identifier: GPL-2.0
/*
 * The directory, and the length of directory and views.
 *
 * What sleeps is done by those who can: the notifier for memory that comes online, an allocation
 * that may sleep, or a work item.
 */
#include "pages/directory.h"

#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"
#include "core/work_queue.h"
#include "pages/chunk.h"
#include "pages/view.h"

/* No kernel's direct map is longer than 2^56 bytes. */
#define MAX_INDEX (1UL << (56 - QR_CHUNK_SHIFT))

static struct qr_directory nowhere;
struct qr_directory *qr_directory = &nowhere;
EXPORT_SYMBOL_QUARRY_TEST(qr_directory);

#ifndef CONFIG_X86_64
unsigned long qr_map_start __ro_after_init;
EXPORT_SYMBOL_QUARRY(qr_map_start);

static void find_map_start(void)
{
	unsigned long first = ULONG_MAX;
	int node;

	for_each_node_state(node, N_MEMORY)
		first = min(first, NODE_DATA(node)->node_start_pfn);
	qr_map_start = round_down((unsigned long)pfn_to_kaddr(first), 1UL << QR_CHUNK_SHIFT);
}
#else
static void find_map_start(void)
{
}
#endif

unsigned long qr_nr_chunks __read_mostly;
EXPORT_SYMBOL_QUARRY(qr_nr_chunks);
/* A part of the directory that never had a chunk. */
static struct qr_chunk *no_chunks[QR_DIRECTORY_PART];

/*
 * Memory is asked for with it, so the kernel must not need I/O for that.  An allocation only tries
 * it: the holder may be waiting for reclaim, in which a client may allocate.
 */
static DEFINE_MUTEX(span_mutex);
/* Changes of which parts there are; innermost. */
static DEFINE_RAW_SPINLOCK(parts_lock);

static void span_fn(struct work_struct *work);
static DECLARE_WORK(span_work, span_fn);
/* The end of what the directory should cover, in chunks. */
static atomic_long_t wanted_nr;

/* --- The directory --- */

static size_t directory_bytes(unsigned long nr)
{
	return struct_size_t(struct qr_directory, part, nr / QR_DIRECTORY_PART);
}

static int directory_extend(unsigned long nr)
{
	struct qr_directory *new, *old = qr_directory;
	unsigned long i, flags;

	if (nr <= old->nr)
		return 0;
	new = qr_meta_kvalloc(directory_bytes(nr), GFP_KERNEL);
	if (!new)
		return -ENOMEM;
	new->nr = nr;
	new->older = old;
	for (i = old->nr / QR_DIRECTORY_PART; i < nr / QR_DIRECTORY_PART; i++)
		new->part[i] = no_chunks;
	raw_spin_lock_irqsave(&parts_lock, flags);
	memcpy(new->part, old->part, old->nr / QR_DIRECTORY_PART * sizeof(*new->part));
	/* Pairs with the address dependency in qr_chunk_at(). */
	smp_store_release(&qr_directory, new);
	raw_spin_unlock_irqrestore(&parts_lock, flags);
	return 0;
}

bool qr_directory_prepare(unsigned long index, gfp_t gfp)
{
	unsigned long part = index / QR_DIRECTORY_PART, flags;
	struct qr_directory *dir = READ_ONCE(qr_directory);
	struct qr_chunk **new;

	if (likely(READ_ONCE(dir->part[part]) != no_chunks))
		return true;
	new = qr_meta_alloc(sizeof(no_chunks), gfp, NUMA_NO_NODE);
	if (!new)
		return false;
	raw_spin_lock_irqsave(&parts_lock, flags);
	dir = qr_directory;
	if (dir->part[part] == no_chunks) {
		/* Pairs with the address dependency in qr_chunk_at(): the part is zeroed. */
		smp_store_release(&dir->part[part], new);
		new = NULL;
	}
	raw_spin_unlock_irqrestore(&parts_lock, flags);
	qr_meta_free(new, sizeof(no_chunks));
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_directory_prepare);

void qr_directory_set(unsigned long index, struct qr_chunk *chunk)
{
	struct qr_directory *dir = READ_ONCE(qr_directory);

	WRITE_ONCE(dir->part[index / QR_DIRECTORY_PART][index % QR_DIRECTORY_PART], chunk);
}

unsigned long qr_directory_next(unsigned long index)
{
	const struct qr_directory *dir = READ_ONCE(qr_directory);

	while (index < dir->nr && READ_ONCE(dir->part[index / QR_DIRECTORY_PART]) == no_chunks)
		index = round_down(index, QR_DIRECTORY_PART) + QR_DIRECTORY_PART;
	return index;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_directory_next);

struct qr_chunk *qr_chunk_from(unsigned long *index)
{
	unsigned long i = *index;
	struct qr_chunk *chunk;

	for (; (i = qr_directory_next(i)) < READ_ONCE(qr_directory)->nr; i++) {
		chunk = qr_chunk_at(i);
		if (chunk) {
			*index = i;
			return chunk;
		}
	}
	return NULL;
}

/* --- Length --- */

/* Extend directory and views to @nr chunks.  With span_mutex. */
static int extend(unsigned long nr)
{
	unsigned long was = qr_nr_chunks;
	int node, err;

	nr = round_up(nr, QR_VIEW_PART);
	err = directory_extend(nr);
	if (err || nr <= was)
		return err;
	for_each_node_mask(node, qr_nodes) {
		err = qr_view_extend(node, nr);
		if (err)
			return err;
	}
	/* The CPUs have seen the longer views: a grace period has passed. */
	smp_store_release(&qr_nr_chunks, nr);
	if (was)
		qr_view_want_beyond(was);
	return 0;
}

static void span_fn(struct work_struct *work)
{
	unsigned int flags = memalloc_noio_save();
	int node, err = 0;

	mutex_lock(&span_mutex);
	if (atomic_long_read(&wanted_nr) > qr_nr_chunks)
		err = extend(atomic_long_read(&wanted_nr));
	for_each_node_mask(node, qr_nodes)
		if (!err)
			err = qr_view_give_wanted(node);
	mutex_unlock(&span_mutex);
	memalloc_noio_restore(flags);
}

void qr_directory_want(unsigned long nr)
{
	long was = atomic_long_read(&wanted_nr);

	while (was < nr && !atomic_long_try_cmpxchg(&wanted_nr, &was, nr))
		;
	queue_work(qr_work_queue, &span_work);
}

int qr_directory_grow(unsigned long end)
{
	unsigned int flags = memalloc_noio_save();
	int err;

	mutex_lock(&span_mutex);
	err = extend(qr_chunks_below(end));
	mutex_unlock(&span_mutex);
	memalloc_noio_restore(flags);
	/* Parts that chunks beyond the old end wait for. */
	queue_work(qr_work_queue, &span_work);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_directory_grow);

bool qr_directory_covers(unsigned long index, gfp_t gfp)
{
	if (likely(index < READ_ONCE(qr_directory)->nr))
		return true;
	/* It lies below QR_MAP_START: that memory was added later. */
	if (unlikely(index >= MAX_INDEX))
		return false;
	if (gfpflags_allow_blocking(gfp) && mutex_trylock(&span_mutex)) {
		unsigned int flags = memalloc_noio_save();
		int err = extend(index + 1);

		memalloc_noio_restore(flags);
		mutex_unlock(&span_mutex);
		if (!err)
			return true;
	}
	qr_directory_want(index + 1);
	return false;
}

int qr_directory_add_node(int node)
{
	unsigned int flags = memalloc_noio_save();
	int err;

	mutex_lock(&span_mutex);
	err = qr_view_extend(node, qr_nr_chunks);
	mutex_unlock(&span_mutex);
	memalloc_noio_restore(flags);
	return err;
}

void qr_directory_settle(void)
{
	flush_work(&span_work);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_directory_settle);

/* --- Init and exit --- */

/* The end of the node's memory, without that of devices (ZONE_DEVICE), which is never Quarry's. */
static unsigned long end_of(int node)
{
	const struct zone *zone = NODE_DATA(node)->node_zones;
	unsigned long end = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		if (zone_is_initialized((struct zone *)&zone[i]) && i != QR_COMPAT_ZONE_DEVICE)
			end = max(end, zone_end_pfn(&zone[i]));
	return end;
}

/* Parts of the views, of all nodes, that get their own pages at once: on small machines, all. */
#define EAGER_PARTS 4

static int map_eagerly(unsigned long end)
{
	unsigned long parts = DIV_ROUND_UP(end, QR_VIEW_PART), i;
	int node, err = 0;

	if (parts * nodes_weight(qr_nodes) > EAGER_PARTS)
		return 0;
	for (i = 0; i < end; i += QR_DIRECTORY_PART)
		if (!qr_directory_prepare(i, GFP_KERNEL))
			return -ENOMEM;
	for_each_node_mask(node, qr_nodes)
		for (i = 0; !err && i < parts; i++)
			err = qr_view_give_part(node, i * QR_VIEW_PART);
	return err;
}

int qr_directory_init(void)
{
	unsigned long end = 0;
	int node, err;

	BUILD_BUG_ON(QR_VIEW_PART % QR_DIRECTORY_PART);

	find_map_start();
	err = qr_views_init();
	if (err)
		return err;
	for_each_online_node(node)
		end = max(end, qr_chunks_below(end_of(node)));
	mutex_lock(&span_mutex);
	err = extend(end) ?: map_eagerly(end);
	mutex_unlock(&span_mutex);
	if (err) {
		qr_directory_exit();
		return err;
	}
	qr_views_go_live();
	return 0;
}

void qr_directory_exit(void)
{
	struct qr_directory *dir = qr_directory, *older;
	unsigned long i;

	cancel_work_sync(&span_work);
	qr_views_exit();
	for (i = 0; i < dir->nr / QR_DIRECTORY_PART; i++)
		if (dir->part[i] != no_chunks)
			qr_meta_free(dir->part[i], sizeof(no_chunks));
	qr_directory = &nowhere;
	for (; dir != &nowhere; dir = older) {
		older = dir->older;
		qr_meta_kvfree(dir, directory_bytes(dir->nr));
	}
}
