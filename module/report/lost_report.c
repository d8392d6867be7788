// SPDX-License-Identifier: GPL-2.0
/*
 * What view/find_leaks.c found, as text: a line for each cache and call stack whose objects nothing
 * points to, the most bytes first.  Only sampled objects have a stack and an age.
 */
#include <quarry/profile.h>

#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "compat.h"
#include "report/site_text.h"
#include "report/text_buffer.h"
#include "view/find_leaks.h"

#define GROUPS 256
#define FRAMES 6

/**
 * struct group - objects of one cache and one call stack
 * @cache: number of the cache
 * @site: the row of the profile; U32_MAX if the objects are not sampled
 * @name: the cache's name
 * @objects: how many
 * @bytes: their bytes
 * @since: when the oldest was allocated, monotonic clock
 */
struct group {
	u32 cache;
	u32 site;
	char name[QUARRY_NAME_LEN];
	u64 objects;
	u64 bytes;
	u64 since;
};

struct groups {
	struct group at[GROUPS];
	unsigned int n;
	u64 more_objects; /* of groups for which there is no room */
	u64 more_bytes;
};

static struct group *group_of(struct groups *g, const struct qr_object *o)
{
	unsigned int i;

	for (i = g->n; i-- > 0;)
		if (g->at[i].cache == o->cache && g->at[i].site == o->sample.site)
			return &g->at[i];
	if (g->n == GROUPS)
		return NULL;
	i = g->n++;
	g->at[i] = (struct group){
		.cache = o->cache,
		.site = o->sample.site,
		.since = U64_MAX,
	};
	strscpy(g->at[i].name, o->cache_name, sizeof(g->at[i].name));
	return &g->at[i];
}

static int add(const struct qr_object *o, void *arg)
{
	struct groups *g = arg;
	struct group *group = group_of(g, o);

	if (!group) {
		g->more_objects++;
		g->more_bytes += o->size;
		return 0;
	}
	group->objects++;
	group->bytes += o->size;
	if (o->sample.site != U32_MAX)
		group->since = min(group->since, o->sample.time);
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static void put_group(struct qr_text *t, const struct group *group, const struct quarry_profile *p,
		      struct qr_site_text *buf, u64 now)
{
	qr_text_printf(t, "%10llu %14llu ", group->objects, group->bytes);
	if (group->site < p->nr)
		qr_text_printf(t, "%10llu %-20s %s\n",
			       div_u64(now - min(now, group->since), NSEC_PER_SEC), group->name,
			       qr_site_text(buf, &p->site[group->site], FRAMES));
	else
		qr_text_printf(t, "%10s %-20s %s\n", "-", group->name, "- (not sampled)");
}

static struct qr_text *render(struct groups *g, const struct qr_leak_search *s)
{
	struct quarry_profile *p = qr_profile_take(QUARRY_CACHE_ALL, false);
	struct qr_site_text *buf = kmalloc(sizeof(*buf), GFP_KERNEL);
	struct qr_text *t = qr_text_new();
	unsigned int i;

	if (IS_ERR(p) || !buf || !t) {
		qr_text_free(t);
		t = ERR_PTR(IS_ERR(p) ? PTR_ERR(p) : -ENOMEM);
		goto out;
	}
	qr_text_printf(t, "# rounds %llu, pages searched %llu, not readable %llu\n", s->rounds,
		       s->pages, s->hidden);
	qr_text_printf(t, "# objects %llu, reached %llu, lost %llu\n", s->objects, s->reached,
		       s->leaks);
	qr_text_printf(t, "%10s %14s %10s %-20s %s\n", "#objects", "bytes", "oldest_s", "cache",
		       "allocated in");
	sort(g->at, g->n, sizeof(g->at[0]), by_bytes, NULL);
	for (i = 0; i < g->n; i++)
		put_group(t, &g->at[i], p, buf, p->mono_ns);
	if (g->more_objects)
		qr_text_printf(t, "%10llu %14llu %10s %-20s\n", g->more_objects, g->more_bytes, "-",
			       "(others)");
	t = qr_text_done(t);
out:
	kfree(buf);
	qr_profile_free(p);
	return t;
}

struct qr_text *qr_lost_render(void)
{
	struct qr_leak_search s;
	struct groups *g = kvzalloc(sizeof(*g), GFP_KERNEL);
	struct qr_text *t;
	int err;

	if (!g)
		return ERR_PTR(-ENOMEM);
	err = qr_find_leaks(&s, add, g);
	t = err ? ERR_PTR(err) : render(g, &s);
	kvfree(g);
	return t;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_lost_render);
