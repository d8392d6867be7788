// SPDX-License-Identifier: GPL-2.0
/*
 * A module with a leak, for "make demo-kernel".  It knows nothing of Quarry: its memory is
 * kmalloc()'s.
 *
 * A thread serves requests.  For each it allocates a session, a batch of packets and a route, and
 * frees them: the session by kfree(), the packets all at once by kfree_bulk(), and the route by
 * kfree_rcu().  But it forgets one session of twenty.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#define PACKETS	    8
#define AT_ONCE	    200 /* requests between two rests of a tick */
#define FORGETS_ONE 20

struct session {
	u64 number;
	char buffer[1000];
};

struct packet {
	char data[256];
};

struct route {
	struct rcu_head rcu;
	char name[100];
};

static struct task_struct *server;
static u64 requests;

/* The barriers keep the calls from becoming tail calls, which would hide these functions. */
static noinline struct session *leaky_new_session(void)
{
	struct session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	barrier();
	return session;
}

static noinline struct packet *leaky_new_packet(void)
{
	struct packet *packet = kmalloc(sizeof(*packet), GFP_KERNEL);

	barrier();
	return packet;
}

static noinline struct route *leaky_new_route(void)
{
	struct route *route = kmalloc(sizeof(*route), GFP_KERNEL);

	barrier();
	return route;
}

static void serve(void)
{
	struct session *session = leaky_new_session();
	struct route *route = leaky_new_route();
	void *packets[PACKETS];
	int n;

	for (n = 0; n < PACKETS; n++) {
		packets[n] = leaky_new_packet();
		if (!packets[n])
			break;
	}
	kfree_bulk(n, packets);
	if (route)
		kfree_rcu(route, rcu);
	if (++requests % FORGETS_ONE)
		kfree(session);
}

static int serve_all(void *unused)
{
	int n;

	while (!kthread_should_stop()) {
		for (n = 0; n < AT_ONCE; n++)
			serve();
		schedule_timeout_interruptible(1);
	}
	return 0;
}

static int __init leaky_init(void)
{
	server = kthread_run(serve_all, NULL, "leaky");
	return PTR_ERR_OR_ZERO(server);
}

static void __exit leaky_exit(void)
{
	kthread_stop(server);
}

module_init(leaky_init);
module_exit(leaky_exit);
MODULE_DESCRIPTION("Loses memory of kmalloc(), for the demo of Quarry's kernel profile");
MODULE_LICENSE("GPL");
