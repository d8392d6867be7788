/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The per-CPU head of a cache: its magazine, and the fast path on it.
 *
 * An operation claims the head for a few instructions.  Code that finds the head claimed has
 * interrupted that operation on the same CPU; it leaves the head alone and takes the slow path to
 * the depot.  So no code ever waits for a head.
 *
 * There are two forms of the claim.  head_x86.h folds it into the object count with one
 * read-modify-write instruction; head_generic.h has a busy flag in plain C.  Both offer the same
 * six operations, to be called with preemption off:
 *
 *   qr_head_pop(head, &obj)	take an object; false: enter the slow path
 *   qr_head_push(head, obj)	give one back; false: enter the slow path.  False also if @obj
 *				is the one that was given back last
 *   qr_head_enter_alloc(h)	after a failed pop: objects held, or -1 if nested
 *   qr_head_enter_free(h)	after a failed push: the same
 *   qr_head_claim(h)		claim from outside the fast path: the same
 *   qr_head_release(h, n)	leave, with n objects held
 *
 * The last four are called with interrupts off as well.  Documentation/fastpath.rst has
 * measurements of both forms.
 */
#ifndef QUARRY_HEAD_H
#define QUARRY_HEAD_H

#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/stddef.h>
#include <linux/types.h>

/**
 * struct qr_head - one CPU's objects of one cache
 * @nr: objects in @obj; while the head is not claimed, the x86 form adds QR_CLAIM
 * @held: the same in the portable form, which needs fewer bits
 * @busy: the claim of the portable form
 * @capacity: objects that @obj may hold, as granted from the CPU's budget; 0 sends every free
 *	to the slow path
 * @countdown: allocations until the next sample is due.  It also counts allocations:
 *	@drawn - @countdown have been made
 * @rate: bytes between samples, on average, when the sample was drawn that is due when @countdown
 *	has run out; 0: no sample is due then
 * @obj: the magazine: free objects, the last one is taken first.  Meaningless while @capacity is 0,
 *	see module/magazine/array.h.  The 8 bytes before it are no object's address, because
 *	qr_head_push() may compare them with one
 * @drawn: sum of all values that were put into @countdown
 * @refilled: objects that came from the depot
 * @flushed: objects that went to the depot
 * @direct_allocs: allocations that bypassed the magazine (nested, or for another node)
 * @direct_frees: frees that bypassed the magazine (nested, remote or in a mixed chunk)
 *
 * Every possible CPU has this structure for every cache, so it is one cache line.  The array is
 * made when the head is granted capacity (module/magazine/array.h).  Beside the array, the fast
 * path touches only this structure.  It does not count frees: their number is
 * (@drawn - @countdown) - @refilled + @flushed + @nr + @direct_frees.
 */
struct qr_head {
	union {
		int nr;
		struct {
			u16 held;
			u16 busy;
		};
	};
	unsigned int capacity;
	int countdown;
	u32 rate;
	void **obj;
	u64 drawn;
	u64 refilled;
	u64 flushed;
	u64 direct_allocs;
	u64 direct_frees;
} ____cacheline_aligned;

static_assert(offsetofend(struct qr_head, direct_frees) == 64);

/*
 * Was @obj freed last to this claimed head of @n objects, and not allocated since?  Then a free of
 * @obj is a double free.
 */
static __always_inline bool qr_head_repeats(const struct qr_head *h, unsigned int n,
					    const void *obj)
{
	return n && h->obj[n - 1] == obj;
}

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML) && !defined(QUARRY_GENERIC_FASTPATH)
#include <quarry/head_x86.h>
#else
#include <quarry/head_generic.h>
#endif

#endif /* QUARRY_HEAD_H */
