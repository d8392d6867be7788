/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools: objects that are dear to set up are put aside as they are, and set up once for
 * many uses.  Included by quarry/quarry.h.
 */
#ifndef QUARRY_POOL_H
#define QUARRY_POOL_H

/* Pool flags */
#define QUARRY_POOL_FLAGS 0U /* none yet */

/**
 * struct quarry_pool_args - what a pool is made of
 * @name: for people; as for quarry_cache_create(), and its cache has it as well
 * @size: bytes per object, 1 to 32 KiB
 * @align: bytes, a power of two up to 32 KiB; 0 means 8
 * @init: set up a new object, with the flags of the quarry_pool_get() that needs it, in
 *	its context; 0 or an error, which undoes what it did.  May be NULL
 * @reset: an object that was used before is handed out again, in the context of
 *	quarry_pool_get().  May be NULL
 * @exit: undo @init: the object's memory goes.  In the context of quarry_pool_put(), or in
 *	process context where the kernel is short of memory: it waits for nothing that is
 *	held while memory is asked for, and makes and destroys no pool.  When a CPU has died,
 *	and no other has room for what it had, with interrupts off.  May be NULL
 * @arg: for @init, @reset and @exit
 * @flags: 0
 */
struct quarry_pool_args {
	const char *name;
	unsigned int size;
	unsigned int align;
	int (*init)(void *obj, void *arg, gfp_t gfp);
	void (*reset)(void *obj, void *arg);
	void (*exit)(void *obj, void *arg);
	void *arg;
	unsigned int flags;
};

/**
 * struct quarry_pool - a pool of objects that are set up
 * @head: per-CPU objects, as those of a cache
 * @reset: see &struct quarry_pool_args
 * @arg: likewise
 *
 * The fast path needs these; treat them as private.
 */
struct quarry_pool {
	struct qr_head __percpu *head;
	void (*reset)(void *obj, void *arg);
	void *arg;
};

struct quarry_pool *quarry_pool_create(const struct quarry_pool_args *args);
void quarry_pool_destroy(struct quarry_pool *pool);
unsigned int quarry_pool_drain(struct quarry_pool *pool);

/* The slow paths.  Those two that go on after a failed fast path return with preemption on. */
void *qr_pool_get_slow(struct quarry_pool *pool, gfp_t gfp);
void qr_pool_put_full(struct quarry_pool *pool, void *obj);
void qr_pool_put_slow(struct quarry_pool *pool, void *obj);

/**
 * quarry_pool_get() - an object that is set up
 * @pool: from quarry_pool_create()
 * @gfp: as for quarry_cache_alloc(), if one has to be made; __GFP_ZERO is about what
 *	the pool's init() finds
 *
 * One that was put before, if there is any, and reset; this CPU's own first, then what other
 * CPUs have put aside, those of this node before others.  Or else a new one, from this CPU's
 * node.  For the profiler this is an allocation.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object; NULL when memory could not be had or the pool's init() failed.
 */
static __always_inline void *quarry_pool_get(struct quarry_pool *pool, gfp_t gfp)
{
	void *p;

	qr_check_gfp(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(pool->head, &p)))
		return qr_pool_get_slow(pool, gfp);
	preempt_enable();
	if (pool->reset)
		pool->reset(p, pool->arg);
	return p;
}

/**
 * quarry_pool_put() - put an object aside
 * @pool: where it is from
 * @obj: the object, or NULL
 *
 * It stays as it is until it is got again, or until its memory is needed elsewhere.  One of
 * another node goes to a CPU of that.  Where there is no room it is undone and freed.
 * A pointer that is not an object of @pool is reported when that is noticed.  For the
 * profiler this is a free.
 *
 * Context: process, softirq, hardirq; not NMI.
 */
static __always_inline void quarry_pool_put(struct quarry_pool *pool, void *obj)
{
	unsigned long i = qr_offset(obj) >> 21;

	if (unlikely(i >= qr_nr_chunks)) {
		qr_pool_put_slow(pool, obj);
		return;
	}
	preempt_disable();
	if (unlikely(__this_cpu_read(qr_view.fast)[i] != 1)) {
		preempt_enable();
		qr_pool_put_slow(pool, obj);
		return;
	}
	if (unlikely(!qr_head_push(pool->head, obj))) {
		qr_pool_put_full(pool, obj);
		return;
	}
	preempt_enable();
}

#endif /* QUARRY_POOL_H */
