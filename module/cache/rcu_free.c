// SPDX-License-Identifier: GPL-2.0
/*
 * Frees by RCU, without an rcu_head in the object.  Nothing is written into the object, because
 * readers may still look at all of it.
 *
 * Each CPU collects pointers in a head (quarry/head.h), which takes one in a few instructions in
 * any context but NMI.  When the head is full, it is copied into a block, which waits for its
 * grace period: one call_rcu() for QR_RCU_BLOCK objects (rcu_block.c).
 *
 * A head is at rest at first: it has no capacity, so the first pointer takes the slow path.  That
 * starts a timer on the CPU, which empties the head every TICK jiffies, until it finds nothing and
 * the head is at rest again.
 *
 * A free must not fail.  When there is no memory for a block, the objects wait as deferred ones
 * (deferred.h), which takes no memory.
 */
#include "cache/rcu_free.h"

#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include "cache/deferred.h"
#include "cache/rcu_block.h"
#include "compat.h"
#include "core/metadata.h"
#include "core/work_queue.h"
#include "magazine/twin.h"
#include "slab/mapped.h"

/* Jiffies that a pointer stays in a head, at most, before its grace period is started. */
#define TICK max(HZ / 20, 1)

/**
 * struct cpu_state - what a CPU has beside its head
 * @tick: empties the head
 * @cpu: the CPU
 * @dead: taken by those who empty the head of a CPU that is offline
 */
struct cpu_state {
	struct delayed_work tick;
	unsigned int cpu;
	raw_spinlock_t dead;
};

/**
 * struct collected - what a CPU collects
 * @head: its head.  It must come first
 * @before: 0, which is no object's address, see struct qr_head
 * @obj: the array of @head
 */
struct collected {
	struct qr_head head;
	unsigned long before;
	void *obj[QR_RCU_BLOCK];
};

static_assert(offsetofend(struct collected, before) == offsetof(struct collected, obj));

static DEFINE_PER_CPU(struct cpu_state, states);
static struct collected __percpu *collected;
static struct qr_head __percpu *heads; /* those in @collected */

/* --- Frees --- */

/* Let this CPU's head take objects, and start the timer.  Interrupts off, the head claimed. */
static void activate(struct qr_head *h)
{
	h->capacity = QR_RCU_BLOCK;
	queue_delayed_work_on(smp_processor_id(), qr_cpu_queue, &this_cpu_ptr(&states)->tick, TICK);
}

static void report_repeat(const void *p, unsigned long ip)
{
	struct qr_slab *slab = qr_slab_of(p) ?: qr_mapped_of(p);
	struct qr_cache *c = slab ? READ_ONCE(slab->cache) : NULL;

	qr_report(QR_MISUSE_DOUBLE_FREE, p, qr_owner_name(c, slab), NULL, ip);
}

/*
 * The head is full, is at rest, or is claimed by the code that this one interrupted; or @p is the
 * object that it got last.  Preemption is off, and the claim is as qr_head_push() left it.
 */
static noinline void push_slow(void *p, unsigned long ip)
{
	struct qr_rcu_block *b = NULL;
	struct qr_head *h;
	unsigned long flags;
	bool again = false;
	int n;

	local_irq_save(flags);
	h = this_cpu_ptr(heads);
	n = qr_head_enter_free(h);
	if (n >= 0)
		qr_head_release(h, n);
	local_irq_restore(flags);
	preempt_enable();

	if (n == QR_RCU_BLOCK && !qr_rcu_has_spare())
		b = qr_rcu_block_new();
	local_irq_save(flags);
	h = this_cpu_ptr(heads);
	n = qr_head_claim(h);
	if (unlikely(n < 0)) {
		qr_rcu_set_aside(p, ip);
		goto out;
	}
	if (unlikely(qr_head_repeats(h, n, p))) {
		qr_head_release(h, n);
		again = true;
		goto out;
	}
	if (!h->capacity)
		activate(h);
	if (n == h->capacity) {
		qr_rcu_block_send(h, n, b ?: qr_rcu_spare_get());
		b = NULL;
		n = 0;
	}
	h->obj[n++] = p;
	qr_head_release(h, n);
out:
	local_irq_restore(flags);
	if (unlikely(b))
		qr_rcu_block_free(b);
	if (unlikely(again))
		report_repeat(p, ip);
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
		if (given && !qr_serves(c, given))
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
	qr_report(what, p, qr_owner_name(c, slab), qr_given_name(c, given), ip);
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
	    likely(__this_cpu_read(qr_view.class)[off >> QR_CHUNK_SHIFT][(u32)off >> PAGE_SHIFT])) {
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

/* --- Starting grace periods --- */

/**
 * struct flush - one try to start the grace period of the objects in a CPU's head
 * @cpu: the CPU
 * @block: a block for the objects, or NULL; taken if it was needed
 * @rest: if there are no objects, the head comes to rest: the next push takes the slow path
 * @spares: blocks that the CPU kept, once its head is at rest
 * @n: objects whose grace period was started; -1: the head is claimed by what was interrupted
 */
struct flush {
	unsigned int cpu;
	struct qr_rcu_block *block;
	bool rest;
	struct qr_rcu_block *spares;
	int n;
};

/* Interrupts off, on the CPU itself, or with its @dead lock while it is offline. */
static void flush_head(struct flush *f)
{
	struct qr_head *h = per_cpu_ptr(heads, f->cpu);

	f->n = qr_head_claim(h);
	if (f->n < 0)
		return;
	if (f->n > 0) {
		qr_rcu_block_send(h, f->n, f->block ?: qr_rcu_spare_get());
		f->block = NULL;
	} else if (f->rest) {
		h->capacity = 0;
		f->spares = qr_rcu_take_spares(f->cpu);
	}
	qr_head_release(h, 0);
}

/* Memory is allocated and freed with interrupts on: on PREEMPT_RT that takes locks that sleep. */
static void flush_begin(struct flush *f)
{
	if (qr_head_peek(per_cpu_ptr(heads, f->cpu)))
		f->block = qr_rcu_block_new();
}

static unsigned int flush_done(struct flush *f)
{
	if (f->block)
		qr_rcu_block_free(f->block);
	qr_rcu_drop_spares(f->spares);
	return max(f->n, 0);
}

/* Flush the head of @cpu if the caller runs there.  Returns objects. */
static unsigned int flush_own(unsigned int cpu, bool rest)
{
	struct flush f = { .cpu = cpu, .rest = rest };
	unsigned long flags;

	flush_begin(&f);
	local_irq_save(flags);
	if (cpu == smp_processor_id())
		flush_head(&f);
	local_irq_restore(flags);
	return flush_done(&f);
}

static unsigned int flush_dead(unsigned int cpu, bool rest)
{
	struct cpu_state *s = per_cpu_ptr(&states, cpu);
	struct flush f = { .cpu = cpu, .rest = rest };
	unsigned long flags;

	flush_begin(&f);
	raw_spin_lock_irqsave(&s->dead, flags);
	/*
	 * Has the CPU come back?  Before it can, it must be known as dead to qr_rcu_cpu_dead(),
	 * which takes the lock.  After that there are no objects until it is online.
	 */
	if (rest || (qr_head_peek(per_cpu_ptr(heads, cpu)) && cpu_is_offline(cpu)))
		flush_head(&f);
	raw_spin_unlock_irqrestore(&s->dead, flags);
	return flush_done(&f);
}

static void flush_in_irq(void *arg)
{
	flush_head(arg);
}

/* Flush the head of any CPU.  False if it must be tried again. */
static bool flush_any(unsigned int cpu)
{
	struct flush f = { .cpu = cpu, .block = qr_rcu_block_new() };

	if (smp_call_function_single(cpu, flush_in_irq, &f, true))
		flush_dead(cpu, false);
	flush_done(&f);
	return f.n >= 0;
}

unsigned int qr_rcu_flush(void)
{
	return flush_own(raw_smp_processor_id(), false);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rcu_flush);

/*
 * By interrupts, not by work items: these would have to wait for CPU hotplug, from which clients
 * destroy caches.
 */
void qr_rcu_flush_all(void)
{
	unsigned int cpu;

	might_sleep();
	for_each_possible_cpu(cpu) {
		/* A head without capacity has had no objects since it came to rest. */
		while (READ_ONCE(per_cpu_ptr(heads, cpu)->capacity) && !flush_any(cpu))
			cond_resched();
	}
}

void qr_rcu_cpu_dead(unsigned int cpu)
{
	flush_dead(cpu, true);
	flush_dead(cpu, true);
}

/* Empty the head of the CPU, again and again until it has come to rest. */
static void tick(struct work_struct *work)
{
	struct cpu_state *s = container_of(to_delayed_work(work), struct cpu_state, tick);

	/* If the CPU went offline qr_rcu_cpu_dead() emptied the head; it may be online again. */
	flush_own(s->cpu, true);
	if (READ_ONCE(per_cpu_ptr(heads, s->cpu)->capacity) && cpu_online(s->cpu))
		queue_delayed_work_on(s->cpu, qr_cpu_queue, &s->tick, TICK);
}

unsigned long qr_rcu_pending(void)
{
	unsigned long n = qr_rcu_in_blocks() + atomic_long_read(&qr_deferred_objects);
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
	int err = qr_rcu_blocks_init();

	if (err)
		return err;
	collected = qr_meta_percpu(sizeof(*collected), SMP_CACHE_BYTES);
	if (!collected) {
		qr_rcu_blocks_exit();
		return -ENOMEM;
	}
	heads = &collected->head;
	for_each_possible_cpu(cpu) {
		struct collected *mine = per_cpu_ptr(collected, cpu);

		qr_head_init(&mine->head);
		mine->head.obj = mine->obj;
		per_cpu(states.cpu, cpu) = cpu;
		raw_spin_lock_init(&per_cpu_ptr(&states, cpu)->dead);
		INIT_DELAYED_WORK(&per_cpu_ptr(&states, cpu)->tick, tick);
	}
	return 0;
}

void qr_rcu_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		cancel_delayed_work_sync(&per_cpu_ptr(&states, cpu)->tick);
	qr_rcu_flush_all();
	qr_rcu_wait();
	qr_rcu_blocks_exit();
	qr_meta_percpu_free(collected, sizeof(*collected));
}
