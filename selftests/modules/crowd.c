// SPDX-License-Identifier: GPL-2.0
/*
 * More call stacks and labels than the profiler has room for.  Each request has
 * a label of its own.  It allocates its objects at the end of a path through
 * functions that call each other.  A path is a number, with two bits for each
 * step, so each number is a different call stack.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "client.h"

#define STEPS 7	   /* 16,384 paths */
#define LARGE 1000 /* one object in so many is large */

struct object {
	struct object *next;
};

/**
 * struct crowd - the part of one thread
 * @task: the thread
 * @v: the arguments of the command
 * @first: its next request
 * @end: its last request, plus one
 * @doomed: objects that are freed at the end of the request
 * @kept: objects that are kept until "uncrowd"
 * @objects: objects allocated so far
 * @space: usable bytes of @objects
 * @live: how many of @objects are kept
 * @live_space: usable bytes of the kept objects
 * @err: the first error
 */
struct crowd {
	struct task_struct *task;
	const u64 *v;
	unsigned int first;
	unsigned int end;
	struct object *doomed;
	struct object *kept;
	u64 objects;
	u64 space;
	u64 live;
	u64 live_space;
	int err;
};

static struct object *kept; /* objects kept by threads that have ended */

enum { CROWD_REQUESTS, CROWD_VISITS, CROWD_OBJECTS, CROWD_STACKS, CROWD_KEEP, CROWD_THREADS };

static void free_all(struct object **list)
{
	unsigned int n = 0;

	while (*list) {
		struct object *o = *list;

		*list = o->next;
		quarry_free(o);
		if (!(++n % 1024))
			cond_resched();
	}
}

static noinline __noclone int crowd_arrive(struct crowd *c)
{
	unsigned int n = c->v[CROWD_OBJECTS], keep = c->v[CROWD_KEEP];

	while (n--) {
		bool large = ++c->objects % LARGE == 0;
		struct object *o = quarry_malloc(large ? SZ_64K : 64, GFP_KERNEL);
		struct object **list = &c->doomed;
		size_t size = quarry_usable_size(o);

		if (!o)
			return -ENOMEM;
		c->space += size;
		if (keep && !large && c->objects % keep == 0) {
			list = &c->kept;
			c->live++;
			c->live_space += size;
		}
		o->next = *list;
		*list = o;
	}
	return 0;
}

static int crowd_step(struct crowd *c, unsigned int path, unsigned int left);

/*
 * The asm statement differs in each function, so the compiler cannot merge them.  It stands after
 * the call, so that the call is no tail call, which would leave no frame in the stack.
 */
/* clang-format off */
#define CROWD_WAY(way)								\
static noinline __noclone int crowd_##way(struct crowd *c, unsigned int path,	\
					  unsigned int left)			\
{										\
	int err = crowd_step(c, path, left);					\
										\
	asm volatile("# " #way);						\
	return err;								\
}

/* clang-format on */

CROWD_WAY(north);
CROWD_WAY(east);
CROWD_WAY(south);
CROWD_WAY(west);

static __always_inline int crowd_step(struct crowd *c, unsigned int path, unsigned int left)
{
	/* clang-format off */
	static int (*const ways[])(struct crowd *c, unsigned int path, unsigned int left) = {
		crowd_north, crowd_east, crowd_south, crowd_west,
	};
	/* clang-format on */

	return left ? ways[path % 4](c, path / 4, left - 1) : crowd_arrive(c);
}

static int request(struct crowd *c, unsigned int nr)
{
	unsigned int visits = c->v[CROWD_VISITS], stacks = c->v[CROWD_STACKS], i;
	struct quarry_label_scope scope;
	char value[16];
	int err;

	snprintf(value, sizeof(value), "r-%u", nr);
	err = quarry_label_begin(&scope, "request", value);
	for (i = 0; i < visits && !err; i++)
		err = crowd_step(c, (nr * visits + i) % stacks, STEPS);
	quarry_label_end(&scope);
	free_all(&c->doomed);
	cond_resched();
	return err;
}

static int crowd_fn(void *arg)
{
	struct crowd *c = arg;

	while (c->first < c->end && !c->err)
		c->err = request(c, c->first++);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 20);
	return 0;
}

static void keep(struct crowd *c)
{
	struct object **end = &c->kept;

	while (*end)
		end = &(*end)->next;
	*end = kept;
	kept = c->kept;
}

static int crowd_run(const u64 *v)
{
	unsigned int i, started, threads = v[CROWD_THREADS] ?: num_online_cpus();
	struct crowd *crowd, sum = {};
	int err = 0;

	if (!v[CROWD_STACKS])
		return -EINVAL;
	crowd = kcalloc(threads, sizeof(*crowd), GFP_KERNEL);
	if (!crowd)
		return -ENOMEM;
	for (started = 0; started < threads; started++) {
		struct crowd *c = &crowd[started];

		c->v = v;
		c->first = v[CROWD_REQUESTS] * started / threads;
		c->end = v[CROWD_REQUESTS] * (started + 1) / threads;
		c->task = kthread_run(crowd_fn, c, "quarry_crowd");
		if (IS_ERR(c->task)) {
			err = PTR_ERR(c->task);
			break;
		}
	}
	for (i = 0; i < started; i++) {
		struct crowd *c = &crowd[i];

		while (READ_ONCE(c->first) < c->end && !READ_ONCE(c->err))
			schedule_timeout_uninterruptible(HZ / 20);
		kthread_stop(c->task);
		err = err ?: c->err;
		keep(c);
		sum.objects += c->objects;
		sum.space += c->space;
		sum.live += c->live;
		sum.live_space += c->live_space;
	}
	kfree(crowd);
	client_say("objects %llu\nspace %llu\nlive %llu\nlive_space %llu\n", sum.objects, sum.space,
		   sum.live, sum.live_space);
	return err;
}

const struct client_command client_crowd = {
	"crowd",
	crowd_run,
	{
		[CROWD_REQUESTS] = { .name = "requests", .value = 5000, .max = 1000000 },
		[CROWD_VISITS] = { .name = "visits", .value = 20, .max = 1000000 },
		[CROWD_OBJECTS] = { .name = "objects", .value = 10, .max = 1000000 },
		[CROWD_STACKS] = { .name = "stacks", .value = 10000, .max = 1 << (2 * STEPS) },
		[CROWD_KEEP] = { .name = "keep", .max = 1000000 },
		[CROWD_THREADS] = { .name = "threads", .max = 256 },
	},
};

static int uncrowd_run(const u64 *v)
{
	free_all(&kept);
	return 0;
}

const struct client_command client_uncrowd = { "uncrowd", uncrowd_run };

void client_uncrowd_all(void)
{
	uncrowd_run(NULL);
}
