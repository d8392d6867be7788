/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The timed loops.  A side includes this file after it has defined side_alloc(), side_free(),
 * side_malloc(), side_malloc_free(), side_free_rcu() and, if it defines SIDE_BULK,
 * side_bulk_alloc() and side_bulk_free().
 *
 * The empty loops in measure.c must have the same shape as these, because their time is
 * subtracted as overhead: change both.
 */

static bench_timed s64 side_pair(void *cache, unsigned int n)
{
	return BENCH_LOOP(n, side_alloc(cache, GFP_KERNEL), side_free(cache, p));
}

static bench_timed s64 side_zeroed(void *cache, unsigned int n)
{
	return BENCH_LOOP(n, side_alloc(cache, GFP_KERNEL | __GFP_ZERO), side_free(cache, p));
}

static bench_timed s64 side_atomic(void *cache, unsigned int n)
{
	return BENCH_LOOP(n, side_alloc(cache, GFP_ATOMIC), side_free(cache, p));
}

static bench_timed s64 side_malloc_const(unsigned int n)
{
	return BENCH_LOOP(n, side_malloc(64, GFP_KERNEL), side_malloc_free(p));
}

static bench_timed s64 side_malloc_var(size_t size, unsigned int n)
{
	OPTIMIZER_HIDE_VAR(size);
	return BENCH_LOOP(n, side_malloc(size, GFP_KERNEL), side_malloc_free(p));
}

static bench_timed s64 side_free_null(unsigned int n)
{
	u64 start = bench_ticks();
	void *p = NULL;

	do {
		OPTIMIZER_HIDE_VAR(p);
		side_malloc_free(p);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static bench_timed s64 side_fill(void *cache, void **objs, unsigned int n)
{
	u64 start = bench_ticks();

	do {
		*objs++ = side_alloc(cache, GFP_KERNEL);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static bench_timed s64 side_drain(void *cache, void **objs, unsigned int n)
{
	u64 start = bench_ticks();

	do {
		side_free(cache, *objs++);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static bench_timed s64 side_malloc_drain(void **objs, unsigned int n)
{
	u64 start = bench_ticks();

	do {
		side_malloc_free(*objs++);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static s64 side_rcu_fill(void **objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = side_malloc(64, GFP_KERNEL);
		if (!objs[i])
			break;
	}
	if (i == n)
		return 0;
	while (i--)
		side_malloc_free(objs[i]);
	return -ENOMEM;
}

static bench_timed s64 side_rcu_drain(void **objs, unsigned int n)
{
	u64 start = bench_ticks();

	do {
		side_free_rcu(*objs++);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

#ifdef SIDE_BULK
static bench_timed s64 side_bulk(void *cache, void **objs, unsigned int bulk, unsigned int n)
{
	u64 start = bench_ticks();

	do {
		if (unlikely(!side_bulk_alloc(cache, GFP_KERNEL, bulk, objs)))
			return -ENOMEM;
		side_bulk_free(cache, bulk, objs);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}
#else
#define side_bulk NULL
#endif

/* Knuth's linear congruential generator.  Only the high bits are random enough. */
static __always_inline unsigned int side_lcg(u64 *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 33;
}

static __always_inline void side_init(u64 *p, unsigned int size, u64 value)
{
	u64 *end = p + size / sizeof(u64);

	do {
		WRITE_ONCE(p[0], value);
		WRITE_ONCE(p[1], value);
		WRITE_ONCE(p[2], value);
		WRITE_ONCE(p[3], value);
		p += 4;
	} while (p != end);
}

static bench_timed s64 side_replace(void *cache, void **slots, unsigned int mask, u64 *seed,
				    unsigned int n)
{
	u64 start = bench_ticks();

	do {
		void **slot = &slots[side_lcg(seed) & mask];
		void *p;

		side_free(cache, *slot);
		p = side_alloc(cache, GFP_ATOMIC);
		*slot = p;
		if (unlikely(!p))
			return -ENOMEM;
		side_init(p, BENCH_CHURN_SIZE, 0);
		barrier();
	} while (--n);
	return bench_ticks() - start;
}

static void side_free_one(void *cache, void *obj)
{
	side_free(cache, obj);
}
