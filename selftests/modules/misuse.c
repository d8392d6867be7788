// SPDX-License-Identifier: GPL-2.0
/*
 * The mistakes of a broken client.  The fast path sees no other mistake than a
 * free that repeats the last one, so most functions shrink the cache after
 * theirs.  This moves the object from the magazine to its slab, where it is
 * checked, before another caller can get it.
 */
#include <linux/errno.h>
#include <linux/kasan.h>
#include <linux/slab.h>
#include "client.h"

#define SIZE 96

/* What the log of misuse calls the object, and where it is. */
static void say_object(const void *p)
{
	client_say("object %p\n", p);
	client_say("address %px\n", p);
}

static int free_foreign(struct quarry_cache *a, struct quarry_cache *b)
{
	void *p = kmalloc(SIZE, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	say_object(p);
	quarry_free(p);
	kfree(p);
	return 0;
}

static int free_interior(struct quarry_cache *a, struct quarry_cache *b)
{
	void *p = quarry_cache_alloc(a, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	say_object(p + 8);
	quarry_cache_free(a, p + 8);
	quarry_cache_shrink(a);
	quarry_cache_free(a, p);
	return 0;
}

static int free_wrong_cache(struct quarry_cache *a, struct quarry_cache *b)
{
	void *p = quarry_cache_alloc(a, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	say_object(p);
	quarry_cache_free(b, p);
	quarry_cache_shrink(b);
	/* The wrong free was refused, so the object is still live: free it to its own cache. */
	quarry_cache_free(a, p);
	return 0;
}

static int free_twice(struct quarry_cache *a, struct quarry_cache *b)
{
	void *p = quarry_cache_alloc(a, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	say_object(p);
	quarry_cache_free(a, p);
	quarry_cache_free(a, p);
	return 0;
}

/* The free of a large object is checked at once: it passes no magazine. */
static int free_large_interior(struct quarry_cache *a, struct quarry_cache *b)
{
	void *p = quarry_malloc(100000, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	say_object(p + 4096);
	quarry_free(p + 4096);
	quarry_free(p);
	return 0;
}

static int free_mapped_interior(struct quarry_cache *a, struct quarry_cache *b)
{
	void *p = quarry_vmalloc(QUARRY_MAX_LARGE + 1, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	say_object(p + 4096);
	quarry_free(p + 4096);
	quarry_free(p);
	return 0;
}

static int free_arena_object(struct quarry_cache *a, struct quarry_cache *b)
{
	struct quarry_arena *arena = quarry_arena_create("client_misused", NULL);
	void *p = arena ? quarry_arena_alloc(arena, SIZE, GFP_KERNEL) : NULL;

	say_object(p);
	if (p)
		quarry_free(p);
	quarry_arena_destroy(arena);
	return p ? 0 : -ENOMEM;
}

static int release_twice(struct quarry_cache *a, struct quarry_cache *b)
{
	struct quarry_arena *arena = quarry_arena_create("client_misused", NULL);
	struct quarry_arena_mark mark;
	int err;

	if (!arena)
		return -ENOMEM;
	say_object(arena);
	mark = quarry_arena_mark(arena);
	err = quarry_arena_release(arena, &mark);
	if (!err && quarry_arena_release(arena, &mark) != -EINVAL)
		err = -EIO;
	quarry_arena_destroy(arena);
	return err;
}

static struct quarry_cache *watched(void)
{
	return quarry_cache_create("client_watched", SIZE,
				   &(struct quarry_cache_args){ .flags = QUARRY_POISON |
									 QUARRY_RED_ZONE });
}

/* The free is refused while the red zone is damaged, so repair it and free the object again. */
static int write_behind_end(struct quarry_cache *a, struct quarry_cache *b)
{
	struct quarry_cache *c = watched();
	u8 *p = c ? quarry_cache_alloc(c, GFP_KERNEL) : NULL, was;

	if (p) {
		say_object(p);
		was = p[SIZE];
		p[SIZE] = 'x';
		quarry_cache_free(c, p);
		p[SIZE] = was;
		quarry_free(p);
	}
	quarry_cache_destroy(c);
	return p ? 0 : -ENOMEM;
}

/* The write is noticed when the slab is freed, with its cache. */
static int write_when_free(struct quarry_cache *a, struct quarry_cache *b)
{
	struct quarry_cache *c = watched();
	u8 *p = c ? quarry_cache_alloc(c, GFP_KERNEL) : NULL;

	if (p) {
		say_object(p);
		quarry_cache_free(c, p);
		p[7] = 'x';
	}
	quarry_cache_destroy(c);
	return p ? 0 : -ENOMEM;
}

/* Lose an object of each kind over 32 KiB: large, of a long run, and mapped; and four others. */
static int lose_objects(struct quarry_cache *a, struct quarry_cache *b)
{
	size_t size;

	for (size = 1024; size <= 8192; size *= 2)
		if (!quarry_malloc(size, GFP_KERNEL))
			return -ENOMEM;
	if (!quarry_malloc(100000, GFP_KERNEL) || !quarry_malloc(3 << 20, GFP_KERNEL) ||
	    !quarry_vmalloc(QUARRY_MAX_LARGE + 1, GFP_KERNEL))
		return -ENOMEM;
	return 0;
}

static int destroy_busy(struct quarry_cache *a, struct quarry_cache *b)
{
	struct quarry_cache *c = quarry_cache_create("client_busy", SIZE, NULL);
	void *p;

	if (!c)
		return -ENOMEM;
	p = quarry_cache_alloc(c, GFP_KERNEL);
	if (!p) {
		quarry_cache_destroy(c);
		return -ENOMEM;
	}
	say_object(p);
	quarry_cache_destroy(c);
	/* A free after the end of the cache must do no harm. */
	quarry_free(p);
	return 0;
}

/*
 * A double free that is not noticed yet: the object is free in its slab, and it
 * is in the magazine as well, together with a valid object of that slab.  The
 * script then runs the walker on this state.
 */
static struct quarry_cache *pending_cache;
static void *pending_object;

static int pend_double_free(struct quarry_cache *a, struct quarry_cache *b)
{
	struct quarry_cache *c = quarry_cache_create("client_pending", SIZE, NULL);
	void *p, *q;

	if (!c)
		return -ENOMEM;
	if (pending_cache) {
		quarry_cache_destroy(c);
		return -EBUSY;
	}
	p = quarry_cache_alloc(c, GFP_KERNEL);
	q = quarry_cache_alloc(c, GFP_KERNEL);
	pending_object = quarry_cache_alloc(c, GFP_KERNEL);
	pending_cache = c;
	if (!p || !q || !pending_object)
		return -ENOMEM;
	say_object(p);
	quarry_cache_free(c, p);
	quarry_cache_shrink(c);
	quarry_cache_free(c, p);
	quarry_cache_free(c, q);
	return 0;
}

/*
 * The shrink notices the double free.  Now the slab must give each object to one caller only:
 * allocate more objects than the slab has, and check that all keep their patterns.
 */
static int settle_double_free(struct quarry_cache *a, struct quarry_cache *b)
{
	static struct client_object o[300];
	unsigned int i, n = 0;
	int err = 0;

	if (!pending_cache)
		return -EINVAL;
	quarry_cache_shrink(pending_cache);
	for (i = 0; i < ARRAY_SIZE(o); i++) {
		o[n].p = quarry_cache_alloc(pending_cache, GFP_KERNEL);
		if (!o[n].p)
			continue;
		o[n].cache = pending_cache;
		o[n].size = SIZE;
		o[n].seq = n;
		o[n].cpu = 0;
		client_fill(&o[n++]);
	}
	for (i = 0; i < n; i++)
		err = client_free(&o[i]) ?: err;
	quarry_cache_free(pending_cache, pending_object);
	quarry_cache_destroy(pending_cache);
	pending_cache = NULL;
	return err;
}

static const char *const kinds[] = { "foreign",	    "interior",	    "wrong_cache",
				     "double_free", "busy_destroy", "large_interior",
				     "pend",	    "settle",	    "mapped_interior",
				     "lost",	    "arena_object", "stale_mark",
				     "behind_end",  "when_free",    NULL };

static int (*const misuses[])(struct quarry_cache *a, struct quarry_cache *b) = {
	free_foreign,	      free_interior,	   free_wrong_cache,  free_twice,
	destroy_busy,	      free_large_interior, pend_double_free,  settle_double_free,
	free_mapped_interior, lose_objects,	   free_arena_object, release_twice,
	write_behind_end,     write_when_free,
};

static int misuse_run(const u64 *v)
{
	struct quarry_cache *a = quarry_cache_create("client_misused", SIZE, NULL);
	struct quarry_cache *b = quarry_cache_create("client_wrong", SIZE, NULL);
	int err = -ENOMEM;

	static_assert(ARRAY_SIZE(misuses) == ARRAY_SIZE(kinds) - 1);
	kasan_disable_current();
	if (a && b)
		err = misuses[v[0]](a, b);
	kasan_enable_current();
	quarry_cache_destroy(a);
	quarry_cache_destroy(b);
	return err;
}

const struct client_command client_misuse = {
	"misuse",
	misuse_run,
	{ { .name = "kind", .words = kinds } },
};
