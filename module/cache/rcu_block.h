/* SPDX-License-Identifier: GPL-2.0 */
/* Blocks of objects that wait for a grace period; what rcu_free.c does with full heads. */
#ifndef QR_RCU_BLOCK_H
#define QR_RCU_BLOCK_H

#include <quarry/head.h>
#include "cache/rcu_free.h"

struct qr_rcu_block;

/*
 * An empty block from memory, or NULL.  Any context but NMI.  On PREEMPT_RT it has none where the
 * caller may not sleep.
 */
struct qr_rcu_block *qr_rcu_block_new(void);
/* Does this CPU keep an empty block?  It may be gone when interrupts or preemption are on. */
bool qr_rcu_has_spare(void);
/* Take an empty block that this CPU kept, or NULL.  Interrupts off. */
struct qr_rcu_block *qr_rcu_spare_get(void);
/* Keep an empty block for this CPU if there is room, or else free it. */
void qr_rcu_block_free(struct qr_rcu_block *b);
/*
 * Take the empty blocks that a CPU keeps: the calling one with interrupts off, or one that is
 * offline.  Free them.
 */
struct qr_rcu_block *qr_rcu_take_spares(unsigned int cpu);
void qr_rcu_drop_spares(struct qr_rcu_block *list);

/*
 * Start the grace period of the @n objects in a claimed head, in the block @b, or one by one if it
 * is NULL.  Interrupts off.
 */
void qr_rcu_block_send(struct qr_head *h, unsigned int n, struct qr_rcu_block *b);
/* There is no block: the object at @p waits as a deferred one, and misuse is reported. */
void qr_rcu_set_aside(void *p, unsigned long ip);

/* How many objects wait in blocks. */
unsigned long qr_rcu_in_blocks(void);

int qr_rcu_blocks_init(void);
void qr_rcu_blocks_exit(void);

#endif /* QR_RCU_BLOCK_H */
