// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that were allocated after a search for lost ones began.  Nobody asks whether they are
 * lost. But a new object may have the only pointer to an old one, such as the new head of a list.
 * So one that is met is searched, too.
 */
#include "view/newcomers.h"

#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/rcupdate.h>
#include "compat.h"
#include "slab/large.h"

#define TO_SEARCH XA_MARK_0

void qr_newcomers_init(struct qr_newcomers *n)
{
	xa_init(&n->met);
	n->err = 0;
}

void qr_newcomers_exit(struct qr_newcomers *n)
{
	xa_destroy(&n->met);
}

/*
 * The bytes of the live object that @p points into, and where it begins; 0 if there is none.  The
 * slab may be made or destroyed meanwhile, so each of its numbers is read once, and looked at
 * before it is used.
 */
static size_t object_at(const void *p, const void **start)
{
	const struct qr_slab *slab = qr_slab_of(p);
	const void *base;
	size_t offset;
	u32 stride, i;

	if (!slab || READ_ONCE(slab->bin) == QR_ARENA_BLOCK || READ_ONCE(slab->pages))
		return 0;
	base = READ_ONCE(slab->base);
	offset = p - base;
	if (offset >= qr_slab_bytes(slab))
		return 0;
	if (qr_is_large(slab)) {
		*start = base;
		return qr_slab_bytes(slab);
	}
	stride = READ_ONCE(slab->stride);
	i = stride ? offset / stride : U32_MAX;
	if (i >= READ_ONCE(slab->nr_objects) || qr_slab_is_free(slab, i))
		return 0;
	*start = base + (size_t)i * stride;
	return stride;
}

void qr_newcomers_meet(struct qr_newcomers *n, const void *p)
{
	const void *start;
	size_t size;
	int err;

	rcu_read_lock();
	size = object_at(p, &start);
	rcu_read_unlock();
	if (!size)
		return;
	err = xa_insert(&n->met, qr_offset(start), xa_mk_value(size), GFP_KERNEL);
	if (!err)
		xa_set_mark(&n->met, qr_offset(start), TO_SEARCH);
	else if (err != -EBUSY)
		n->err = err;
}

bool qr_newcomers_next(struct qr_newcomers *n, const void **start, size_t *size)
{
	unsigned long offset = 0;
	void *entry = xa_find(&n->met, &offset, ULONG_MAX, TO_SEARCH);

	if (!entry)
		return false;
	xa_clear_mark(&n->met, offset, TO_SEARCH);
	*start = (const void *)(QR_MAP_START + offset);
	*size = xa_to_value(entry);
	return true;
}
