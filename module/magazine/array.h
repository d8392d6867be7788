/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The array of a head: its magazine, and the freed objects of other nodes that wait to go home.
 *
 * A head has an array while it has capacity or room for such objects.  The array is as large as
 * what was granted, in a few steps.  So a cache costs memory only on the CPUs that use it.
 *
 * A head that could be granted more than its array holds needs a larger one.  The slow paths ask
 * for it with no head claimed, then claim the head of the CPU that they are on by then, and give
 * it the array together with the capacity: qr_head_wants(), qr_array_new(), qr_head_equip().
 *
 * If there is no memory, or if none can be allocated in the context, the head keeps what it has,
 * and its operations go to the depot.  It is marked, so that the next look of
 * cache/capacity_balance.c gives it the array: a CPU may use a cache only in hard interrupts.
 *
 * An array is replaced and taken away on the head's own CPU, with interrupts off and the head
 * claimed, or while that CPU is offline.  Other CPUs read it with rcu_read_lock().
 */
#ifndef QR_ARRAY_H
#define QR_ARRAY_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/rcupdate.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <quarry/head.h>

struct qr_cache;

/* What a head asks the next look for: in @asks of its array, or if it has none in its @obj. */
#define QR_ASKS_CAPACITY BIT(0)
#define QR_ASKS_REMOTE	 BIT(1)
#define QR_ASKS_ALL	 (QR_ASKS_CAPACITY | QR_ASKS_REMOTE)

/**
 * struct qr_array - the array of a head
 * @rcu: frees the array, when it has left the head
 * @seen_ops: allocations and frees at the last look, see cache/capacity_balance.c
 * @seen_misses: trips to the depot at the last look
 * @seen_puts: @remote_puts at the last look
 * @remote_puts: objects of other nodes that have come into the array, modulo 2^32
 * @size: which of the sizes it has, see array.c
 * @total: places in @obj
 * @asks: what the head asks the next look for, QR_ASKS_...
 * @far: at most so many objects, at the beginning of @obj, belong to another node
 * @nr_remote: objects of other nodes that wait to go home, at the end of @obj
 * @remote_room: how many may wait there, as granted from the budget; 0, or as many as the cache
 *	says.  This member and the three before it are the 8 bytes in front of @obj.  As all of
 *	them are small, these are no object's address, which qr_head_push() relies on
 * @obj: the magazine, and the objects of other nodes
 */
struct qr_array {
	struct rcu_head rcu;
	u32 seen_ops;
	u32 seen_misses;
	u32 seen_puts;
	u32 remote_puts;
	u32 size;
	u32 total;
	u16 asks;
	u16 far;
	u16 nr_remote;
	u16 remote_room;
	void *obj[];
};

static_assert(offsetof(struct qr_array, obj) == offsetof(struct qr_array, asks) + sizeof(void *));

/* The array of a head; NULL if it has none. */
static inline struct qr_array *qr_head_array(const struct qr_head *h)
{
	void *obj = READ_ONCE(h->obj);

	return (unsigned long)obj > QR_ASKS_ALL ? container_of(obj, struct qr_array, obj) : NULL;
}

/*
 * An array with @places places, or NULL.  No head claimed.  Any context, but it has none in NMI and
 * in hard interrupts, and on PREEMPT_RT none where the caller cannot be preempted: there the
 * kernel's allocator takes locks that sleep.
 */
struct qr_array *qr_array_new(unsigned int places);
/* Free an array, or NULL, when nobody reads it any more.  Any context but NMI. */
void qr_array_free(struct qr_array *a);
/* Is an array of @places places smaller than @a? */
bool qr_array_is_larger(const struct qr_array *a, unsigned int places);

/*
 * How many places an array needs for all that the head could be granted now: capacity, or with
 * @remote the room for remote frees.  0 if its own array does, if nothing would be granted, or in a
 * hard interrupt, where the head is marked instead.  Interrupts off, on the head's own CPU, the
 * head claimed.
 */
unsigned int qr_head_wants(struct qr_cache *c, struct qr_head *h, bool remote);
/*
 * Give a head of @n objects the array @a if qr_head_wants() it, and grant what there are places for
 * then.  If @a is NULL, which is what qr_array_new() returned, mark the head.  Returns an array
 * that is to be freed: the old one, or @a if it is not needed.  Interrupts off, on the head's own
 * CPU, the head claimed.  If @n is below zero, the head is not claimed, and stays as it is.
 */
struct qr_array *qr_head_equip(struct qr_cache *c, struct qr_head *h, int n, struct qr_array *a,
			       bool remote);
/*
 * This CPU's head has @n objects, is claimed, misses and is short of capacity.  If it wants an
 * array, release it, restore interrupts to @flags, enable preemption, and get one; then claim the
 * head of the CPU that the task is on, with preemption and interrupts off again.  Returns what
 * qr_head_claim() returns; otherwise @n.
 */
int qr_head_fetch(struct qr_cache *c, int n, unsigned long flags);
/* Give this CPU's head what it asks for.  Process context, bound to the CPU. */
void qr_head_serve(struct qr_cache *c);

/*
 * Move all that is in the head's array to @a, which becomes the head's.  It has @n objects and is
 * claimed.  Returns the old array, or NULL.
 */
struct qr_array *qr_head_move(const struct qr_cache *c, struct qr_head *h, unsigned int n,
			      struct qr_array *a);
/*
 * Allocations and frees of a head so far, modulo 2^32.  If an interrupt uses the head while its
 * counters are read, the sum may be off; then the head looks used, and it is.
 */
static inline u32 qr_head_ops(const struct qr_head *h)
{
	u64 made = h->drawn - h->countdown;

	return 2 * made + h->direct_allocs - h->refilled + h->flushed + qr_head_peek(h) +
	       h->direct_frees;
}

/* Bytes of all arrays, which are a part of the metadata. */
extern atomic64_t qr_array_bytes;

int qr_arrays_init(void);
void qr_arrays_exit(void);

#endif /* QR_ARRAY_H */
