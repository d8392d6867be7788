/* SPDX-License-Identifier: GPL-2.0 */
/* Frees by RCU: objects that are to be freed after a grace period. */
#ifndef QR_RCU_FREE_H
#define QR_RCU_FREE_H

#include <linux/types.h>

/* Objects that fit into a CPU's head, and into a block. */
#define QR_RCU_BLOCK 120

/* For tests: no block can be had, as if there were no memory. */
extern bool qr_rcu_no_blocks;

/* Start a grace period for the objects that this CPU has collected.  Returns objects. */
unsigned int qr_rcu_flush(void);
/*
 * The same for all CPUs.  Process context; sleeps.  Waits for interrupts on other CPUs, but neither
 * for their work items nor for CPU hotplug.
 */
void qr_rcu_flush_all(void);
/* The same for a CPU that went offline, and free the blocks that it kept. */
void qr_rcu_cpu_dead(unsigned int cpu);
/* Wait until all objects whose grace period has been started are free.  Process context; sleeps. */
void qr_rcu_wait(void);
/* Free the objects in blocks after an expedited grace period.  Process context; sleeps. */
void qr_rcu_expedite(void);

/* How many objects wait, in heads, in blocks or deferred. */
unsigned long qr_rcu_pending(void);

int qr_rcu_init(void);
/* The module is unloaded: wait until all objects are free. */
void qr_rcu_exit(void);

#endif /* QR_RCU_FREE_H */
