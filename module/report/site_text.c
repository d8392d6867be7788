// SPDX-License-Identifier: GPL-2.0
#include "report/site_text.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "profile/bucket.h"

static int by_place(const void *a, const void *b)
{
	const struct quarry_site *x = a, *y = b;

	cond_resched();
	if (x->stack != y->stack)
		return x->stack < y->stack ? -1 : 1;
	if (x->names != y->names)
		return x->names < y->names ? -1 : 1;
	return x->cache < y->cache ? -1 : x->cache > y->cache;
}

static int by_space(const void *a, const void *b)
{
	const struct quarry_site *x = a, *y = b;

	cond_resched();
	return x->inuse.space > y->inuse.space ? -1 : x->inuse.space < y->inuse.space;
}

u32 qr_sites_merge(struct quarry_site *site, u32 nr)
{
	u32 i, n = 0;

	for (i = 0; i < nr; i++)
		if (site[i].inuse.samples)
			site[n++] = site[i];
	nr = n;
	sort(site, nr, sizeof(*site), by_place, NULL);
	for (i = 0, n = 0; i < nr; i++) {
		if (n && !by_place(&site[n - 1], &site[i]))
			qr_sum_add(&site[n - 1].inuse, &site[i].inuse);
		else
			site[n++] = site[i];
	}
	sort(site, n, sizeof(*site), by_space, NULL);
	return n;
}

const char *qr_site_text(struct qr_site_text *buf, const struct quarry_site *site,
			 unsigned int most)
{
	unsigned long *frames;
	unsigned int i, n = qr_site_stack(site, &frames);
	const char *name = site->names, *shown;
	int at = 0, len;

	if (!n)
		return "a stack that is not known";
	for (i = 0; i < min(n, most); i++) {
		const char *link = i ? " <- " : "";

		if (name) {
			shown = name;
			len = strcspn(name, "\n");
			name += len + !!name[len];
		} else {
			shown = buf->symbol;
			len = sprint_symbol(buf->symbol, frames[i] - 1);
		}
		if (*shown == '0') { /* the address of what has no name */
			shown = "[unknown]";
			len = strlen(shown);
		}
		at += scnprintf(buf->text + at, sizeof(buf->text) - at, "%s%.*s", link, len, shown);
	}
	return buf->text;
}
