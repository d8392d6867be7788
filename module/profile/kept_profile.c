// SPDX-License-Identifier: GPL-2.0
#include "profile/kept_profile.h"

#include <linux/mutex.h>
#include <linux/string.h>
#include "compat.h"
#include "profile/bucket.h"
#include "profile/label.h"

static DEFINE_MUTEX(kept_mutex);
static LIST_HEAD(kept_profiles);

bool qr_kept_lock(bool wait)
{
	if (!wait)
		return mutex_trylock(&kept_mutex);
	mutex_lock(&kept_mutex);
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_kept_lock);

void qr_kept_unlock(void)
{
	mutex_unlock(&kept_mutex);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_kept_unlock);

void qr_kept_init(struct qr_kept *k, struct quarry_site *site)
{
	k->p.site = site;
	k->p.room = QR_KEPT_ROWS;
	k->p.cache = QUARRY_CACHE_ALL;
	list_add_tail(&k->link, &kept_profiles);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_kept_init);

void qr_kept_forget(struct qr_kept *k)
{
	qr_labels_release(k->p.label_sets);
	k->p.nr = 0;
}

void qr_kept_exit(struct qr_kept *k)
{
	qr_kept_forget(k);
	list_del(&k->link);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_kept_exit);

void qr_kept_take(struct qr_kept *k, struct qr_table *t, const char *only)
{
	qr_kept_forget(k);
	qr_profile_copy_largest(t, &k->p, only);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_kept_take);

void qr_kept_read(const struct qr_kept *k, struct quarry_profile *p)
{
	struct quarry_site *site = p->site;

	*p = k->p;
	p->site = site;
	memcpy(site, k->p.site, p->nr * sizeof(*site));
	qr_labels_hold_sets(p->label_sets);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_kept_read);

/* --- Modules that go --- */

u32 qr_kept_next_stack(struct qr_kept_walk *w)
{
	unsigned int number = 0;
	struct qr_kept *k;
	u32 stack = 0;

	mutex_lock(&kept_mutex);
	list_for_each_entry(k, &kept_profiles, link) {
		if (number++ < w->copy)
			continue;
		while (!stack && w->row < k->p.nr) {
			const struct quarry_site *site = &k->p.site[w->row++];

			if (!site->names)
				stack = site->stack;
		}
		if (stack)
			break;
		w->copy++;
		w->row = 0;
	}
	mutex_unlock(&kept_mutex);
	return stack;
}

void qr_kept_set_names(u32 stack, const char *names)
{
	struct qr_kept *k;
	u32 i;

	mutex_lock(&kept_mutex);
	list_for_each_entry(k, &kept_profiles, link)
		for (i = 0; i < k->p.nr; i++)
			if (k->p.site[i].stack == stack && !k->p.site[i].names)
				k->p.site[i].names = names;
	mutex_unlock(&kept_mutex);
}
