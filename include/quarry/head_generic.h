/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fast path on a head in portable C, with a busy flag.
 *
 * Testing and setting the flag need not be one atomic step, because only code on this CPU uses
 * it.  An interrupt between the two runs to its end and releases the head again, so it leaves the
 * flag as it was.
 */
#ifndef QUARRY_HEAD_GENERIC_H
#define QUARRY_HEAD_GENERIC_H

#define QR_HEAD_REST 0

static __always_inline bool qr_head_pop(struct qr_head __percpu *head, void **obj)
{
	struct qr_head *h = raw_cpu_ptr(head);
	int n;

	if (unlikely(READ_ONCE(h->busy)))
		return false;
	WRITE_ONCE(h->busy, 1);
	barrier();
	n = READ_ONCE(h->held);
	if (unlikely(!n) || unlikely(h->countdown <= 0)) {
		barrier();
		WRITE_ONCE(h->busy, 0);
		return false;
	}
	h->countdown--;
	*obj = h->obj[--n];
	WRITE_ONCE(h->held, n);
	barrier();
	WRITE_ONCE(h->busy, 0);
	return true;
}

static __always_inline bool qr_head_push(struct qr_head __percpu *head, void *obj)
{
	struct qr_head *h = raw_cpu_ptr(head);
	unsigned int n;

	if (unlikely(READ_ONCE(h->busy)))
		return false;
	WRITE_ONCE(h->busy, 1);
	barrier();
	n = READ_ONCE(h->held);
	if (unlikely(n >= h->capacity) || unlikely(qr_head_repeats(h, n, obj))) {
		barrier();
		WRITE_ONCE(h->busy, 0);
		return false;
	}
	h->obj[n] = obj;
	WRITE_ONCE(h->held, n + 1);
	barrier();
	WRITE_ONCE(h->busy, 0);
	return true;
}

static inline int qr_head_claim(struct qr_head *h)
{
	if (READ_ONCE(h->busy))
		return -1;
	WRITE_ONCE(h->busy, 1);
	barrier();
	return READ_ONCE(h->held);
}

/* In this form a failed pop or push leaves no claim, so the slow path claims the head anew. */
static inline int qr_head_enter_alloc(struct qr_head *h)
{
	return qr_head_claim(h);
}

static inline int qr_head_enter_free(struct qr_head *h)
{
	return qr_head_claim(h);
}

static inline void qr_head_release(struct qr_head *h, int n)
{
	WRITE_ONCE(h->held, n);
	barrier();
	WRITE_ONCE(h->busy, 0);
}

static inline unsigned int qr_head_peek(const struct qr_head *h)
{
	return READ_ONCE(h->held);
}

#endif /* QUARRY_HEAD_GENERIC_H */
