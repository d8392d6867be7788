// SPDX-License-Identifier: GPL-2.0
/*
 * Frees by RCU, without an rcu_head in the object.  Nothing is written into the object, because
 * readers may still look at all of it.
 *
 * Each CPU collects pointers in a head (quarry/head.h), which takes one in a few instructions in
 * any context but NMI.  When the head is full, it is copied into a block, which waits for its
 * grace period: one call_rcu() for QR_RCU_BLOCK objects.  A head is at rest at first: it has no
 * capacity, so the first pointer takes the slow path.  That starts a timer on the CPU, which
 * empties the head every TICK jiffies, until it finds nothing and the head is at rest again.
 *
 * A free must not fail.  When there is no memory for a block, the objects wait as deferred ones
 * (deferred.h), which takes no memory.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "cache/rcu_free.h"

#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "cache/deferred.h"
#include "compat.h"
#include "core/metadata.h"
#include "magazine/magazine.h"
#include "slab/mapped.h"

/* Jiffies that a pointer stays in a head, at most, before its grace period is started. */
#define TICK max(HZ / 20, 1)

/* Empty blocks that a CPU keeps. */
#define SPARES 2

/**
 * struct block - objects that wait for the same grace period
 * @rcu: calls block_done() when the grace period has ended
 * @link: in the list @waiting
 * @next: in a CPU's stack of empty blocks
 * @nr: objects; 0 once they are free
 * @hurried: qr_rcu_expedite() is freeing the objects, so block_done() must not
 * @done: block_done() has been called
 * @obj: the objects
 */
struct block {
	struct rcu_head rcu;
	union {
		struct list_head link;
		struct block *next;
	};
	unsigned int nr;
	bool hurried;
	bool done;
	void *obj[QR_RCU_BLOCK];
};

/**
 * struct cpu_state - what a CPU has beside its head; used by that CPU with interrupts off
 * @tick: empties the head
 * @cpu: the CPU
 * @spares: stack of empty blocks
 * @nr_spares: blocks in @spares
 */
struct cpu_state {
	struct delayed_work tick;
	unsigned int cpu;
	struct block *spares;
	unsigned int nr_spares;
};

static DEFINE_PER_CPU(struct cpu_state, states);
static struct qr_head __percpu *heads;
static struct kmem_cache *blocks;

/* Guards @waiting, @nr_waiting, and the members of a block until its objects are free. */
static DEFINE_RAW_SPINLOCK(lock);
static LIST_HEAD(waiting);
static unsigned long nr_waiting; /* objects in blocks of the list */

static DEFINE_MUTEX(hurry_lock); /* one qr_rcu_expedite() at a time */

static size_t head_bytes(void)
{
	return round_up(struct_size_t(struct qr_head, obj, QR_RCU_BLOCK), SMP_CACHE_BYTES);
}

/* --- Blocks --- */

bool qr_rcu_no_blocks;
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_no_blocks);

static struct block *block_new(void)
{
	if (unlikely(READ_ONCE(qr_rcu_no_blocks)))
		return NULL;
	return qr_meta_cache_alloc(blocks, GFP_NOWAIT | __GFP_NOWARN, numa_mem_id());
}

/* Take an empty block that this CPU kept, or NULL.  Interrupts off. */
static struct block *spare_get(void)
{
	struct cpu_state *s = this_cpu_ptr(&states);
	struct block *b = READ_ONCE(qr_rcu_no_blocks) ? NULL : s->spares;

	if (b) {
		s->spares = b->next;
		s->nr_spares--;
	}
	return b;
}

/* Keep an empty block for this CPU if there is room, or else free it. */
static void block_free(struct block *b)
{
	struct cpu_state *s;
	unsigned long flags;

	local_irq_save(flags);
	s = this_cpu_ptr(&states);
	if (s->nr_spares < SPARES) {
		b->next = s->spares;
		s->spares = b;
		s->nr_spares++;
		b = NULL;
	}
	local_irq_restore(flags);
	if (b)
		qr_meta_cache_free(blocks, b);
}

/* The cache of @p, if the object can be freed by quarry_cache_free_bulk(); otherwise NULL. */
static struct qr_cache *plain_cache(const void *p)
{
	struct qr_slab *slab = qr_slab_of(p);
	struct qr_cache *c = slab ? READ_ONCE(slab->cache) : NULL;

	/* Bulk frees to a size class do not look for cleanups, see qr_slab_set_fast(). */
	if (unlikely(!c) || unlikely(READ_ONCE(c->apart)) || unlikely(READ_ONCE(slab->nr_cleaned)))
		return NULL;
	return c;
}

/* Free @n objects; those side by side in @obj that are of one cache are freed in bulk. */
static void free_objects(void **obj, unsigned int n)
{
	struct qr_cache *c;
	unsigned int i, end;

	for (i = 0; i < n; i = end) {
		c = plain_cache(obj[i]);
		end = i + 1;
		if (unlikely(!c)) {
			qr_free_slow(NULL, obj[i]);
			continue;
		}
		while (end < n && plain_cache(obj[end]) == c)
			end++;
		quarry_cache_free_bulk(&c->pub, end - i, obj + i);
	}
}

/* The grace period has ended: free the objects, unless qr_rcu_expedite() does. */
static void block_done(struct rcu_head *rcu)
{
	struct block *b = container_of(rcu, struct block, rcu);
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
	block_free(b);
}

/* There is no block: the object waits as a deferred one, and misuse is reported. */
static void set_aside(void *p, unsigned long ip)
{
	struct qr_slab *slab = qr_slab_of(p) ?: qr_mapped_of(p);
	int i = slab && READ_ONCE(slab->cache) ? qr_slab_index(slab, p) : 0;

	if (unlikely(!slab || i < 0))
		qr_report(slab ? QR_MISUSE_INTERIOR : QR_MISUSE_FOREIGN, p, NULL, NULL, ip);
	else if (unlikely(qr_defer_free(slab, i)))
		qr_report(QR_MISUSE_DOUBLE_FREE, p, NULL, NULL, ip);
}

/*
 * Start the grace period of the @n objects in a claimed head, in the block @b, or one by one if it
 * is NULL.  Interrupts off.
 */
static void send_off(struct qr_head *h, unsigned int n, struct block *b)
{
	unsigned int i;

	if (unlikely(!b)) {
		for (i = 0; i < n; i++)
			set_aside(h->obj[i], _RET_IP_);
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

/* --- Frees --- */

/* Let this CPU's head take objects, and start the timer.  Interrupts off, the head claimed. */
static void activate(struct qr_head *h)
{
	h->capacity = QR_RCU_BLOCK;
	queue_delayed_work_on(smp_processor_id(), system_wq, &this_cpu_ptr(&states)->tick, TICK);
}

/*
 * The head is full, is at rest, or is claimed by the code that this one interrupted.  Preemption
 * is off, and the claim is as qr_head_push() left it.
 */
static noinline void push_slow(void *p, unsigned long ip)
{
	struct block *b = NULL;
	struct qr_head *h;
	unsigned long flags;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(heads);
	n = qr_head_enter_free(h);
	if (n >= 0)
		qr_head_release(h, n);
	local_irq_restore(flags);
	preempt_enable();

	if (n == QR_RCU_BLOCK && !raw_cpu_read(states.spares))
		b = block_new();
	local_irq_save(flags);
	h = this_cpu_ptr(heads);
	n = qr_head_claim(h);
	if (unlikely(n < 0)) {
		set_aside(p, ip);
		goto out;
	}
	if (!h->capacity)
		activate(h);
	if (n == h->capacity) {
		send_off(h, n, b ?: spare_get());
		b = NULL;
		n = 0;
	}
	h->obj[n++] = p;
	qr_head_release(h, n);
out:
	local_irq_restore(flags);
	if (unlikely(b))
		block_free(b);
}

/* Add @p to the head.  Called with preemption off, which it enables. */
static __always_inline void push(void *p, unsigned long ip)
{
	if (likely(qr_head_push(heads, p)))
		preempt_enable();
	else
		push_slow(p, ip);
}

/* Check a pointer fully and take it or report it.  @given: the cache that was named, or NULL. */
static noinline void free_rcu(struct qr_cache *given, void *p, unsigned long ip)
{
	enum qr_misuse what = QR_MISUSE_FOREIGN;
	struct qr_cache *c = NULL;
	struct qr_slab *slab;

	/* If @p is dangling its slab may be destroyed now; preemption off keeps its descriptor. */
	preempt_disable();
	slab = qr_slab_of(p);
	if (!slab)
		slab = qr_mapped_of(p);
	if (!slab)
		goto misuse;
	c = READ_ONCE(slab->cache);
	if (c) {
		what = QR_MISUSE_WRONG_CACHE;
		if (given && c != given)
			goto misuse;
		what = QR_MISUSE_INTERIOR;
		if (qr_slab_index(slab, p) < 0)
			goto misuse;
		WRITE_ONCE(c->rcu_frees, true);
	} else if (READ_ONCE(slab->bin) == QR_ARENA_BLOCK) {
		goto misuse;
	} else if (p != slab->base || READ_ONCE(slab->bin) != QR_LARGE_LIVE || given) {
		what = p != slab->base ? QR_MISUSE_INTERIOR :
		       given	       ? QR_MISUSE_WRONG_CACHE :
					 QR_MISUSE_DOUBLE_FREE;
		goto misuse;
	}
	push(p, ip);
	return;

misuse:
	preempt_enable();
	qr_report(what, p, qr_owner_name(c, slab), given && given != c ? given->name : NULL, ip);
}

/**
 * quarry_free_rcu() - give memory back after a grace period
 * @p: as for quarry_free()
 *
 * The counterpart of kfree_rcu(), for memory from any Quarry allocation, without an rcu_head.  RCU
 * readers that see @p may use it until they leave their read-side section.  After that @p is
 * freed, in softirq context; until then it counts as live.  Misuse is dealt with as in
 * quarry_free(), in part only when @p is about to be freed.
 *
 * Many objects share a grace period, so the free may come a twentieth of a second later than at the
 * end of one that begins now.  When memory is short an expedited grace period is begun.
 *
 * Context: process, softirq, hardirq; not NMI.  It never fails, and does not sleep.
 */
void quarry_free_rcu(const void *p)
{
	unsigned long off = qr_offset(p);

	preempt_disable();
	/* Most are of a size class and of this node.  Caches of classes are never destroyed. */
	if (likely(off >> QR_CHUNK_SHIFT < qr_nr_chunks) &&
	    likely(__this_cpu_read(qr_view.class)[off >> QR_CHUNK_SHIFT][off >> PAGE_SHIFT])) {
		push((void *)p, _RET_IP_);
		return;
	}
	preempt_enable();
	if (likely(p))
		free_rcu(NULL, (void *)p, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_free_rcu);

/**
 * quarry_cache_free_rcu() - give an object back after a grace period
 * @cache: the cache it was allocated from
 * @obj: the object, or NULL
 *
 * Does what quarry_free_rcu() does.  An object of another cache is reported and stays live.
 *
 * Context: process, softirq, hardirq; not NMI.  It never fails, and does not sleep.
 */
void quarry_cache_free_rcu(struct quarry_cache *cache, void *obj)
{
	struct qr_cache *c = qr_cache_of(cache);
	struct qr_slab *slab;

	preempt_disable();
	slab = qr_slab_of(obj);
	if (likely(slab) && likely(READ_ONCE(slab->cache) == c) &&
	    likely(READ_ONCE(c->rcu_frees))) {
		push(obj, _RET_IP_);
		return;
	}
	preempt_enable();
	if (likely(obj))
		free_rcu(c, obj, _RET_IP_);
}
EXPORT_SYMBOL_QUARRY(quarry_cache_free_rcu);

/* --- Starting grace periods, and waiting for them --- */

/* Free the empty blocks of a CPU: the calling one, or one that is offline. */
static void spares_drop(struct cpu_state *s)
{
	struct block *b, *next;
	unsigned long flags;

	local_irq_save(flags);
	b = s->spares;
	s->spares = NULL;
	s->nr_spares = 0;
	local_irq_restore(flags);
	for (; b; b = next) {
		next = b->next;
		qr_meta_cache_free(blocks, b);
	}
}

/*
 * Start the grace period of the objects in the head of @cpu; returns how many.  If there were
 * none, @rest makes the head come to rest: the next push takes the slow path.
 */
static unsigned int flush(unsigned int cpu, bool rest)
{
	struct qr_head *h = per_cpu_ptr(heads, cpu);
	struct block *b = qr_head_peek(h) ? block_new() : NULL;
	unsigned long flags;
	int n;

	local_irq_save(flags);
	n = qr_head_claim(h);
	if (n > 0) {
		send_off(h, n, b ?: spare_get());
		b = NULL;
	}
	if (n >= 0) {
		if (rest && !n)
			h->capacity = 0;
		qr_head_release(h, 0);
	}
	local_irq_restore(flags);
	if (b)
		block_free(b);
	return max(n, 0);
}

unsigned int qr_rcu_flush(unsigned int cpu)
{
	return flush(cpu, false);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_flush);

void qr_rcu_cpu_dead(unsigned int cpu)
{
	flush(cpu, true);
	flush(cpu, true);
	spares_drop(per_cpu_ptr(&states, cpu));
}

/* Empty the head of the CPU, again and again until it has come to rest. */
static void tick(struct work_struct *work)
{
	struct cpu_state *s = container_of(to_delayed_work(work), struct cpu_state, tick);

	/* If the CPU went offline qr_rcu_cpu_dead() emptied the head; it may be online again. */
	preempt_disable();
	if (s->cpu == smp_processor_id() && !flush(s->cpu, true))
		spares_drop(s);
	preempt_enable();
	if (READ_ONCE(per_cpu_ptr(heads, s->cpu)->capacity) && cpu_online(s->cpu))
		queue_delayed_work_on(s->cpu, system_wq, &s->tick, TICK);
}

bool qr_rcu_cpus(struct cpumask *cpus)
{
	unsigned int cpu;

	cpumask_clear(cpus);
	for_each_possible_cpu(cpu)
		if (qr_head_peek(per_cpu_ptr(heads, cpu)))
			cpumask_set_cpu(cpu, cpus);
	return !cpumask_empty(cpus);
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
	struct block *b;

	mutex_lock(&hurry_lock);
	raw_spin_lock_irq(&lock);
	list_splice_init(&waiting, &mine);
	raw_spin_unlock_irq(&lock);
	synchronize_rcu_expedited();
	for (;;) {
		unsigned int n = 0;
		bool done;

		raw_spin_lock_irq(&lock);
		b = list_first_entry_or_null(&mine, struct block, link);
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
			block_free(b);
		cond_resched();
	}
	mutex_unlock(&hurry_lock);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_expedite);

unsigned long qr_rcu_pending(void)
{
	unsigned long n = READ_ONCE(nr_waiting) + atomic_long_read(&qr_deferred_objects);
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		n += qr_head_peek(per_cpu_ptr(heads, cpu));
	return n;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_pending);

/* --- Life --- */

int qr_rcu_init(void)
{
	unsigned int cpu;

	blocks = qr_meta_cache_create("quarry_rcu", sizeof(struct block));
	heads = qr_meta_percpu(head_bytes(), SMP_CACHE_BYTES);
	if (!blocks || !heads) {
		kmem_cache_destroy(blocks);
		qr_meta_percpu_free(heads, head_bytes());
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		qr_head_init(per_cpu_ptr(heads, cpu));
		per_cpu(states.cpu, cpu) = cpu;
		INIT_DELAYED_WORK(&per_cpu_ptr(&states, cpu)->tick, tick);
	}
	return 0;
}

void qr_rcu_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		cancel_delayed_work_sync(&per_cpu_ptr(&states, cpu)->tick);
		qr_rcu_flush(cpu);
	}
	qr_rcu_wait();
	for_each_possible_cpu(cpu)
		spares_drop(per_cpu_ptr(&states, cpu));
	kmem_cache_destroy(blocks);
	qr_meta_percpu_free(heads, head_bytes());
}
