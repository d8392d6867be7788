/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fast path on a head on x86-64.
 *
 * While the head is not claimed, nr is QR_CLAIM plus the number of objects.  An allocation
 * subtracts QR_CLAIM + 1 in one instruction.  The result is negative if the magazine is empty or
 * if this code interrupted an operation that has claimed the head; one branch covers both.  A free
 * subtracts QR_CLAIM; one unsigned comparison with the capacity covers "full" and "claimed".
 * A second comparison, with the object that was freed last, finds that the free repeats itself.
 *
 * A single read-modify-write instruction is atomic against interrupts and NMIs on its own CPU
 * without a lock prefix.  An operation that nests inside another one undoes its claim.  So the
 * outer one may release the head with a plain store of the value that it read; a second
 * read-modify-write would put a store-forwarding chain on the critical path.
 *
 * Bounds: QR_CLAIM > capacity; nesting depth x QR_CLAIM < 2^31.  Another CPU may read a claimed
 * value, see qr_head_peek().
 */
#ifndef QUARRY_HEAD_X86_H
#define QUARRY_HEAD_X86_H

#define QR_CLAIM	0x100000
#define QR_HEAD_REST	QR_CLAIM

#ifdef CONFIG_SMP
#define QR_GS		"%%gs:"
#else
#define QR_GS		""
#endif

/*
 * A per-CPU member as an asm operand: the address is a %gs offset.  Where the kernel has a named
 * address space for such pointers (from 6.15 on), only the way through an integer leaves it.
 */
#define qr_gs(head, member) (((struct qr_head __force *)(unsigned long)(head))->member)

static __always_inline bool qr_head_pop(struct qr_head __percpu *head, void **obj)
{
	unsigned long n;
	void **objs;
	bool below;

	asm volatile("subl %2, " QR_GS "%1"
		     : "=@ccs" (below), "+m" (qr_gs(head, nr))
		     : "i" (QR_CLAIM + 1) : "memory");
	if (unlikely(below))
		return false;
	asm volatile("movl " QR_GS "%1, %k0"
		     : "=r" (n) : "m" (qr_gs(head, nr)) : "memory");
	asm volatile("decl " QR_GS "%1"
		     : "=@ccs" (below), "+m" (qr_gs(head, countdown)) : : "memory");
	if (unlikely(below))
		return false;
	asm volatile("movq " QR_GS "%1, %0"
		     : "=r" (objs) : "m" (qr_gs(head, obj)) : "memory");
	/* In plain C the compiler would compute the address in an instruction of its own. */
	asm volatile("movq %1, %0" : "=r" (*obj) : "m" (objs[n]) : "memory");
	asm volatile("movl %k1, " QR_GS "%0"
		     : "=m" (qr_gs(head, nr)) : "r" (n + QR_CLAIM) : "memory");
	return true;
}

static __always_inline bool qr_head_push(struct qr_head __percpu *head, void *obj)
{
	unsigned long n;
	void **objs;
	bool full, again;

	asm volatile("subl %1, " QR_GS "%0"
		     : "+m" (qr_gs(head, nr)) : "i" (QR_CLAIM) : "memory");
	asm volatile("movl " QR_GS "%1, %k0"
		     : "=r" (n) : "m" (qr_gs(head, nr)) : "memory");
	asm volatile("cmpl " QR_GS "%2, %k1"
		     : "=@ccae" (full)
		     : "r" (n), "m" (qr_gs(head, capacity)) : "memory");
	if (unlikely(full))
		return false;
	/* Below its capacity a head has an array. */
	asm volatile("movq " QR_GS "%1, %0"
		     : "=r" (objs) : "m" (qr_gs(head, obj)) : "memory");
	/* With n at 0 this reads what lies before the array, see struct qr_head. */
	asm volatile("cmpq %2, %1"
		     : "=@cce" (again) : "m" (objs[n - 1]), "r" (obj) : "memory");
	if (unlikely(again))
		return false;
	asm volatile("movq %1, %0" : "=m" (objs[n]) : "r" (obj) : "memory");
	asm volatile("movl %k1, " QR_GS "%0"
		     : "=m" (qr_gs(head, nr)) : "r" (n + QR_CLAIM + 1) : "memory");
	return true;
}

/* Must be one instruction, because a nested operation may change nr between any two. */
static __always_inline void qr_head_add(struct qr_head *h, int k)
{
	asm volatile("addl %1, %0" : "+m" (h->nr) : "ir" (k) : "memory");
}

static inline int qr_head_enter_alloc(struct qr_head *h)
{
	int nr = READ_ONCE(h->nr);

	if (nr < -1) {			/* claimed by interrupted code */
		qr_head_add(h, QR_CLAIM + 1);
		return -1;
	}
	if (nr >= 0)			/* the countdown ran out; undo its decrement */
		h->countdown++;
	return nr + 1;
}

static inline int qr_head_enter_free(struct qr_head *h)
{
	int nr = READ_ONCE(h->nr);

	if (nr < 0) {
		qr_head_add(h, QR_CLAIM);
		return -1;
	}
	return nr;
}

static inline int qr_head_claim(struct qr_head *h)
{
	qr_head_add(h, -QR_CLAIM);
	return qr_head_enter_free(h);
}

static inline void qr_head_release(struct qr_head *h, int n)
{
	barrier();
	WRITE_ONCE(h->nr, n + QR_CLAIM);
}

/*
 * The number of objects in the head, read from any CPU.  It is exact while the head is not claimed,
 * and may be off by the operation that is under way while it is.
 */
static inline unsigned int qr_head_peek(const struct qr_head *h)
{
	unsigned int n = (unsigned int)READ_ONCE(h->nr) & (QR_CLAIM - 1);

	return n <= h->capacity ? n : 0;
}

#endif /* QUARRY_HEAD_X86_H */
