// SPDX-License-Identifier: GPL-2.0
/* "arena" fills arenas; "unarena" releases them to a mark, resets them or destroys them. */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include "client.h"

#define ARENAS 4

static struct quarry_arena *held[ARENAS];
static struct quarry_arena_mark marks[ARENAS];

/* Not inlined, so that a profile shows its name. */
static noinline void *arena_object(struct quarry_arena *arena, size_t size)
{
	u8 *p = quarry_arena_alloc(arena, size, GFP_KERNEL | __GFP_NOWARN);

	if (p)
		*p = 1;
	return p;
}

static int fill(struct quarry_arena *arena, u64 bytes, size_t *objects)
{
	static const size_t sizes[] = { 24, 64, 200, 1000, 30000 };
	u64 done = 0;
	unsigned int i;

	for (i = 0; done < bytes; i++) {
		size_t size = sizes[i % 50 ? i % 4 : 4];

		if (!arena_object(arena, size))
			return -ENOMEM;
		done += size;
		++*objects;
		if (i % 1024 == 0)
			cond_resched();
	}
	return 0;
}

/* Half of the bytes of each arena are allocated before its mark, and half after it. */
static int arena_run(const u64 *v)
{
	u64 bytes = (v[0] << 20) / ARENAS / 2;
	size_t objects = 0;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARENAS; i++) {
		if (!held[i])
			held[i] = quarry_arena_create("client/arena", NULL);
		if (!held[i])
			return -ENOMEM;
		err = fill(held[i], bytes, &objects);
		marks[i] = quarry_arena_mark(held[i]);
		err = err ?: fill(held[i], bytes, &objects);
	}
	client_say("objects %zu\n", objects);
	return err;
}

const struct client_command client_arena = {
	"arena",
	arena_run,
	{ { .name = "mib", .value = 16, .max = 1 << 20 } },
};

enum { GIVE_UP_MARK, GIVE_UP_RESET, GIVE_UP_DESTROY };

/* Once, or a compiler that unrolls the loop makes several callers of it, and each is in the log. */
static noinline int release(unsigned int i)
{
	int err = quarry_arena_release(held[i], &marks[i]);

	barrier(); /* no tail call either */
	return err;
}

static int unarena_run(const u64 *v)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARENAS; i++) {
		if (!held[i])
			return -ENOENT;
		if (v[0] == GIVE_UP_MARK) {
			err = release(i) ?: err;
		} else if (v[0] == GIVE_UP_RESET) {
			quarry_arena_reset(held[i]);
		} else {
			quarry_arena_destroy(held[i]);
			held[i] = NULL;
		}
	}
	return err;
}

static const char *const ways[] = { "mark", "reset", "destroy", NULL };

const struct client_command client_unarena = {
	"unarena",
	unarena_run,
	{ { .name = "by", .value = GIVE_UP_DESTROY, .words = ways } },
};
