// SPDX-License-Identifier: GPL-2.0
#include "kernel/oom_snapshot.h"

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include "core/metadata.h"
#include "kernel/domain.h"
#include "profile/bucket.h"
#include "profile/kept_profile.h"

/**
 * struct copies - the copies of one heap
 * @kept: for each slot
 * @site: their rows
 */
struct copies {
	struct qr_kept kept[QUARRY_OOM_SLOTS];
	struct quarry_site site[QUARRY_OOM_SLOTS][QR_KEPT_ROWS];
};

static struct copies *copies[QUARRY_DOMAINS];
static struct qr_oom_slot slots[QUARRY_OOM_SLOTS];
static u64 taken;
static atomic64_t skipped;

bool qr_oom_lock(bool wait)
{
	return qr_kept_lock(wait);
}

void qr_oom_unlock(void)
{
	qr_kept_unlock();
}

void qr_oom_skipped(void)
{
	atomic64_inc(&skipped);
}

/* --- Snapshots --- */

static void add_up(struct qr_oom_slot *s, enum quarry_domain heap, const struct quarry_profile *p)
{
	u32 i;

	s->oom.heaps |= BIT(heap);
	for (i = 0; i < p->nr; i++) {
		s->oom.bytes[heap] += p->site[i].inuse.space;
		s->var[heap] += p->site[i].inuse.var_space;
	}
}

static void take_heap(unsigned int slot, enum quarry_domain heap, struct qr_table *t, u32 rate,
		      const char *only)
{
	struct qr_kept *k = &copies[heap]->kept[slot];

	qr_kept_take(k, t, only);
	k->p.domain = heap;
	k->p.rate = rate;
	add_up(&slots[slot], heap, &k->p);
}

/* Takes the domains that are on.  Their tables are held. */
static void take_domains(unsigned int slot)
{
	enum quarry_domain i;

	for (i = QUARRY_DOMAIN_QUARRY + 1; i < QUARRY_DOMAINS; i++) {
		struct qr_domain *d = copies[i] ? qr_domain_if_on(i) : NULL;

		if (d)
			take_heap(slot, i, &d->rows, READ_ONCE(d->rate), NULL);
	}
}

static u32 domains_with_memory(void)
{
	enum quarry_domain i;
	u32 bits = 0;

	for (i = QUARRY_DOMAIN_QUARRY + 1; i < QUARRY_DOMAINS; i++)
		if (copies[i])
			bits |= BIT(i);
	return bits;
}

static void empty(unsigned int slot)
{
	enum quarry_domain i;

	memset(&slots[slot], 0, sizeof(slots[slot]));
	for (i = 0; i < QUARRY_DOMAINS; i++)
		if (copies[i])
			qr_kept_forget(&copies[i]->kept[slot]);
}

int qr_oom_take(const char *why, bool own, const char *only, bool wait)
{
	unsigned int slot = taken % QUARRY_OOM_SLOTS;
	struct quarry_oom *oom = &slots[slot].oom;

	if (!copies[QUARRY_DOMAIN_QUARRY])
		return -ENOMEM;
	if (!qr_profile_copy_lock(wait))
		return -EBUSY;
	empty(slot);
	oom->number = ++taken;
	oom->time_ns = ktime_get_real_ns();
	oom->uptime_ns = ktime_get_boottime_ns();
	oom->skipped = atomic64_xchg(&skipped, 0);
	strscpy(oom->why, why, sizeof(oom->why));
	take_heap(slot, QUARRY_DOMAIN_QUARRY, &qr_own_table, qr_rate_get(), only);
	if (own) {
		/* The other heaps have nothing to do with it. */
	} else if (qr_domain_tables_hold(wait)) {
		take_domains(slot);
		qr_domain_tables_release();
	} else {
		oom->busy = domains_with_memory();
	}
	qr_profile_copy_unlock();
	return slot;
}

const struct qr_oom_slot *qr_oom_slot(unsigned int slot)
{
	return &slots[slot];
}

const struct qr_kept *qr_oom_kept(unsigned int slot, enum quarry_domain heap)
{
	return slots[slot].oom.heaps & BIT(heap) ? &copies[heap]->kept[slot] : NULL;
}

/* --- Memory --- */

int qr_oom_reserve(enum quarry_domain heap)
{
	struct copies *c;
	unsigned int i;

	/* Nobody else gets memory for this heap: its domain's lock is held. */
	if (copies[heap] || (heap && !copies[QUARRY_DOMAIN_QUARRY]))
		return 0;
	c = qr_meta_valloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	qr_kept_lock(true);
	for (i = 0; i < QUARRY_OOM_SLOTS; i++)
		qr_kept_init(&c->kept[i], c->site[i]);
	copies[heap] = c;
	qr_kept_unlock();
	return 0;
}

void qr_oom_free(void)
{
	struct copies *c;
	enum quarry_domain heap;
	unsigned int i;

	for (heap = 0; heap < QUARRY_DOMAINS; heap++) {
		c = copies[heap];
		if (!c)
			continue;
		qr_kept_lock(true);
		copies[heap] = NULL;
		for (i = 0; i < QUARRY_OOM_SLOTS; i++)
			qr_kept_exit(&c->kept[i]);
		qr_kept_unlock();
		qr_meta_vfree(c, sizeof(*c));
	}
}
