/* SPDX-License-Identifier: GPL-2.0 */
/* Objects that are to be freed after a grace period. */
#ifndef QR_RCU_FREE_H
#define QR_RCU_FREE_H

#include <linux/cpumask.h>

/* Objects that wait at a CPU, and in a block. */
#define QR_RCU_BLOCK 120

/* As if there were no memory, for tests. */
extern bool qr_rcu_no_blocks;

/*
 * What @cpu has collected is under way to its grace period.  @cpu is this one, with no
 * preemption, or one that is offline.  Returns objects.
 */
unsigned int qr_rcu_flush(unsigned int cpu);
/* The same when it has gone offline, and the blocks that it kept are given back. */
void qr_rcu_cpu_dead(unsigned int cpu);
/* The CPUs that have collected some; false if none has. */
bool qr_rcu_cpus(struct cpumask *cpus);
/* What is under way has been freed.  Process context. */
void qr_rcu_wait(void);
/* The same, by an expedited grace period. */
void qr_rcu_expedite(void);

/* Objects that wait, wherever they do. */
unsigned long qr_rcu_pending(void);

int qr_rcu_init(void);
/* No client is left: what waits has been freed. */
void qr_rcu_exit(void);

#endif /* QR_RCU_FREE_H */
