/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools: for objects that are expensive to set up.  A pool keeps unused objects in their set-up
 * state, so that one set-up serves many uses.  Included by quarry/quarry.h.
 */
#ifndef QUARRY_POOL_H
#define QUARRY_POOL_H

/* Pool flags */
#define QUARRY_POOL_FLAGS 0U /* none yet */

/**
 * struct quarry_pool_args - arguments of quarry_pool_create()
 * @name: for people; as for quarry_cache_create().  The pool's cache has the same name
 * @size: bytes per object, 1 to 32 KiB
 * @align: alignment of objects in bytes, a power of two up to 32 KiB; 0 means 8
 * @init: sets up a new object.  Called by quarry_pool_get(), in its context and with its gfp
 *	flags.  Returns 0, or an error after it has undone its own work.  May be NULL
 * @reset: called by quarry_pool_get(), in its context, before an object that was used before
 *	is handed out again.  May be NULL
 * @exit: undoes @init, just before the object's memory is freed.  Called in the context of
 *	quarry_pool_put(); or in process context when the kernel is short of memory; or, when a
 *	CPU has gone offline and no other has room for its objects, with interrupts off.  So it
 *	must not wait for a lock that is ever held during an allocation, and must neither
 *	create nor destroy a pool.  May be NULL
 * @arg: passed to @init, @reset and @exit
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
 * @head: one head per CPU, as in &struct quarry_cache; its magazine holds objects that are
 *	set up
 * @reset: see &struct quarry_pool_args
 * @arg: see &struct quarry_pool_args
 *
 * Private: the members are here because the inline fast paths use them.
 */
struct quarry_pool {
	struct qr_head __percpu *head;
	void (*reset)(void *obj, void *arg);
	void *arg;
};

struct quarry_pool *quarry_pool_create(const struct quarry_pool_args *args);
void quarry_pool_destroy(struct quarry_pool *pool);
unsigned int quarry_pool_drain(struct quarry_pool *pool);

/*
 * The slow paths.  qr_pool_get_slow() and qr_pool_put_full() are called with preemption off,
 * after a failed qr_head_pop() or qr_head_push(), and return with it on.
 */
void *qr_pool_get_slow(struct quarry_pool *pool, gfp_t gfp);
void qr_pool_put_full(struct quarry_pool *pool, void *obj);
void qr_pool_put_slow(struct quarry_pool *pool, void *obj);

/**
 * quarry_pool_get() - get an object that is set up
 * @pool: from quarry_pool_create()
 * @gfp: as for quarry_cache_alloc(), for the case that a new object must be allocated.
 *	__GFP_ZERO zeroes a new object before the pool's init() runs
 *
 * If the pool has an unused object, it is reset and returned.  This CPU's objects come first,
 * then those of other CPUs of this node, then those of other nodes.  Otherwise a new object is
 * allocated from this CPU's node and set up.  The profiler counts each get as an allocation; a
 * get that it samples always makes a new object.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the object, or NULL if there is no memory or the pool's init() failed.
 */
static __always_inline void *quarry_pool_get(struct quarry_pool *pool, gfp_t gfp)
{
	void *p;

	qr_check_gfp(gfp);
	if (qr_wants_zone(gfp))
		return qr_zone_refused(gfp);
	preempt_disable();
	if (unlikely(!qr_head_pop(pool->head, &p)))
		return qr_pool_get_slow(pool, gfp);
	preempt_enable();
	if (pool->reset)
		pool->reset(p, pool->arg);
	return p;
}

/**
 * quarry_pool_put() - give an object back to its pool
 * @pool: the pool that the object is from
 * @obj: the object; NULL is allowed and does nothing
 *
 * The pool keeps the object as it is until a later get takes it, or until its memory is needed
 * elsewhere.  An object of another node is kept by a CPU of that node.  If the pool has no
 * room, its exit() undoes the object, which is then freed.  The profiler counts each put as a
 * free.  A pointer that is not an object of @pool is reported, though not always at once: the
 * fast path does not look at the object.
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
