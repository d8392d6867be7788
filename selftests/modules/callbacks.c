// SPDX-License-Identifier: GPL-2.0
/*
 * "callbacks" creates and destroys caches in callbacks of CPU hotplug, until "uncallbacks".
 * "reclaimer" does so in a work item of a queue that takes part in the reclaim of memory.
 */
#include <linux/atomic.h>
#include <linux/cpuhotplug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include "client.h"

static const enum cpuhp_state places[] = { CPUHP_BP_PREPARE_DYN, CPUHP_AP_ONLINE_DYN };
static int states[ARRAY_SIZE(places)];
static atomic_t called, failed;

/* Objects are freed at once and by RCU. */
static int live_and_die(bool shrink)
{
	struct quarry_cache *cache = quarry_cache_create("client/callback", 200, NULL);
	unsigned int i;
	int bad = 0;

	if (!cache)
		return -ENOMEM;
	for (i = 0; i < 100; i++) {
		void *p = quarry_cache_alloc(cache, GFP_KERNEL);

		bad |= !p;
		if (i % 2)
			quarry_cache_free_rcu(cache, p);
		else
			quarry_cache_free(cache, p);
	}
	if (shrink)
		quarry_cache_shrink(cache);
	quarry_cache_destroy(cache);
	return bad ? -ENOMEM : 0;
}

static int callback(unsigned int cpu)
{
	atomic_inc(&called);
	if (live_and_die(false))
		atomic_inc(&failed);
	return 0;
}

void client_uncallbacks_all(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		if (states[i] > 0)
			cpuhp_remove_state_nocalls(states[i]);
	memset(states, 0, sizeof(states));
}

static int callbacks_run(const u64 *v)
{
	unsigned int i;

	if (states[0])
		return -EBUSY;
	atomic_set(&called, 0);
	atomic_set(&failed, 0);
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		states[i] = cpuhp_setup_state_nocalls(places[i], "quarry:client", callback,
						      callback);
		if (states[i] < 0) {
			int err = states[i];

			client_uncallbacks_all();
			return err;
		}
	}
	return 0;
}

static int uncallbacks_run(const u64 *v)
{
	client_uncallbacks_all();
	client_say("called %d\n", atomic_read(&called));
	client_say("failed %d\n", atomic_read(&failed));
	return 0;
}

struct reclaimer {
	struct work_struct work;
	int err;
};

static void reclaim(struct work_struct *work)
{
	struct reclaimer *r = container_of(work, struct reclaimer, work);

	r->err = live_and_die(true);
}

static int reclaimer_run(const u64 *v)
{
	struct workqueue_struct *wq = alloc_workqueue("quarry_client", WQ_UNBOUND | WQ_MEM_RECLAIM,
						      0);
	struct reclaimer r = {};

	if (!wq)
		return -ENOMEM;
	INIT_WORK_ONSTACK(&r.work, reclaim);
	queue_work(wq, &r.work);
	flush_work(&r.work);
	destroy_work_on_stack(&r.work);
	destroy_workqueue(wq);
	return r.err;
}

const struct client_command client_callbacks = { .name = "callbacks", .run = callbacks_run };
const struct client_command client_uncallbacks = { .name = "uncallbacks", .run = uncallbacks_run };
const struct client_command client_reclaimer = { .name = "reclaimer", .run = reclaimer_run };
