/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites about frees by RCU and about deferred objects share. */
#ifndef QR_TESTS_RCU_FREE_UTIL_H
#define QR_TESTS_RCU_FREE_UTIL_H

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include "cache/rcu_free.h"
#include "tests/kunit_util.h"

static inline void qf_blocks_again(void *unused)
{
	WRITE_ONCE(qr_rcu_no_blocks, false);
}

/* For the rest of the case there is no memory for blocks, so objects wait as deferred ones. */
static inline void qf_no_blocks(struct kunit *test)
{
	WRITE_ONCE(qr_rcu_no_blocks, true);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qf_blocks_again, NULL));
}

/* Wait until no object waits.  This may leave the heads at rest or not. */
static inline void qf_settle(struct kunit *test)
{
	quarry_rcu_barrier();
	KUNIT_ASSERT_EQ(test, 0, qr_rcu_pending());
}

/* An RCU reader on another CPU: it enters its section, and leaves when @leave is set. */
struct qf_reader {
	struct completion in;
	bool leave;
	bool left;
};

/* The thread of a struct qf_reader. */
static inline int qf_read_on(void *arg)
{
	struct qf_reader *r = arg;

	rcu_read_lock();
	complete(&r->in);
	while (!READ_ONCE(r->leave))
		cpu_relax();
	WRITE_ONCE(r->left, true);
	rcu_read_unlock();
	return 0;
}

#endif /* QR_TESTS_RCU_FREE_UTIL_H */
