// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks of objects that wait for a grace period.
 *
 * A block is filled with the objects of a CPU's head and waits in a list for its call_rcu().  When
 * memory is short, qr_rcu_expedite() takes all blocks out of the list, and frees their objects
 * after an expedited grace period, which ends earlier.
 */
#include "cache/rcu_block.h"

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "cache/deferred.h"
#include "compat.h"
#include "core/metadata.h"
#include "magazine/magazine.h"
#include "slab/mapped.h"

/* Empty blocks that a CPU keeps, at most. */
#define SPARES 2

/**
 * struct qr_rcu_block - objects that wait for the same grace period
 * @rcu: calls block_done() when the grace period has ended
 * @link: in the list @waiting
 * @next: in a CPU's stack of empty blocks
 * @nr: objects; 0 once they are free
 * @hurried: qr_rcu_expedite() is freeing the objects, so block_done() must not
 * @done: block_done() has been called
 * @obj: the objects
 */
struct qr_rcu_block {
	struct rcu_head rcu;
	union {
		struct list_head link;
		struct qr_rcu_block *next;
	};
	unsigned int nr;
	bool hurried;
	bool done;
	void *obj[QR_RCU_BLOCK];
};

/**
 * struct kept - empty blocks that a CPU keeps; used by that CPU with interrupts off
 * @spares: stack of them
 * @nr_spares: how many
 */
struct kept {
	struct qr_rcu_block *spares;
	unsigned int nr_spares;
};

static DEFINE_PER_CPU(struct kept, kept);
static struct kmem_cache *blocks;

/* Guards @waiting, @nr_waiting, and the members of a block until its objects are free. */
static DEFINE_RAW_SPINLOCK(lock);
static LIST_HEAD(waiting);
static unsigned long nr_waiting; /* objects in blocks of the list */

static DEFINE_MUTEX(hurry_lock); /* one qr_rcu_expedite() at a time */

bool qr_rcu_no_blocks;
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_no_blocks);

struct qr_rcu_block *qr_rcu_block_new(void)
{
	if (unlikely(READ_ONCE(qr_rcu_no_blocks)))
		return NULL;
	/* There the kernel's allocator takes locks that sleep. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())
		return NULL;
	return qr_meta_cache_alloc(blocks, GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC,
				   numa_mem_id());
}

bool qr_rcu_has_spare(void)
{
	return raw_cpu_read(kept.spares);
}

struct qr_rcu_block *qr_rcu_spare_get(void)
{
	struct kept *k = this_cpu_ptr(&kept);
	struct qr_rcu_block *b = READ_ONCE(qr_rcu_no_blocks) ? NULL : k->spares;

	if (b) {
		k->spares = b->next;
		k->nr_spares--;
	}
	return b;
}

void qr_rcu_block_free(struct qr_rcu_block *b)
{
	struct kept *k;
	unsigned long flags;

	local_irq_save(flags);
	k = this_cpu_ptr(&kept);
	if (k->nr_spares < SPARES) {
		b->next = k->spares;
		k->spares = b;
		k->nr_spares++;
		b = NULL;
	}
	local_irq_restore(flags);
	if (b)
		qr_meta_cache_free(blocks, b);
}

/* The cache of @slab, if its objects can be freed by quarry_cache_free_bulk(); otherwise NULL. */
static struct qr_cache *plain_cache(const struct qr_slab *slab)
{
	struct qr_cache *c = slab ? READ_ONCE(slab->cache) : NULL;

	/* Bulk frees to a size class do not look for cleanups, see qr_slab_set_fast(). */
	if (unlikely(!c) || unlikely(READ_ONCE(c->apart)) || unlikely(READ_ONCE(slab->nr_cleaned)))
		return NULL;
	return c;
}

/* Quicker than to look up the slab. */
static bool is_within(const struct qr_slab *slab, const void *p)
{
	unsigned long offset = p - slab->base;

	return offset < (unsigned long)slab->run.nr << PAGE_SHIFT;
}

/*
 * Free @n objects; those side by side in @obj that are of one cache are freed in bulk.  Objects
 * are handed out slab by slab, so the last object's slab often is that of the next.
 */
static void free_objects(void **obj, unsigned int n)
{
	struct qr_slab *slab;
	struct qr_cache *c;
	unsigned int i, end;

	for (i = 0; i < n; i = end) {
		slab = qr_slab_of(obj[i]);
		c = plain_cache(slab);
		end = i + 1;
		if (unlikely(!c)) {
			qr_free_slow(NULL, obj[i]);
			continue;
		}
		for (; end < n; end++) {
			if (likely(is_within(slab, obj[end])))
				continue;
			slab = qr_slab_of(obj[end]);
			if (plain_cache(slab) != c)
				break;
		}
		quarry_cache_free_bulk(&c->pub, end - i, obj + i);
	}
}

/* The grace period has ended: free the objects, unless qr_rcu_expedite() does. */
static void block_done(struct rcu_head *rcu)
{
	struct qr_rcu_block *b = container_of(rcu, struct qr_rcu_block, rcu);
	unsigned int n = 0;
	unsigned long flags;
	bool mine;

	raw_spin_lock_irqsave(&lock, flags);
	mine = !b->hurried;
	if (mine && b->nr) {
		n = b->nr;
		nr_waiting -= n;
		list_del(&b->link);
	}
	b->done = true;
	raw_spin_unlock_irqrestore(&lock, flags);
	if (!mine)
		return;
	free_objects(b->obj, n);
	qr_rcu_block_free(b);
}

void qr_rcu_set_aside(void *p, unsigned long ip)
{
	struct qr_slab *slab = qr_slab_of(p) ?: qr_mapped_of(p);
	int i = slab && READ_ONCE(slab->cache) ? qr_slab_index(slab, p) : 0;

	if (unlikely(!slab || i < 0))
		qr_report(slab ? QR_MISUSE_INTERIOR : QR_MISUSE_FOREIGN, p, NULL, NULL, ip);
	else if (unlikely(qr_defer_free(slab, i)))
		qr_report(QR_MISUSE_DOUBLE_FREE, p, NULL, NULL, ip);
}

void qr_rcu_block_send(struct qr_head *h, unsigned int n, struct qr_rcu_block *b)
{
	unsigned int i;

	if (unlikely(!b)) {
		for (i = 0; i < n; i++)
			qr_rcu_set_aside(h->obj[i], _RET_IP_);
		return;
	}
	qr_copy(b->obj, h->obj, n);
	b->nr = n;
	b->hurried = false;
	b->done = false;
	raw_spin_lock(&lock);
	list_add_tail(&b->link, &waiting);
	nr_waiting += n;
	raw_spin_unlock(&lock);
	call_rcu(&b->rcu, block_done);
}

struct qr_rcu_block *qr_rcu_take_spares(unsigned int cpu)
{
	struct kept *k = per_cpu_ptr(&kept, cpu);
	struct qr_rcu_block *b = k->spares;

	k->spares = NULL;
	k->nr_spares = 0;
	return b;
}

void qr_rcu_drop_spares(struct qr_rcu_block *b)
{
	struct qr_rcu_block *next;

	for (; b; b = next) {
		next = b->next;
		qr_meta_cache_free(blocks, b);
	}
}

void qr_rcu_wait(void)
{
	qr_deferred_barrier(); /* contains rcu_barrier(), which waits for all blocks */
	/* Wait also for objects that qr_rcu_expedite() is freeing now. */
	mutex_lock(&hurry_lock);
	mutex_unlock(&hurry_lock);
}

void qr_rcu_expedite(void)
{
	LIST_HEAD(mine);
	struct qr_rcu_block *b;

	mutex_lock(&hurry_lock);
	raw_spin_lock_irq(&lock);
	list_splice_init(&waiting, &mine);
	raw_spin_unlock_irq(&lock);
	synchronize_rcu_expedited();
	for (;;) {
		unsigned int n = 0;
		bool done;

		raw_spin_lock_irq(&lock);
		b = list_first_entry_or_null(&mine, struct qr_rcu_block, link);
		if (b) {
			list_del(&b->link);
			b->hurried = true;
			n = b->nr;
			nr_waiting -= n;
		}
		raw_spin_unlock_irq(&lock);
		if (!b)
			break;
		free_objects(b->obj, n);
		raw_spin_lock_irq(&lock);
		done = b->done;
		b->hurried = false;
		b->nr = 0;
		raw_spin_unlock_irq(&lock);
		if (done)
			qr_rcu_block_free(b);
		cond_resched();
	}
	mutex_unlock(&hurry_lock);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_expedite);

unsigned long qr_rcu_in_blocks(void)
{
	return READ_ONCE(nr_waiting);
}

int qr_rcu_blocks_init(void)
{
	blocks = qr_meta_cache_create("quarry_rcu", sizeof(struct qr_rcu_block), true);
	return blocks ? 0 : -ENOMEM;
}

void qr_rcu_blocks_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		qr_rcu_drop_spares(qr_rcu_take_spares(cpu));
	kmem_cache_destroy(blocks);
}
