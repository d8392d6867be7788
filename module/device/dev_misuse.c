// SPDX-License-Identifier: GPL-2.0
/* QUARRY_IOC_MISUSE: a report of misuse, as programs read it. */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/numa.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include <quarry/misuse.h>
#include "core/metadata.h"
#include "device/chardev.h"

/* An address is shown as in the events of a ring. */
static u64 address(const void *p)
{
	return qr_shows_addresses() && !qr_hides_addresses() ? (unsigned long)p :
							       qr_address_number(p);
}

int qr_dev_misuse(struct quarry_dev_misuse *d)
{
	struct quarry_misuse *m;
	u64 after = d->after;

	if (d->flags || d->reserved0 || !IS_ZERO(d->reserved))
		return -EINVAL;
	m = qr_meta_alloc(sizeof(*m), GFP_KERNEL, NUMA_NO_NODE);
	if (!m)
		return -ENOMEM;
	memset(d, 0, sizeof(*d));
	d->after = after;
	if (qr_misuse_next(after, m)) {
		d->number = m->number;
		d->times = m->times;
		d->first_ns = m->first_ns;
		d->last_ns = m->last_ns;
		d->object = address(m->object);
		d->size = m->size;
		d->offset = m->offset;
		d->age_ns = m->age_ns;
		d->stack = m->stack;
		d->pid = m->pid;
		d->cpu = m->cpu;
		d->interrupt = m->interrupt;
		strscpy(d->what, m->what, sizeof(d->what));
		strscpy(d->comm, m->comm, sizeof(d->comm));
		strscpy(d->result, m->result, sizeof(d->result));
		strscpy(d->cache, m->cache, sizeof(d->cache));
		strscpy(d->given, m->given, sizeof(d->given));
		strscpy(d->caller, m->caller, sizeof(d->caller));
	}
	qr_meta_free(m, sizeof(*m));
	return 0;
}
