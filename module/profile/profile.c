// SPDX-License-Identifier: GPL-2.0
/*
 * What happens when a sampled object is allocated, handed on or freed: its sample changes,
 * and its row in a table of bucket.c.  The table's lock protects both.
 */
#include "profile/profile.h"

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "profile/bucket.h"
#include "profile/draw.h"
#include "profile/label.h"
#include "profile/profile_memory.h"
#include "profile/stack.h"

static_assert(QR_WEIGHT_SHIFT == QR_OBJECTS_SHIFT);

static const char *const age_names[QR_AGES] = {
	"<10us",    "10us-100us", "100us-1ms", "1ms-10ms",   "10ms-100ms",
	"100ms-1s", "1s-10s",	  "10s-100s",  "100s-1000s", ">=1000s",
};

const char *qr_age_name(unsigned int age)
{
	return age_names[min(age, QR_AGES - 1U)];
}
EXPORT_SYMBOL_QUARRY_TEST(qr_age_name);

unsigned int qr_age(u64 ns)
{
	u64 limit = 10 * NSEC_PER_USEC;
	unsigned int age;

	for (age = 0; age < QR_AGES - 1 && ns >= limit; age++)
		limit *= 10;
	return age;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_age);

/* --- Samples --- */

/* What one sample adds to the sums of its row. */
static __always_inline struct quarry_sum sum_of(u64 weight, u32 size)
{
	qr_u128 var = (qr_u128)weight * (weight - QR_WEIGHT_ONE);

	return (struct quarry_sum){
		.samples = 1,
		.objects = weight,
		.space = qr_weighted(weight, size),
		.var_objects = var,
		.var_space = var * ((u64)size * size),
	};
}

/* The bytes asked for, weighted.  Mostly these are the bytes given, which @one has already. */
static __always_inline u64 asked_of(u64 weight, u32 asked, const struct quarry_sum *one, u32 size)
{
	return likely(asked == size) ? one->space : qr_weighted(weight, asked);
}

static __always_inline void sum_sub(struct quarry_sum *sum, const struct quarry_sum *one)
{
	sum->samples -= one->samples;
	sum->objects -= one->objects;
	sum->space -= one->space;
	sum->var_objects -= one->var_objects;
	sum->var_space -= one->var_space;
}

static noinline void tell_watchers(struct qr_table *t, enum qr_event_type type,
				   const struct qr_bucket *b, const struct qr_sample *s,
				   const void *ptr, u32 size, u64 now)
{
	struct qr_event e = {
		.type = type,
		.ptr = ptr,
		.size = size,
		.asked = s->asked,
		.weighted = qr_weighted(s->weight, size),
		.time_ns = now,
		.age_ns = now - s->time,
		.site = b->site.id,
		.cache = b->site.cache,
		.stack = b->site.stack,
		.labels = b->site.labels,
		.pid = in_task() ? task_pid_nr(current) : 0,
		.cpu = raw_smp_processor_id(),
	};
	struct qr_watcher *w;

	list_for_each_entry(w, &t->watchers, link)
		w->event(w, &e);
}

/* Under the table's lock. */
static __always_inline void sample_alloced(struct qr_table *t, struct qr_sample *s,
					   const struct qr_sampled *what, struct qr_bucket *b,
					   u64 now)
{
	const struct quarry_sum one = sum_of(what->weight, what->size);

	qr_bucket_touch(t, b);
	s->bucket = b;
	s->weight = what->weight;
	s->time = now;
	s->asked = what->asked;
	s->cpu = raw_smp_processor_id();
	qr_sum_add(&b->site.alloc, &one);
	qr_sum_add(&b->site.inuse, &one);
	b->site.asked += asked_of(what->weight, what->asked, &one, what->size);
	t->samples++;
	t->live_samples++;
	t->live_space += one.space;
	if (unlikely(!b->site.stack) || unlikely(!b->site.labels))
		t->other_samples++;
	if (t->live_space > t->peak_space) {
		t->peak_space = t->live_space;
		t->peak_time = now;
		t->peaks++;
		t->news++;
	}
	if (unlikely(!list_empty(&t->watchers)))
		tell_watchers(t, QR_EVENT_ALLOC, b, s, what->ptr, what->size, now);
}

static __always_inline void count_alloc(struct qr_table *t, struct qr_sample *s,
					const struct qr_sampled *what, u32 stack, u32 labels,
					gfp_t gfp)
{
	u64 now = ktime_get_mono_fast_ns();
	struct qr_bucket *b;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	b = qr_bucket_find(t, what->cache, stack, labels);
	if (unlikely(!b)) {
		raw_spin_unlock_irqrestore(&t->lock, flags);
		qr_bucket_make(t, what->name, what->cache, stack, labels, gfp);
		raw_spin_lock_irqsave(&t->lock, flags);
		b = qr_bucket_find_made(t, what->cache, stack, labels);
	}
	sample_alloced(t, s, what, b, now);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

/* A full table does not need more stacks in the depot. */
static enum qr_stack_add add_mode(const struct qr_table *t)
{
	return qr_table_has_room(t, 1) ? QR_STACK_ADD : QR_STACK_FIND;
}

void qr_profile_alloced(struct qr_sample *s, const struct qr_sampled *what, gfp_t gfp)
{
	struct qr_table *t = &qr_own_table;
	u32 stack = qr_stack_save(what->ip, gfp, add_mode(t));
	u32 labels = qr_labels_now(what->node, 0, gfp);

	if (trace_sample_alloc_enabled())
		trace_sample_alloc(what->ptr, what->size, qr_weighted(what->weight, what->size));
	count_alloc(t, s, what, stack, labels, gfp);
}

u32 qr_table_stack(struct qr_table *t, unsigned long ip, unsigned long function, gfp_t gfp)
{
	enum qr_stack_add add = add_mode(t);

	if (IS_ENABLED(CONFIG_PREEMPT_RT) && add == QR_STACK_ADD)
		add = QR_STACK_ADD_LATER;
	gfp &= ~__GFP_DIRECT_RECLAIM;
	return ip ? qr_stack_save_from(ip, gfp, add) : qr_stack_save_behind(function, gfp, add);
}

void qr_table_alloced(struct qr_table *t, struct qr_sample *s, const struct qr_sampled *what,
		      u32 stack)
{
	count_alloc(t, s, what, stack, qr_labels_now(what->node, what->cgroup, 0), 0);
}

/* Under the table's lock. */
static __always_inline void sample_freed(struct qr_table *t, struct qr_sample *s, const void *ptr,
					 u32 size, u64 now)
{
	const struct quarry_sum one = sum_of(s->weight, size);
	unsigned int age = qr_age(now - s->time);
	struct qr_bucket *b = s->bucket;

	qr_bucket_touch(t, b);
	s->bucket = NULL;
	sum_sub(&b->site.inuse, &one);
	b->site.asked -= asked_of(s->weight, s->asked, &one, size);
	b->freed.objects[age] += one.objects;
	b->freed.space[age] += one.space;
	t->live_samples--;
	t->live_space -= one.space;
	if (unlikely(!list_empty(&t->watchers)))
		tell_watchers(t, QR_EVENT_FREE, b, s, ptr, size, now);
	s->weight = 0; /* no stacks are in its place, see struct qr_sample */
}

/*
 * In NMI this CPU may hold the lock, unless the caller can @wait: a breakpoint looks like an NMI
 * too.  lockdep wants locks to be tried there.
 */
static __always_inline bool lock_to_free(struct qr_table *t, bool wait)
{
	if (likely(!in_nmi())) {
		raw_spin_lock(&t->lock);
		return true;
	}
	while (!raw_spin_trylock(&t->lock)) {
		if (!wait)
			return false;
		cpu_relax();
	}
	return true;
}

bool qr_profile_freed(struct qr_samples *samples, unsigned int i, const void *ptr, u32 size)
{
	struct qr_table *t = &qr_own_table;
	u64 now = ktime_get_mono_fast_ns();
	bool sampled;

	if (!lock_to_free(t, false))
		return false;
	/* If it is not sampled, this is a double free, and the slab layer reports it. */
	sampled = i < samples->nr && samples->at[i].bucket;
	if (likely(sampled)) {
		struct qr_sample *s = &samples->at[i];
		u32 stack = s->bucket->site.stack;

		sample_freed(t, s, ptr, size, now);
		s->allocated = stack;
		s->time = now;
	}
	raw_spin_unlock(&t->lock);
	if (likely(sampled))
		trace_sample_free(ptr);
	return true;
}

void qr_sample_freed_by(struct qr_samples *samples, unsigned int i, u32 stack)
{
	struct qr_table *t = &qr_own_table;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	/* A double free is no news. */
	if (i < samples->nr && !samples->at[i].bucket && !samples->at[i].freed)
		samples->at[i].freed = stack;
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

bool qr_table_freed(struct qr_table *t, struct qr_sample *s, const void *ptr, u32 size, bool wait)
{
	u64 now = ktime_get_mono_fast_ns();

	if (!lock_to_free(t, wait))
		return false;
	sample_freed(t, s, ptr, size, now);
	raw_spin_unlock(&t->lock);
	return true;
}

void qr_profile_handed_on(struct qr_samples *samples, unsigned int i, struct qr_sampled *what,
			  gfp_t gfp)
{
	struct qr_table *t = &qr_own_table;
	u64 now = ktime_get_mono_fast_ns();
	unsigned long flags;
	bool sampled;

	raw_spin_lock_irqsave(&t->lock, flags);
	sampled = i < samples->nr && samples->at[i].bucket;
	if (sampled) {
		what->weight = samples->at[i].weight;
		what->asked = samples->at[i].asked;
		sample_freed(t, &samples->at[i], what->ptr, what->size, now);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	if (!sampled)
		return;
	trace_sample_free(what->ptr);
	qr_profile_alloced(&samples->at[i], what, gfp);
}

void qr_table_dropped(struct qr_table *t, u64 weight, u32 size)
{
	u64 space = qr_weighted(weight, size);
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	t->dropped_samples++;
	t->dropped_space += space;
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

void qr_profile_dropped(u64 weight, u32 size)
{
	qr_table_dropped(&qr_own_table, weight, size);
}

static void samples_set(struct qr_samples *samples, struct qr_sample *at, unsigned int nr)
{
	struct qr_table *t = &qr_own_table;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	samples->nr = nr;
	WRITE_ONCE(samples->at, at);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

bool qr_samples_init(struct qr_samples *samples, unsigned int n, gfp_t gfp)
{
	struct qr_sample *at = qr_profile_memory_alloc(n * sizeof(*at), gfp);

	if (!at)
		return false;
	samples_set(samples, at, n);
	return true;
}

void qr_samples_exit(struct qr_samples *samples)
{
	struct qr_sample *at = samples->at;
	unsigned int n = samples->nr;

	if (!at)
		return;
	samples_set(samples, NULL, 0);
	qr_profile_memory_free(at, n * sizeof(*at));
}

unsigned int qr_samples_read(const struct qr_samples *samples, unsigned int n,
			     struct qr_live_sample *out)
{
	struct qr_table *t = &qr_own_table;
	const struct qr_sample *s;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&t->lock, flags);
	n = min(n, samples->nr);
	for (i = 0; i < n; i++, out++) {
		s = &samples->at[i];
		out->site = s->bucket ? s->bucket->site.id : U32_MAX;
		out->weight = s->weight;
		out->time = s->time;
		out->asked = s->asked;
		out->cpu = s->cpu;
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return n;
}

bool qr_sample_origin(const struct qr_samples *samples, unsigned int i, struct qr_origin *o,
		      bool wait)
{
	struct qr_table *t = &qr_own_table;
	const struct qr_sample *s;
	unsigned long flags;

	memset(o, 0, sizeof(*o));
	if (wait && !in_nmi())
		raw_spin_lock_irqsave(&t->lock, flags);
	else if (!raw_spin_trylock_irqsave(&t->lock, flags))
		return false;
	s = i < samples->nr ? &samples->at[i] : NULL;
	if (s && s->bucket)
		*o = (struct qr_origin){ .allocated = s->bucket->site.stack, .time = s->time };
	else if (s)
		*o = (struct qr_origin){ .allocated = s->allocated,
					 .freed = s->freed,
					 .time = s->time,
					 .is_free = true };
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return o->allocated;
}

/* --- Observers --- */

void qr_watch(struct qr_watcher *w)
{
	struct qr_table *t = &qr_own_table;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	list_add_tail(&w->link, &t->watchers);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_watch);

void qr_unwatch(struct qr_watcher *w)
{
	struct qr_table *t = &qr_own_table;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	list_del(&w->link);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_unwatch);

void qr_table_reset(struct qr_table *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	t->resets++;
	t->news++;
	t->since = ktime_get_mono_fast_ns();
	t->peak_space = t->live_space;
	t->peak_time = t->since;
	t->peaks++;
	t->news++;
	t->dropped_samples = 0;
	t->dropped_space = 0;
	t->other_samples = 0;
	raw_spin_unlock_irqrestore(&t->lock, flags);
	qr_profile_reuse_rows(t);
}

void qr_profile_reset(void)
{
	qr_table_reset(&qr_own_table);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_reset);

void qr_table_counts(struct qr_table *t, struct qr_profile_counts *c)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	*c = (struct qr_profile_counts){
		.samples = t->samples,
		.live_samples = t->live_samples,
		.dropped_samples = t->dropped_samples,
		.dropped_space = t->dropped_space,
		.other_samples = t->other_samples,
		.live_space = t->live_space,
		.sites = t->nr,
		.site_limit = t->max,
	};
	raw_spin_unlock_irqrestore(&t->lock, flags);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_table_counts);

void qr_profile_counts(struct qr_profile_counts *c)
{
	qr_table_counts(&qr_own_table, c);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_counts);
