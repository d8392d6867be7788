// SPDX-License-Identifier: GPL-2.0
/* Fixtures of the suites that sample. */
#include "tests/profile_util.h"

#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/string.h>
#include "view/snapshot.h"

int qp_last_node(void)
{
	int node, last = NUMA_NO_NODE;

	for_each_node_mask(node, qr_nodes)
		last = node;
	return last;
}

static void rate_off(void *unused)
{
	qr_rate_set(0);
}

void qp_rate(struct kunit *test, u32 rate)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, rate_off, NULL));
	qr_rate_set(rate);
}

/* The cache of a size class still exists when the case ends; another may have been destroyed. */
static void cache_rate_again(void *id)
{
	qr_cache_rate_set((unsigned long)id, 0, false);
}

void qp_cache_rate(struct kunit *test, struct quarry_cache *cache, u32 rate)
{
	void *id = (void *)(unsigned long)qp_id(cache);

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, cache_rate_again, id));
	KUNIT_ASSERT_EQ(test, 0, qr_cache_rate_set(qp_id(cache), rate, true));
}

struct qr_profile_counts qp_counts(void)
{
	struct qr_profile_counts c;

	qr_profile_counts(&c);
	return c;
}

KUNIT_DEFINE_ACTION_WRAPPER(profile_free_action, qr_profile_free, struct quarry_profile *);

struct quarry_profile *qp_take(struct kunit *test, u32 cache, bool with_ages)
{
	struct quarry_profile *p = qr_profile_take(cache, with_ages);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, profile_free_action, p));
	return p;
}

static void add(struct quarry_sum *a, const struct quarry_sum *b)
{
	a->samples += b->samples;
	a->objects += b->objects;
	a->space += b->space;
	a->var_objects += b->var_objects;
	a->var_space += b->var_space;
}

void qp_sum(const struct quarry_profile *p, u32 cache, struct quarry_site *sum)
{
	u32 i;

	memset(sum, 0, sizeof(*sum));
	sum->cache = cache;
	for (i = 0; i < p->nr; i++) {
		const struct quarry_site *site = &p->site[i];

		/* Row 0 stands for all caches; its cache field is 0, too. */
		if (site->cache != cache || !site->id)
			continue;
		add(&sum->alloc, &site->alloc);
		add(&sum->inuse, &site->inuse);
		sum->peak_objects += site->peak_objects;
		sum->peak_space += site->peak_space;
		sum->asked += site->asked;
	}
}

void qp_now(struct kunit *test, u32 cache, struct quarry_site *sum)
{
	struct quarry_profile *p = qr_profile_take(QUARRY_CACHE_ALL, false);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	qp_sum(p, cache, sum);
	qr_profile_free(p);
}

void qp_expect_near(struct kunit *test, const struct quarry_sum *sum, u64 truth)
{
	s64 off = sum->objects - qp_objects(truth);
	qr_u128 square = (qr_u128)abs(off) * abs(off);

	KUNIT_EXPECT_GT(test, sum->objects, 0);
	KUNIT_EXPECT_TRUE_MSG(test, square <= 36 * sum->var_objects, "%llu objects: off by %lld",
			      truth, off >> QR_OBJECTS_SHIFT);
}

const struct quarry_site *qp_grown(struct kunit *test, const struct quarry_profile *p,
				   const struct quarry_profile *base, unsigned int *rows)
{
	const struct quarry_site *found = NULL;
	u32 i, k = 0;

	*rows = 0;
	for (i = 0; i < p->nr; i++) {
		u64 samples = p->site[i].alloc.samples;

		while (k < base->nr && base->site[k].id < p->site[i].id)
			k++;
		if (k < base->nr && base->site[k].id == p->site[i].id)
			samples -= base->site[k].alloc.samples;
		if (samples) {
			found = &p->site[i];
			++*rows;
		}
	}
	KUNIT_ASSERT_NOT_NULL(test, found);
	return found;
}

static void counters(struct kunit *test, struct qp_books *b)
{
	struct quarry_cache_stats sum;
	struct quarry_stats *st;

	if (b->cache) {
		sum = qt_sum(b->cache);
		b->mallocs = sum.mallocs;
		b->live = sum.live_objects;
		b->live_bytes = sum.live_objects * sum.size;
		return;
	}
	st = qt_stats(test);
	b->live = st->large_objects;
	b->live_bytes = st->large_bytes;
}

void qp_books_open(struct kunit *test, struct qp_books *b, struct quarry_cache *cache)
{
	memset(b, 0, sizeof(*b));
	b->cache = cache;
	b->id = cache ? qp_id(cache) : 0;
	counters(test, b);
	qp_now(test, b->id, &b->was);
}

void qp_books_agree(struct kunit *test, const struct qp_books *b, u64 asked)
{
	struct qp_books now = { .cache = b->cache, .id = b->id };
	const struct quarry_site *was = &b->was;
	struct quarry_site *is = kunit_kzalloc(test, sizeof(*is), GFP_KERNEL);
	u64 live;

	KUNIT_ASSERT_NOT_NULL(test, is);
	counters(test, &now);
	qp_now(test, b->id, is);
	live = now.live - b->live;
	KUNIT_EXPECT_EQ(test, live, is->inuse.samples - was->inuse.samples);
	KUNIT_EXPECT_EQ(test, qp_objects(live), is->inuse.objects - was->inuse.objects);
	KUNIT_EXPECT_EQ(test, now.live_bytes - b->live_bytes, is->inuse.space - was->inuse.space);
	KUNIT_EXPECT_EQ(test, asked, is->asked - was->asked);
	/* A sample that stands for itself alone adds no error. */
	KUNIT_EXPECT_TRUE(test, is->inuse.var_objects == was->inuse.var_objects);
	KUNIT_EXPECT_TRUE(test, is->alloc.var_space == was->alloc.var_space);
	if (b->cache) {
		u64 mallocs = now.mallocs - b->mallocs;

		KUNIT_EXPECT_EQ(test, mallocs, is->alloc.samples - was->alloc.samples);
		KUNIT_EXPECT_EQ(test, qp_objects(mallocs), is->alloc.objects - was->alloc.objects);
		KUNIT_EXPECT_EQ(test, mallocs * b->cache->size, is->alloc.space - was->alloc.space);
	}
	kunit_kfree(test, is);
}

static int count_object(const struct qr_object *o, void *arg)
{
	++*(unsigned int *)arg;
	return 0;
}

void qp_expect_all_found(struct kunit *test)
{
	unsigned int found = 0;

	KUNIT_EXPECT_EQ(test, 0, qr_walk_objects(true, count_object, &found));
	KUNIT_EXPECT_EQ(test, qp_counts().live_samples, found);
}

/* Called with the profiler's lock held. */
static void watch_event(struct qr_watcher *watcher, const struct qr_event *e)
{
	struct qp_watch *w = container_of(watcher, struct qp_watch, w);

	if (w->cache != QUARRY_CACHE_ALL && w->cache != e->cache)
		return;
	w->nr++;
	w->allocs += e->type == QR_EVENT_ALLOC;
	w->last = *e;
}

KUNIT_DEFINE_ACTION_WRAPPER(unwatch_action, qr_unwatch, struct qr_watcher *);

struct qp_watch *qp_watch(struct kunit *test, u32 cache)
{
	struct qp_watch *w = qt_array(test, 1, sizeof(*w));

	w->w.event = watch_event;
	w->cache = cache;
	qr_watch(&w->w);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unwatch_action, &w->w));
	return w;
}

void qp_unwatch(struct kunit *test, struct qp_watch *w)
{
	kunit_release_action(test, unwatch_action, &w->w);
}

unsigned int qp_stack(u32 stack, unsigned long **entries)
{
	const struct quarry_site site = { .stack = stack };

	return qr_site_stack(&site, entries);
}

/* The name of the function that contains a return address, without suffixes such as .isra. */
static const char *function_of(char *text, unsigned long ret)
{
	sprint_symbol(text, ret - 1);
	text[strcspn(text, "+.")] = '\0';
	return text;
}

bool qp_stack_has(u32 stack, const char *function)
{
	char text[KSYM_SYMBOL_LEN];
	unsigned long *entries;
	unsigned int n = qp_stack(stack, &entries);

	while (n--)
		if (!strcmp(function_of(text, entries[n]), function))
			return true;
	return false;
}

const char *qp_leaf(struct kunit *test, u32 stack)
{
	char *text = kunit_kzalloc(test, KSYM_SYMBOL_LEN, GFP_KERNEL);
	unsigned long *entries;

	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_ASSERT_GT(test, qp_stack(stack, &entries), 0);
	return function_of(text, entries[0]);
}

const char *qp_label(u32 labels, const char *key)
{
	const struct quarry_labels *l = qr_labels_get(labels);
	unsigned int i;

	for (i = 0; l && i < l->n; i++)
		if (!strcmp(l->key[i], key))
			return l->value[i];
	return NULL;
}
