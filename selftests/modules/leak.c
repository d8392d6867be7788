// SPDX-License-Identifier: GPL-2.0
/*
 * A service under load that has a leak.  It handles several kinds of things.  Each kind
 * has a function of its own, and a ring of the things that are in work.  A new thing takes
 * the oldest one's slot in the ring, and the oldest one is freed.  A few sessions are not
 * freed: they are the leak.  The service may also have a store, which grows during the first
 * quarter of the time and is full then: it is no leak.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include "client.h"

#define KINDS	    6
#define RING	    32
#define MAX_THREADS 16

struct object {
	struct object *next;
};

/**
 * struct ring - things of one kind that a thread works on
 * @slot: the objects; NULL where there is none yet
 * @handled: objects put into the ring so far
 * @space: usable bytes of the objects in @slot
 */
struct ring {
	struct object *slot[RING];
	u64 handled;
	u64 space;
};

/**
 * struct server - a thread of the service
 * @task: the thread, while it runs
 * @rnd: random sizes
 * @ring: a ring for each kind
 * @lost: the leaked sessions, so that "unleak" can free them
 * @nr_lost: sessions in @lost
 * @lost_space: their usable bytes
 * @store: things that are kept, in places of which @room are there
 * @stored: things put into @store so far
 * @room: of @store
 * @err: the first error
 */
struct server {
	struct task_struct *task;
	struct rnd_state rnd;
	struct ring ring[KINDS];
	struct object *lost;
	u64 nr_lost;
	u64 lost_space;
	void **store;
	u64 stored;
	unsigned int room;
	int err;
};

static struct server *servers;	     /* MAX_THREADS of them; rings stay filled between two runs */
static unsigned int forgetful;	     /* one session in so many is never freed */
static unsigned long began, filling; /* in jiffies: when the load began, and how long stores fill */

/* Put @p into @ring of @size slots.  Returns the object that was in the slot, or NULL. */
static struct object *turn(struct server *s, struct ring *ring, unsigned int size, void *p)
{
	struct object **slot = &ring->slot[ring->handled++ % size];
	struct object *old = *slot;

	if (!p)
		s->err = -ENOMEM;
	ring->space += quarry_usable_size(p) - quarry_usable_size(old);
	*slot = p;
	return old;
}

static u32 between(struct server *s, u32 low, u32 high)
{
	return low + (((u64)prandom_u32_state(&s->rnd) * (high - low + 1)) >> 32);
}

static noinline __noclone void leak_header(struct server *s, struct ring *ring)
{
	quarry_free(turn(s, ring, RING, quarry_malloc(64, GFP_KERNEL)));
}

static noinline __noclone void leak_packet(struct server *s, struct ring *ring)
{
	quarry_free(turn(s, ring, RING, quarry_malloc(between(s, 64, 1500), GFP_KERNEL)));
}

static noinline __noclone void leak_name(struct server *s, struct ring *ring)
{
	quarry_free(turn(s, ring, RING, quarry_malloc(between(s, 8, 64), GFP_KERNEL)));
}

static noinline __noclone void leak_page(struct server *s, struct ring *ring)
{
	quarry_free(turn(s, ring, RING / 2, quarry_malloc(4096, GFP_KERNEL)));
}

static noinline __noclone void leak_buffer(struct server *s, struct ring *ring)
{
	quarry_free(turn(s, ring, 2, quarry_malloc(SZ_64K, GFP_KERNEL)));
}

static noinline __noclone void leak_session(struct server *s, struct ring *ring)
{
	struct object *old = turn(s, ring, RING, quarry_malloc(2000, GFP_KERNEL));

	if (old && ring->handled % forgetful == 0) {
		s->nr_lost++;
		s->lost_space += quarry_usable_size(old);
		old->next = s->lost;
		s->lost = old;
		return;
	}
	quarry_free(old);
}

/* The store grows as time passes.  When it is full, new things take the places of old ones. */
static noinline __noclone void leak_store(struct server *s)
{
	unsigned long now = min(jiffies - began, filling);
	u64 want = (u64)s->room * now / filling;

	do {
		void **place = &s->store[s->stored % s->room];

		if (s->stored >= want && want < s->room)
			return;
		quarry_free(*place);
		*place = quarry_malloc(1000, GFP_KERNEL);
		if (!*place)
			s->err = -ENOMEM;
		s->stored++;
	} while (s->stored < want);
}

/**
 * struct kind - a kind of things that the service handles
 * @name: the name of @handle
 * @handle: the function that handles one thing
 * @often: calls of @handle in a round
 */
struct kind {
	const char *name;
	void (*handle)(struct server *s, struct ring *ring);
	unsigned int often;
};

static const struct kind kinds[KINDS] = {
	{ "leak_header", leak_header, 32 }, { "leak_packet", leak_packet, 16 },
	{ "leak_name", leak_name, 8 },	    { "leak_page", leak_page, 4 },
	{ "leak_buffer", leak_buffer, 1 },  { "leak_session", leak_session, 8 },
};

static int serve(void *arg)
{
	struct server *s = arg;
	unsigned int k, n;

	while (!kthread_should_stop()) {
		for (k = 0; k < KINDS; k++)
			for (n = 0; n < kinds[k].often; n++)
				kinds[k].handle(s, &s->ring[k]);
		if (s->room)
			leak_store(s);
		if (s->err)
			schedule_timeout_interruptible(HZ / 20);
		cond_resched();
	}
	return s->err;
}

static void report(unsigned int threads)
{
	unsigned int i, k;
	u64 lost = 0, space = 0;

	for (k = 0; k < KINDS; k++) {
		u64 handled = 0, held = 0;

		for (i = 0; i < threads; i++) {
			handled += servers[i].ring[k].handled;
			held += servers[i].ring[k].space;
		}
		client_say("%s %llu %llu\n", kinds[k].name, handled, held);
	}
	for (i = 0; i < threads; i++) {
		lost += servers[i].nr_lost;
		space += servers[i].lost_space;
	}
	client_say("lost %llu\nlost_space %llu\n", lost, space);
}

/* The store of an earlier load stays, and its size too. */
static int make_store(struct server *s, unsigned int room)
{
	if (!room || s->room)
		return 0;
	s->store = kvcalloc(room, sizeof(*s->store), GFP_KERNEL);
	if (!s->store)
		return -ENOMEM;
	s->room = room;
	return 0;
}

enum { LEAK_SECONDS, LEAK_THREADS, LEAK_FORGETFUL, LEAK_STORE, LEAK_SEED };

static int leak_run(const u64 *v)
{
	unsigned int threads = v[LEAK_THREADS] ?: min(num_online_cpus(), MAX_THREADS + 0U);
	unsigned int i, started;
	int err = 0;

	if (!v[LEAK_FORGETFUL])
		return -EINVAL;
	forgetful = v[LEAK_FORGETFUL];
	began = jiffies;
	filling = max(v[LEAK_SECONDS] * HZ / 4, 1ULL);
	if (!servers)
		servers = kvcalloc(MAX_THREADS, sizeof(*servers), GFP_KERNEL);
	if (!servers)
		return -ENOMEM;
	for (started = 0; started < threads; started++) {
		struct server *s = &servers[started];

		prandom_seed_state(&s->rnd, v[LEAK_SEED] + started);
		s->err = 0;
		err = make_store(s, v[LEAK_STORE]);
		if (err)
			break;
		s->task = kthread_run(serve, s, "quarry_leak/%u", started);
		if (IS_ERR(s->task)) {
			err = PTR_ERR(s->task);
			break;
		}
	}
	if (!err)
		schedule_timeout_uninterruptible(v[LEAK_SECONDS] * HZ);
	for (i = 0; i < started; i++)
		err = kthread_stop(servers[i].task) ?: err;
	report(threads);
	return err;
}

const struct client_command client_leak = {
	"leak",
	leak_run,
	{
		[LEAK_SECONDS] = { .name = "seconds", .value = 60, .max = 86400 },
		[LEAK_THREADS] = { .name = "threads", .max = MAX_THREADS },
		[LEAK_FORGETFUL] = { .name = "forgetful", .value = 1000, .max = 1000000 },
		[LEAK_STORE] = { .name = "store", .max = 1000000 },
		[LEAK_SEED] = { .name = "seed", .value = 1, .max = 1000000 },
	},
};

static int unleak_run(const u64 *v)
{
	unsigned int i, k, n;

	for (i = 0; servers && i < MAX_THREADS; i++) {
		struct server *s = &servers[i];

		for (k = 0; k < KINDS; k++)
			for (n = 0; n < RING; n++)
				quarry_free(s->ring[k].slot[n]);
		while (s->lost) {
			struct object *o = s->lost;

			s->lost = o->next;
			quarry_free(o);
		}
		for (n = 0; n < s->room; n++)
			quarry_free(s->store[n]);
		kvfree(s->store);
	}
	kvfree(servers);
	servers = NULL;
	return 0;
}

const struct client_command client_unleak = { "unleak", unleak_run };

void client_unleak_all(void)
{
	unleak_run(NULL);
}
