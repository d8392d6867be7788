// SPDX-License-Identifier: GPL-2.0
/*
 * "case" makes one of many mistakes, each in a cache of its own whose neighbours are all ours, so
 * that a write outside of an object meets nobody else's.  "uncase" undoes what can be undone, frees
 * the rest and says what the mistake did: was an object handed out twice, does one have other
 * contents?  The script looks after each of the two whether Quarry noticed it.
 */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/minmax.h>
#include <linux/poison.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <quarry/cleanup.h>
#include "client.h"

#define SIZE	 192
#define N	 240
#define MUCH	 (2 * N)
#define RED_ZONE 8 /* what fits behind an object of SIZE bytes, and the next one begins there */

/**
 * struct scene - what a mistake is made with
 * @a: the cache with the objects
 * @b: another one
 * @o: the client's objects, filled with their patterns; p is NULL for one that is not its own
 *	any more
 * @v: number of the object that the mistake is made with
 * @p: that object
 * @at: where was written to outside of an object
 * @was: what had been there
 * @len: how many bytes
 * @checked: the cache has red zones and poison
 * @read: the first byte that a wrong read found; -1: there was none
 */
static struct scene {
	struct quarry_cache *a, *b;
	struct client_object o[N];
	unsigned int v;
	u8 *p;
	u8 *at;
	u8 was[4096];
	unsigned int len;
	bool checked;
	int read;
} s;

static struct client_object more[MUCH];

/* Write where the client may not, in a way that can be undone. */
static void scribble(u8 *at, unsigned int len)
{
	s.at = at;
	s.len = len;
	memcpy(s.was, at, len);
	memset(at, 'x', len);
	/* Not each compiler lets KASAN see what memset() does. */
	WRITE_ONCE(at[0], 'x');
	WRITE_ONCE(at[len - 1], 'x');
}

/* The object is not the client's any more. */
static void forget(void)
{
	s.o[s.v].p = NULL;
}

static void free_it(void)
{
	quarry_cache_free(s.a, s.p);
	forget();
}

/* --- Writes and reads --- */

static void write_after_free(void)
{
	free_it();
	WRITE_ONCE(s.p[7], 'x');
}

static void read_after_free(void)
{
	free_it();
	s.read = READ_ONCE(s.p[7]);
}

/* The next owner has its own object. */
static void own_again(void)
{
	struct client_object *o = &s.o[s.v];

	free_it();
	o->p = quarry_cache_alloc(s.a, GFP_KERNEL);
	o->seq += N;
	if (o->p)
		client_fill(o);
}

static void write_after_reuse(void)
{
	own_again();
	if (s.o[s.v].p == s.p)
		s.p[7] ^= 0xff;
}

static void read_after_reuse(void)
{
	own_again();
	s.read = READ_ONCE(s.p[7]);
}

static void read_uninitialised(void)
{
	struct client_object *o = &s.o[s.v];

	free_it();
	o->p = quarry_cache_alloc(s.a, GFP_KERNEL);
	if (o->p) {
		s.read = READ_ONCE(*(u8 *)o->p);
		client_fill(o);
	}
}

/* --- Double frees --- */

static void twice(void)
{
	free_it();
	quarry_cache_free(s.a, s.p);
}

static void twice_with_others_between(void)
{
	free_it();
	s.v++;
	quarry_cache_free(s.a, s.o[s.v].p);
	forget();
	quarry_cache_free(s.a, s.p);
}

static void twice_after_a_flush(void)
{
	free_it();
	quarry_cache_shrink(s.a);
	quarry_cache_free(s.a, s.p);
}

static long free_here(void *p)
{
	quarry_cache_free(s.a, p);
	return 0;
}

static void twice_on_two_cpus(void)
{
	unsigned int cpu;

	free_it();
	cpus_read_lock();
	cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (cpu < nr_cpu_ids)
		work_on_cpu(cpu, free_here, s.p);
	else
		quarry_cache_free(s.a, s.p);
	cpus_read_unlock();
}

static void twice_in_bulk(void)
{
	void *objs[] = { s.p, s.o[s.v + 1].p, s.p };

	quarry_cache_free_bulk(s.a, ARRAY_SIZE(objs), objs);
	forget();
	s.v++;
	forget();
}

static void twice_by_rcu(void)
{
	quarry_free_rcu(s.p);
	quarry_free_rcu(s.p);
	forget();
	quarry_rcu_barrier();
}

static void free_then_rcu(void)
{
	free_it();
	quarry_free_rcu(s.p);
	quarry_rcu_barrier();
}

static void rcu_then_free(void)
{
	quarry_free_rcu(s.p);
	quarry_cache_free(s.a, s.p);
	forget();
	quarry_rcu_barrier();
}

static void twice_nolock(void)
{
	quarry_cache_free_nolock(s.a, s.p);
	quarry_cache_free_nolock(s.a, s.p);
	forget();
}

/* The second free is the new owner's, as far as an allocator can see. */
static void twice_after_reuse(void)
{
	own_again();
	quarry_cache_free(s.a, s.p);
}

static void twice_large(void)
{
	void *p = quarry_malloc(100000, GFP_KERNEL);

	quarry_free(p);
	quarry_free(p);
}

static void twice_mapped(void)
{
	void *p = quarry_vmalloc(QUARRY_MAX_LARGE + 1, GFP_KERNEL);

	quarry_free(p);
	quarry_free(p);
}

static void with_pool(void (*fn)(struct quarry_pool *pool, void *p))
{
	static const struct quarry_pool_args args = { .name = "client_case_pool", .size = SIZE };
	struct quarry_pool *pool = quarry_pool_create(&args);
	void *p = pool ? quarry_pool_get(pool, GFP_KERNEL) : NULL;

	if (p)
		fn(pool, p);
	quarry_pool_destroy(pool);
}

static void put_twice(struct quarry_pool *pool, void *p)
{
	quarry_pool_put(pool, p);
	quarry_pool_put(pool, p);
}

static void free_and_put(struct quarry_pool *pool, void *p)
{
	quarry_free(p);
	quarry_pool_put(pool, p);
}

static void put_other(struct quarry_pool *pool, void *p)
{
	quarry_pool_put(pool, s.p);
	quarry_pool_put(pool, p);
}

static void pool_twice(void)
{
	with_pool(put_twice);
}

static void pool_object_freed(void)
{
	with_pool(free_and_put);
}

static void pool_wrong_object(void)
{
	with_pool(put_other);
}

/* --- Wrong pointers --- */

static void free_inside(void)
{
	quarry_cache_free(s.a, s.p + 8);
}

static void free_odd(void)
{
	quarry_cache_free(s.a, s.p + 1);
}

static void free_stack(void)
{
	u64 on_stack[4] = {};

	quarry_free(on_stack);
}

static void free_kmalloc(void)
{
	void *p = kmalloc(SIZE, GFP_KERNEL);

	quarry_free(p);
	kfree(p);
}

static void free_page_of_kernel(void)
{
	void *p = (void *)__get_free_page(GFP_KERNEL);

	quarry_free(p);
	free_page((unsigned long)p);
}

static void free_vmalloc(void)
{
	void *p = vmalloc(SIZE);

	quarry_free(p);
	vfree(p);
}

static void free_data(void)
{
	quarry_free(&s);
}

static void free_text(void)
{
	quarry_free((void *)free_data);
}

static void free_user(void)
{
	quarry_free((void *)0x1000);
}

static void free_poisoned(void)
{
	quarry_free((void *)0xdead000000000100);
}

static void free_error(void)
{
	quarry_free(ERR_PTR(-ENOMEM));
}

static void free_inside_large(void)
{
	void *p = quarry_malloc(100000, GFP_KERNEL);

	quarry_free(p + 8192);
	quarry_free(p);
}

static void free_inside_mapped(void)
{
	void *p = quarry_vmalloc(QUARRY_MAX_LARGE + 1, GFP_KERNEL);

	quarry_free(p + 8192);
	quarry_free(p);
}

static void wrong_cache(void)
{
	quarry_cache_free(s.b, s.p);
}

static void wrong_kind(void)
{
	void *p = quarry_malloc(SIZE, GFP_KERNEL);

	quarry_cache_free(s.a, p);
	quarry_cache_shrink(s.a);
	quarry_free(p);
}

/* --- Caches, arenas, cleanups, realloc --- */

static void freed_after_destroy(void)
{
	struct quarry_cache *c = quarry_cache_create("client_case_gone", SIZE, NULL);
	void *p = c ? quarry_cache_alloc(c, GFP_KERNEL) : NULL;

	quarry_cache_destroy(c);
	quarry_free(p);
	quarry_free(p);
}

static void leak_at_destroy(void)
{
	struct quarry_cache *c = quarry_cache_create("client_case_leak", SIZE, NULL);
	void *p = c ? quarry_cache_alloc(c, GFP_KERNEL) : NULL;

	quarry_cache_destroy(c);
	quarry_free(p);
}

static void arena_object_freed(void)
{
	struct quarry_arena *arena = quarry_arena_create("client_case", NULL);

	if (arena)
		quarry_free(quarry_arena_alloc(arena, SIZE, GFP_KERNEL));
	quarry_arena_destroy(arena);
}

static void stale_mark(void)
{
	struct quarry_arena *arena = quarry_arena_create("client_case", NULL);
	struct quarry_arena_mark mark;

	if (!arena)
		return;
	mark = quarry_arena_mark(arena);
	quarry_arena_release(arena, &mark);
	quarry_arena_release(arena, &mark);
	quarry_arena_destroy(arena);
}

static void nothing(void *p, void *arg)
{
}

/* An error is as good as a report. */
static void say_refused(bool is_refused)
{
	client_say("refused %d\n", is_refused);
}

static void cleanup_of_freed(void)
{
	free_it();
	quarry_cache_shrink(s.a);
	say_refused(quarry_cleanup_add(s.p, nothing, NULL));
}

static void cleanup_of_foreign(void)
{
	say_refused(quarry_cleanup_add(&s, nothing, NULL));
}

static void realloc_inside(void)
{
	void *p = quarry_malloc(SIZE, GFP_KERNEL);

	say_refused(!quarry_realloc(p + 8, 2 * SIZE, GFP_KERNEL));
	quarry_free(p);
}

static void realloc_foreign(void)
{
	say_refused(!quarry_realloc(&s, SIZE, GFP_KERNEL));
}

static void realloc_of_cache(void)
{
	say_refused(!quarry_realloc(s.p, 2 * SIZE, GFP_KERNEL));
}

static void size_of_foreign(void)
{
	say_refused(!quarry_usable_size(&s));
}

/* --- Commands --- */

#define CASE(fn)                                                                                   \
	{                                                                                          \
#fn, fn                                                                            \
	}

/*
 * A case.
 * @name: for the table
 * @fn: makes the mistake; NULL: it is a write outside of the object
 * @from: where that begins, in bytes from the object's first one
 * @len: how many bytes are written
 */
static const struct mistake {
	const char *name;
	void (*fn)(void);
	int from;
	unsigned int len;
} cases[] = {
	{ "end_1", .from = SIZE, .len = 1 },
	{ "end_8", .from = SIZE, .len = 8 },
	{ "end_64", .from = SIZE, .len = 64 },
	{ "end_4096", .from = SIZE, .len = 4096 },
	{ "start_1", .from = -1, .len = 1 },
	{ "start_8", .from = -8, .len = 8 },
	{ "start_64", .from = -64, .len = 64 },
	{ "start_4096", .from = -4096, .len = 4096 },
	CASE(write_after_free),
	CASE(read_after_free),
	CASE(write_after_reuse),
	CASE(read_after_reuse),
	CASE(read_uninitialised),
	CASE(twice),
	CASE(twice_with_others_between),
	CASE(twice_after_a_flush),
	CASE(twice_on_two_cpus),
	CASE(twice_in_bulk),
	CASE(twice_by_rcu),
	CASE(free_then_rcu),
	CASE(rcu_then_free),
	CASE(twice_nolock),
	CASE(twice_after_reuse),
	CASE(twice_large),
	CASE(twice_mapped),
	CASE(pool_twice),
	CASE(pool_object_freed),
	CASE(pool_wrong_object),
	CASE(free_inside),
	CASE(free_odd),
	CASE(free_stack),
	CASE(free_kmalloc),
	CASE(free_page_of_kernel),
	CASE(free_vmalloc),
	CASE(free_data),
	CASE(free_text),
	CASE(free_user),
	CASE(free_poisoned),
	CASE(free_error),
	CASE(free_inside_large),
	CASE(free_inside_mapped),
	CASE(wrong_cache),
	CASE(wrong_kind),
	CASE(freed_after_destroy),
	CASE(leak_at_destroy),
	CASE(arena_object_freed),
	CASE(stale_mark),
	CASE(cleanup_of_freed),
	CASE(cleanup_of_foreign),
	CASE(realloc_inside),
	CASE(realloc_foreign),
	CASE(realloc_of_cache),
	CASE(size_of_foreign),
};

static int fill(struct quarry_cache *cache, struct client_object *o, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		o[i] = (struct client_object){ .p = quarry_cache_alloc(cache, GFP_KERNEL),
					       .cache = cache,
					       .size = SIZE,
					       .seq = i };
		if (!o[i].p)
			return -ENOMEM;
		client_fill(&o[i]);
	}
	return 0;
}

/* How many do not have their own contents: somebody else wrote to them, or owns them as well. */
static unsigned int damaged(struct client_object *o, unsigned int n)
{
	unsigned int i, bad = 0;

	for (i = 0; i < n; i++)
		if (o[i].p && client_check(&o[i]))
			bad++;
	return bad;
}

/* Objects that were handed out again while somebody has them. */
static unsigned int owned_twice(void)
{
	unsigned int i, k, n = 0;

	for (i = 0; i < MUCH; i++) {
		for (k = 0; k < N; k++)
			n += more[i].p && more[i].p == s.o[k].p;
		for (k = 0; k < i; k++)
			n += more[i].p && more[i].p == more[k].p;
	}
	return n;
}

static void free_all(struct client_object *o, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (o[i].p)
			quarry_free(o[i].p);
		o[i].p = NULL;
	}
}

/*
 * Is that byte in an object of ours or its red zone, or in a gap between two of them that is too
 * short for an object: the end of a slab?
 */
static bool is_ours(const u8 *at)
{
	const u8 *below = NULL, *above = NULL;
	unsigned int i;

	for (i = 0; i < N; i++) {
		const u8 *p = s.o[i].p, *end = p + SIZE + RED_ZONE;

		if (at >= p && at < end)
			return true;
		if (end <= at)
			below = max(below, end);
		else if (!above || p < above)
			above = p;
	}
	return below && above && above - below < SIZE;
}

/*
 * An object for the mistake: all memory around it, as far as a case writes, is ours.  It is not the
 * first of its page: a slab that packs its objects into pages has nobody's memory before that one.
 */
static int choose(void)
{
	int i, off;

	for (i = 0; i < N - 1; i++) {
		if (offset_in_page(s.o[i].p) < SIZE + RED_ZONE)
			continue;
		for (off = -4096; off <= SIZE + 4096; off += SIZE / 2)
			if (!is_ours(s.o[i].p + off))
				break;
		if (off > SIZE + 4096) {
			s.v = i;
			s.p = s.o[i].p;
			return 0;
		}
	}
	return -ENOENT;
}

/* Repair the red zones, so that the objects whose free was refused for them can be freed. */
static void free_refused(void *const *p, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		u8 *zone = p[i] + SIZE;

		if (!p[i] || !memchr_inv(zone, SLUB_RED_INACTIVE, RED_ZONE))
			continue;
		memset(zone, SLUB_RED_ACTIVE, RED_ZONE);
		quarry_cache_free(s.a, p[i]);
	}
}

static void end_case(void)
{
	static void *was[N];
	unsigned int i;

	for (i = 0; i < N; i++)
		was[i] = s.o[i].p;
	free_all(s.o, N);
	if (s.checked && s.len)
		free_refused(was, N);
	free_all(more, MUCH);
	quarry_cache_destroy(s.a);
	quarry_cache_destroy(s.b);
	s.a = NULL;
	s.b = NULL;
	s.len = 0;
}

/* How the cache is checked. */
enum { PLAIN, GUARDED, SANE, TWIN };

static int make_caches(unsigned int how)
{
	struct quarry_cache_args args = {};
	unsigned int checks = 0;

	s.checked = how == GUARDED || how == TWIN;
	if (how == GUARDED)
		args.flags = QUARRY_POISON | QUARRY_RED_ZONE;
	s.a = quarry_cache_create("client_case", SIZE, &args);
	s.b = quarry_cache_create("client_case_b", SIZE, &args);
	if (!s.a || !s.b)
		return -ENOMEM;
	if (how == SANE)
		checks = QUARRY_CHECK_SANE;
	else if (how == TWIN)
		checks = QUARRY_CHECK_POISON | QUARRY_CHECK_RED_ZONE;
	return checks ? quarry_cache_check(s.a, checks) ?: quarry_cache_check(s.b, checks) : 0;
}

static int case_run(const u64 *v)
{
	const struct mistake *c;
	int err;

	if (v[0] >= ARRAY_SIZE(cases))
		return -ENOENT;
	if (s.a)
		return -EBUSY;
	c = &cases[v[0]];
	s.read = -1;
	err = make_caches(v[1]) ?: fill(s.a, s.o, N) ?: choose();
	if (err) {
		end_case();
		return err;
	}
	client_say("name %s\n", c->name);
	/* What Quarry notices is another question than what KASAN does. */
	if (!v[2])
		kasan_disable_current();
	if (c->fn)
		c->fn();
	else
		scribble(s.p + c->from, c->len);
	if (!v[2])
		kasan_enable_current();
	return 0;
}

static int undo(void)
{
	unsigned int bad;
	int err;

	quarry_cache_shrink(s.a);
	quarry_cache_shrink(s.b);
	bad = damaged(s.o, N);
	client_say("damaged %u\nread %d\n", bad, s.read);
	/* A red zone is looked at when its object is freed, so the damage stays until then. */
	if (s.len && !s.checked)
		memcpy(s.at, s.was, s.len);
	err = fill(s.a, more, MUCH);
	client_say("two_owners %u\n", owned_twice());
	end_case();
	return err;
}

static int uncase_run(const u64 *v)
{
	int err;

	if (!s.a)
		return -EINVAL;
	kasan_disable_current();
	err = undo();
	kasan_enable_current();
	return err;
}

void client_uncase_all(void)
{
	if (s.a)
		end_case();
}

const struct client_command client_case = {
	.name = "case",
	.run = case_run,
	.args = { { "number", 0, 1000 }, { "checked", PLAIN, TWIN }, { "kasan", 0, 1 } },
};

const struct client_command client_uncase = { .name = "uncase", .run = uncase_run };
