// SPDX-License-Identifier: GPL-2.0
/*
 * When the module is unloaded, all its clients have gone.  If they left objects behind, the log
 * names the call stacks that allocated most of them.  The clients' code has gone too, so the
 * names are those that were saved when it was unloaded.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "view/leak_report.h"

#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <quarry/profile.h>
#include <quarry/stats.h>

#define SITES	   5
#define FRAMES_MAX 4
#define STACK_TEXT 400

#define QR_HALF_OBJECT (1ULL << (QR_OBJECTS_SHIFT - 1))

/* Rows of one stack and cache differ in their labels only: the log names the place once. */
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

/* Merges the rows of each place, the largest first.  Returns how many places have objects. */
static u32 merge(struct quarry_site *site, u32 nr)
{
	u32 i, n = 0;

	for (i = 0; i < nr; i++)
		if (site[i].inuse.samples)
			site[n++] = site[i];
	nr = n;
	sort(site, nr, sizeof(*site), by_place, NULL);
	for (i = 0, n = 0; i < nr; i++) {
		if (n && !by_place(&site[n - 1], &site[i])) {
			site[n - 1].inuse.space += site[i].inuse.space;
			site[n - 1].inuse.objects += site[i].inuse.objects;
		} else {
			site[n++] = site[i];
		}
	}
	sort(site, n, sizeof(*site), by_space, NULL);
	return n;
}

/* Writes the names of the innermost functions of a site's stack to @text. */
static void stack_text(char *text, const struct quarry_site *site)
{
	unsigned long *frames;
	unsigned int i, n = qr_site_stack(site, &frames);
	const char *name = site->names, *shown;
	char symbol[KSYM_SYMBOL_LEN];
	int at = 0, len;

	*text = '\0';
	for (i = 0; i < min_t(unsigned int, n, FRAMES_MAX); i++) {
		const char *link = i ? " <- " : "";

		if (name) {
			shown = name;
			len = strcspn(name, "\n");
			name += len + !!name[len];
		} else {
			shown = symbol;
			len = sprint_symbol(symbol, frames[i] - 1);
		}
		if (*shown == '0') { /* the address of what has no name */
			shown = "[unknown]";
			len = strlen(shown);
		}
		at += scnprintf(text + at, STACK_TEXT - at, "%s%.*s", link, len, shown);
	}
	if (!n)
		strscpy(text, "a stack that is not known", STACK_TEXT);
}

static void report(struct quarry_profile *p, u64 live)
{
	u32 i, n = merge(p->site, p->nr);
	char stack[STACK_TEXT];

	if (!n) {
		pr_warn("%llu objects were never freed; none of them was sampled (rate=1 samples all)\n",
			live);
		return;
	}
	for (i = 0; i < min_t(u32, n, SITES); i++) {
		const struct quarry_site *site = &p->site[i];

		stack_text(stack, site);
		pr_warn("never freed: about %llu bytes in %llu objects, cache %s, allocated in %s\n",
			site->inuse.space,
			(site->inuse.objects + QR_HALF_OBJECT) >> QR_OBJECTS_SHIFT,
			site->cache_name, stack);
	}
	if (n > SITES)
		pr_warn("never freed: less than that in each of %u other sites\n", n - SITES);
}

void qr_leaks_report(void)
{
	struct quarry_profile *p;
	struct quarry_stats st;

	quarry_stats_read(&st);
	if (!st.live_objects)
		return;
	p = qr_profile_take(QUARRY_CACHE_ALL, false);
	if (IS_ERR_OR_NULL(p)) {
		pr_warn("%llu objects were never freed; no memory to name their sites\n",
			st.live_objects);
		return;
	}
	report(p, st.live_objects);
	qr_profile_free(p);
}
