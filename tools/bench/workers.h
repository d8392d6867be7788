/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The loops of the cases with two processors.  A side includes this file after pairs.h.  Each
 * loop runs until ctl->stop is set and counts the objects that were allocated and freed.  The
 * worker that allocates an object writes to it, and the worker that frees it reads it, as
 * clients do.
 */

static __always_inline u64 side_random(struct bench_worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

static __always_inline void *side_get(struct bench_worker *w)
{
	u64 *p = side_alloc(w->cache, GFP_KERNEL);

	if (likely(p))
		WRITE_ONCE(*p, w->seed);
	else
		w->err = -ENOMEM;
	return p;
}

static __always_inline void side_put(struct bench_worker *w, void *obj)
{
	(void)READ_ONCE(*(u64 *)obj);
	side_free(w->cache, obj);
}

/* Count @pairs more pairs and let other tasks run.  False if the worker should stop. */
static __always_inline bool side_go_on(struct bench_worker *w, unsigned int pairs)
{
	WRITE_ONCE(w->pairs, w->pairs + pairs);
	cond_resched();
	return !READ_ONCE(w->ctl->stop) && !w->err;
}

static bench_timed void side_churn(struct bench_worker *w)
{
	/* Here each worker has one half of the slots to itself. */
	void **slots = w->ctl->slots + w->index * (BENCH_SLOTS / 2);
	unsigned int i, k;

	do {
		for (i = 0; i < 256; i++) {
			k = side_random(w) % BENCH_CHURN;
			if (slots[k])
				side_put(w, slots[k]);
			slots[k] = side_get(w);
			if (unlikely(!slots[k]))
				break;
		}
	} while (side_go_on(w, i));
}

static bench_timed void side_handover(struct bench_worker *w)
{
	void **slots = w->ctl->slots;
	unsigned int i;
	void *p;

	do {
		for (i = 0; i < 256; i++) {
			p = side_get(w);
			if (unlikely(!p))
				break;
			p = xchg(&slots[side_random(w) % BENCH_SLOTS], p);
			if (p)
				side_put(w, p);
		}
	} while (side_go_on(w, i));
}

static bench_timed void side_produce(struct bench_worker *w)
{
	struct bench_control *ctl = w->ctl;
	unsigned int head = 0, tail = 0, i;
	void *p;

	do {
		while (head - tail > BENCH_RING - BENCH_PUBLISH) {
			/* Pairs with the release in side_consume(). */
			tail = smp_load_acquire(&ctl->tail);
			cpu_relax();
			if (!side_go_on(w, 0))
				return;
		}
		for (i = 0; i < BENCH_PUBLISH; i++) {
			p = side_get(w);
			if (unlikely(!p))
				break;
			ctl->ring[(head + i) % BENCH_RING] = p;
		}
		head += i;
		/* Pairs with the acquire in side_consume(). */
		smp_store_release(&ctl->head, head);
	} while (side_go_on(w, 0));
}

static bench_timed void side_consume(struct bench_worker *w)
{
	struct bench_control *ctl = w->ctl;
	unsigned int head = 0, tail = 0, done;

	do {
		/* Pairs with the release in side_produce(). */
		head = smp_load_acquire(&ctl->head);
		done = head - tail;
		for (; tail != head; tail++)
			side_put(w, ctl->ring[tail % BENCH_RING]);
		if (!done)
			cpu_relax();
		/* Pairs with the acquire in side_produce(). */
		smp_store_release(&ctl->tail, tail);
	} while (side_go_on(w, done));
}

static void side_pipe(struct bench_worker *w)
{
	if (w->index)
		side_consume(w);
	else
		side_produce(w);
}

#define SIDE_TABLE(title)                                                                          \
	{                                                                                          \
		.name = title, .create = side_create, .destroy = side_destroy,                     \
		.free = side_free_one, .pair = side_pair, .zeroed = side_zeroed,                   \
		.atomic = side_atomic, .replace = side_replace, .fill = side_fill,                 \
		.drain = side_drain, .malloc_const = side_malloc_const,                            \
		.malloc_var = side_malloc_var, .free_null = side_free_null,                        \
		.malloc_drain = side_malloc_drain, .bulk = side_bulk, .rcu_fill = side_rcu_fill,   \
		.rcu_drain = side_rcu_drain, .churn = side_churn, .pipe = side_pipe,               \
		.handover = side_handover,                                                         \
	}
