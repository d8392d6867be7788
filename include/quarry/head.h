/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The per-CPU head of a cache: its magazine, and the fast path on it.
 *
 * A head is claimed for the few instructions of an operation.  Whoever finds
 * it claimed was interrupted into it on this very CPU, leaves it alone and
 * takes the slow path to the depot.  Nobody ever waits for a head.
 *
 * Two forms of the claim exist.  head_x86.h folds it into the object count
 * with one read-modify-write instruction; head_generic.h keeps a busy flag in
 * plain C.  Both offer the same six operations, all to be called with
 * preemption off:
 *
 *   qr_head_pop(head, &obj)	take an object; false: enter the slow path
 *   qr_head_push(head, obj)	give one back; false: enter the slow path
 *   qr_head_enter_alloc(h)	after a failed pop: objects held, or -1 if nested
 *   qr_head_enter_free(h)	after a failed push: the same
 *   qr_head_claim(h)		claim from outside the fast path: the same
 *   qr_head_release(h, n)	leave, with n objects held
 *
 * The last four also want interrupts off.  Measurements of both forms:
 * Documentation/fastpath.rst.
 */
#ifndef QUARRY_HEAD_H
#define QUARRY_HEAD_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>

/**
 * struct qr_head - one CPU's objects of one cache
 * @nr: objects in @obj; the x86 form adds QR_CLAIM while nobody has claimed it
 * @capacity: objects that @obj may hold, as far as the CPU's budget goes; 0 sends every
 *	free to the slow path
 * @countdown: allocations until one is to be sampled.  It is the allocation
 *	counter as well: @drawn - @countdown were made
 * @busy: claim of the generic form
 * @drawn: sum of all values that were put into @countdown
 * @refilled: objects that came from the depot
 * @flushed: objects that went to the depot
 * @direct_allocs: allocations past the magazine (nested, or for another node)
 * @direct_frees: frees past the magazine (nested, remote or mixed)
 * @remote_frees: those of @direct_frees that went to another node
 * @remote_allocs: objects that came from another node than was asked for; those that
 *	@far says may still be here are in it
 * @remote_batches: batches of remote frees that were sent home
 * @weight: how many objects the sample stands for that is due when @countdown has
 *	run out; 0: none is
 * @rate: bytes between samples that @weight was computed for
 * @far: this many objects at the beginning of @obj, or fewer, are another node's
 * @seen_ops: allocations and frees at the last look, see cache/capacity_balance.c
 * @seen_misses: trips to the depot at the last look
 * @seen_remote: @remote_frees at the last look
 * @nr_remote: another node's objects that wait to be sent home, behind @obj's last
 * @remote_room: how many may wait there, as far as the budget goes
 * @obj: the objects, last in first out
 *
 * The first line of the structure is all that the fast path touches beside
 * @obj.  Frees are not counted where they happen: they follow as
 * (@drawn - @countdown) - @refilled + @flushed + @nr + @direct_frees.
 */
struct qr_head {
	int nr;
	unsigned int capacity;
	int countdown;
	unsigned int busy;
	u64 drawn;
	u64 refilled;
	u64 flushed;
	u64 direct_allocs;
	u64 direct_frees;
	u64 remote_frees;
	u64 remote_allocs;
	u64 remote_batches;
	u64 weight;
	u32 rate;
	u32 far;
	u32 seen_ops;
	u32 seen_misses;
	u32 seen_remote;
	u16 nr_remote;
	u16 remote_room;
	void *obj[];
} ____cacheline_aligned;

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML) && !defined(QUARRY_GENERIC_FASTPATH)
#include <quarry/head_x86.h>
#else
#include <quarry/head_generic.h>
#endif

#endif /* QUARRY_HEAD_H */
