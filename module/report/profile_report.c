// SPDX-License-Identifier: GPL-2.0
/*
 * The kinds of profile, and how the rows of each are made from sites.
 *
 * The table has no variance for a part of a site, such as what it held at the peak or
 * what was freed at some age.  Samples of one site resemble each other, so such a part
 * gets its share of the samples and of the variance of all objects of the site.
 */
#include "report/profile_report.h"

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"

const char *const qr_profile_kind_name[QUARRY_PROFILE_KINDS] = {
	[QUARRY_PROFILE_HEAP] = "heap",
	[QUARRY_PROFILE_ALLOCS] = "allocs",
	[QUARRY_PROFILE_PEAK] = "peak",
	[QUARRY_PROFILE_LIFETIME] = "lifetime",
	[QUARRY_PROFILE_FRAGMENTATION] = "fragmentation",
};
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_kind_name);

static const struct qr_value_type heap_types[] = {
	{ "alloc_objects", "count", "alloc_objs" },
	{ "alloc_space", "bytes", "alloc_bytes" },
	{ "inuse_objects", "count", "inuse_objs" },
	{ "inuse_space", "bytes", "inuse_bytes" },
	/* The growth of a delta; see qr_report_show_growth(). */
	{ "growth_objects", "count", "growth_objs" },
	{ "growth_space", "bytes", "growth_bytes" },
};

static const struct qr_value_type lifetime_types[] = {
	{ "freed_objects", "count", "freed_objs" },
	{ "freed_space", "bytes", "freed_bytes" },
	{ "live_objects", "count", "live_objs" },
	{ "live_space", "bytes", "live_bytes" },
};

static const struct qr_value_type fragmentation_types[] = {
	{ "internal_space", "bytes", "internal_bytes" },
	{ "pinned_space", "bytes", "pinned_bytes" },
};

static const struct {
	const struct qr_value_type *type;
	unsigned int nr;
	unsigned int first;
	const char *comment;
} kinds[QUARRY_PROFILE_KINDS] = {
	[QUARRY_PROFILE_HEAP] = { heap_types, 4, 3, "live objects and all allocations" },
	[QUARRY_PROFILE_ALLOCS] = { heap_types, 4, 1, "all allocations and live objects" },
	[QUARRY_PROFILE_PEAK] = { heap_types + 2, 2, 1, "what was live when that was most" },
	[QUARRY_PROFILE_LIFETIME] = {
		lifetime_types, 4, 1,
		"objects by the age they reached, live ones by their age so far",
	},
	[QUARRY_PROFILE_FRAGMENTATION] = {
		fragmentation_types, 2, 1,
		"internal: given but not asked for; pinned: free, in slabs with live objects",
	},
};

/* --- Numbers --- */

#define FRACTION (BIT(QR_OBJECTS_SHIFT) - 1)

/*
 * Numbers of objects have fractions, and readers want whole objects.  To round each row by
 * itself would be a bias: if nearly all objects are sampled, each row has a small fraction,
 * which stands for the few that are not, and all of these fractions would be lost.  So
 * the fraction that rounding cuts off from one row is added to the next.
 */
static s64 whole(u64 objects, u32 carry)
{
	return (objects >> QR_OBJECTS_SHIFT) + (((objects & FRACTION) + carry) >> QR_OBJECTS_SHIFT);
}

static s64 whole_next(u64 objects, u32 *carry)
{
	s64 n = whole(objects, *carry);

	*carry = (objects + *carry) & FRACTION;
	return n;
}

static s64 bytes(u64 space)
{
	return min_t(u64, space, S64_MAX);
}

u64 qr_error(qr_u128 var)
{
	unsigned int shift = 0;
	u64 root;

	while (var >> 64) {
		var >>= 2;
		shift++;
	}
	root = int_sqrt((u64)var);
	if (shift >= QR_OBJECTS_SHIFT)
		return root << (shift - QR_OBJECTS_SHIFT);
	shift = QR_OBJECTS_SHIFT - shift;
	return (root + (1ULL << (shift - 1))) >> shift;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_error);

/* @part / @all, with 16 fractional bits, at most one. */
static u32 share(u64 part, u64 all)
{
	if (part >= all)
		return all || part ? 1U << 16 : 0;
	while (all >> 48) {
		all >>= 1;
		part >>= 1;
	}
	return div64_u64(part << 16, all);
}

static qr_u128 scaled(qr_u128 var, u32 share)
{
	return (var >> 16) * share + (((u64)var & 0xffff) * share >> 16);
}

/* Sets values @i and @i + 1 of @row to objects and bytes, which are a part of those in @sum. */
static void set_part(struct qr_report *r, struct qr_row *row, unsigned int i, u64 objects,
		     u64 space, const struct quarry_sum *sum)
{
	row->value[i] = whole_next(objects, &r->carry[i / 2]);
	row->value[i + 1] = bytes(space);
	row->var[i] = scaled(sum->var_objects, share(objects, sum->objects));
	row->var[i + 1] = scaled(sum->var_space, share(space, sum->space));
}

static u64 part_samples(u64 objects, const struct quarry_sum *sum)
{
	u64 n = (sum->samples * share(objects, sum->objects) + 0x8000) >> 16;

	return objects ? max(n, 1ULL) : 0;
}

/*
 * The sum that a part of a site is a part of.  In a delta, or after a reset, fewer objects
 * may have been allocated than are live.
 */
static const struct quarry_sum *all_of(const struct quarry_site *site)
{
	return site->alloc.objects >= site->inuse.objects ? &site->alloc : &site->inuse;
}

/* --- Fragmentation --- */

static int by_cache(const void *a, const void *b, const void *priv)
{
	const struct quarry_site *site = priv;
	const struct quarry_site *x = &site[*(const u32 *)a], *y = &site[*(const u32 *)b];

	cond_resched();
	if (x->cache != y->cache)
		return x->cache < y->cache ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Bytes of a cache's slabs that clients do not hold. */
static u64 pinned_by(u32 cache)
{
	struct quarry_cache_stats st;
	u64 live;

	if (!cache || qr_cache_stats_read(cache, &st))
		return 0;
	live = st.live_objects * st.size;
	return st.inuse_bytes > live ? st.inuse_bytes - live : 0;
}

/*
 * Shares the bytes that a cache pins among its sites, in proportion to their bytes in use.
 * Each site gets the share of all sites up to it, less what the sites before it got, so
 * that the shares add up to all bytes.
 */
static void share_out(struct qr_report *r, const u32 *order, u32 nr)
{
	u64 all = 0, sum = 0, given = 0, pinned, due;
	unsigned int shift = 0;
	u32 i, last = 0;

	for (i = 0; i < nr; i++) {
		u64 space = r->p->site[order[i]].inuse.space;

		all += space;
		if (space)
			last = i;
	}
	pinned = all ? pinned_by(r->p->site[order[0]].cache) : 0;
	if (!pinned)
		return;
	/* Make the products below fit into 64 bits: not every machine can divide longer ones. */
	while ((qr_u128)pinned * (all >> shift) >> 64)
		shift++;
	for (i = 0; i <= last; i++) {
		sum += r->p->site[order[i]].inuse.space;
		due = i == last ? pinned : div64_u64(pinned * (sum >> shift), all >> shift);
		r->pinned[order[i]] = due - given;
		given = due;
	}
}

static int share_pinned(struct qr_report *r)
{
	const struct quarry_profile *p = r->p;
	u32 *order, i, begin = 0;

	if (!p->nr)
		return 0;
	order = qr_meta_valloc(p->nr * sizeof(*order));
	r->pinned = qr_meta_valloc(p->nr * sizeof(*r->pinned));
	if (!order || !r->pinned) {
		qr_meta_vfree(order, p->nr * sizeof(*order));
		return -ENOMEM;
	}
	for (i = 0; i < p->nr; i++)
		order[i] = i;
	sort_r(order, p->nr, sizeof(*order), by_cache, NULL, p->site);
	for (i = 1; i <= p->nr; i++) {
		if (i < p->nr && p->site[order[i]].cache == p->site[order[begin]].cache)
			continue;
		share_out(r, order + begin, i - begin);
		begin = i;
		cond_resched();
	}
	qr_meta_vfree(order, p->nr * sizeof(*order));
	return 0;
}

/* --- Rows --- */

static void heap_row(struct qr_report *r, struct qr_row *row, const struct quarry_site *site)
{
	u32 carry = r->carry[0];

	set_part(r, row, 0, site->alloc.objects, site->alloc.space, &site->alloc);
	set_part(r, row, 2, site->inuse.objects, site->inuse.space, &site->inuse);
	/* Round both with the same carry, so that no more objects are live than allocated. */
	if (site->alloc.objects >= site->inuse.objects)
		row->value[2] = whole(site->inuse.objects, carry);
}

/*
 * The variance of a difference of two levels.  Samples that are in both levels do not matter;
 * those that came or went do.  Of these the table only knows bounds: no more came than were
 * allocated or are in use now, and no more went than were freed or were in use at the base.  So
 * the result may be too large, but not too small.
 */
static qr_u128 growth_var(qr_u128 base, qr_u128 now, qr_u128 alloc, bool reset)
{
	qr_u128 freed = base + alloc - now;

	/* After a reset the profile does not know all allocations since the base. */
	return reset ? base + now : min(alloc, now) + min(freed, base);
}

static void growth_row(struct qr_report *r, struct qr_row *row, u32 i)
{
	const struct quarry_site *site = row->site;
	const struct quarry_sum *now = &site->inuse, *alloc = &site->alloc, *base = &r->p->base[i];
	bool reset = r->p->span_ns != r->p->duration_ns;
	s64 objects = now->objects - base->objects + r->carry[QR_FIRST_GROWTH / 2];

	row->value[QR_FIRST_GROWTH] = objects >> QR_OBJECTS_SHIFT;
	r->carry[QR_FIRST_GROWTH / 2] = objects & FRACTION;
	row->value[QR_FIRST_GROWTH + 1] = now->space - base->space;
	row->var[QR_FIRST_GROWTH] = growth_var(base->var_objects, now->var_objects,
					       alloc->var_objects, reset);
	row->var[QR_FIRST_GROWTH + 1] = growth_var(base->var_space, now->var_space,
						   alloc->var_space, reset);
	if (r->first >= QR_FIRST_GROWTH)
		row->samples = now->samples - base->samples;
}

static void fragmentation_row(struct qr_row *row, const struct qr_report *r, u32 i)
{
	const struct quarry_site *site = row->site;
	const struct quarry_sum *in = &site->inuse;
	u64 internal = in->space > site->asked ? in->space - site->asked : 0;
	u64 part[] = { internal, r->pinned[i] };
	u64 error = qr_error(in->var_space), one;
	unsigned int v;

	for (v = 0; v < ARRAY_SIZE(part); v++) {
		/* Both parts are proportional to the bytes in use, and so are their errors. */
		one = error * div64_u64(part[v], max(in->space, 1ULL));
		one += mul_u64_u32_shr(error, share(part[v] % max(in->space, 1ULL), in->space), 16);
		row->value[v] = bytes(part[v]);
		row->var[v] = (qr_u128)one * one << (2 * QR_OBJECTS_SHIFT);
	}
	row->samples = in->samples;
}

static bool says_anything(const struct qr_report *r, const struct qr_row *row)
{
	unsigned int i;

	for (i = 0; i < r->nr; i++)
		if (row->value[i])
			return true;
	return false;
}

/* Makes a row of site @i; @age is its age class in a lifetime profile, otherwise 0. */
static void make_row(struct qr_report *r, struct qr_row *row, u32 i, unsigned int age)
{
	const struct quarry_site *site = &r->p->site[i];
	const struct quarry_sum *all = all_of(site);
	const struct quarry_ages *ages;

	memset(row, 0, sizeof(*row));
	row->site = site;
	switch (r->kind) {
	case QUARRY_PROFILE_PEAK:
		set_part(r, row, 0, site->peak_objects, site->peak_space, all);
		row->samples = part_samples(site->peak_objects, all);
		break;
	case QUARRY_PROFILE_LIFETIME:
		ages = &r->p->ages[i];
		set_part(r, row, 0, ages->freed_objects[age], ages->freed_space[age], all);
		set_part(r, row, 2, ages->live_objects[age], ages->live_space[age], all);
		row->samples = part_samples(ages->freed_objects[age], all);
		row->key = "age";
		row->label = qr_age_name(age);
		break;
	case QUARRY_PROFILE_FRAGMENTATION:
		fragmentation_row(row, r, i);
		break;
	default:
		heap_row(r, row, site);
		row->samples = r->kind == QUARRY_PROFILE_ALLOCS ? site->alloc.samples :
								  site->inuse.samples;
		if (r->nr > QR_FIRST_GROWTH)
			growth_row(r, row, i);
	}
}

bool qr_report_next(struct qr_report *r, struct qr_row *row)
{
	unsigned int ages = r->kind == QUARRY_PROFILE_LIFETIME ? QR_AGES : 1;

	if (r->kind == QUARRY_PROFILE_LIFETIME && !r->p->ages)
		return false;
	while (r->next < r->p->nr) {
		make_row(r, row, r->next, r->age);
		if (++r->age == ages) {
			r->age = 0;
			r->next++;
			cond_resched();
		}
		if (says_anything(r, row) && !qr_bound_merges(r, row))
			return true;
	}
	return qr_bound_rest(r, row);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report_next);

void qr_report_rewind(struct qr_report *r)
{
	unsigned int i;

	r->next = 0;
	r->age = 0;
	/* A carry of one half: the first row is rounded to the nearest number. */
	for (i = 0; i < ARRAY_SIZE(r->carry); i++)
		r->carry[i] = BIT(QR_OBJECTS_SHIFT - 1);
	qr_bound_rewind(r);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report_rewind);

int qr_report_init(struct qr_report *r, const struct quarry_profile *p,
		   enum quarry_profile_kind kind)
{
	memset(r, 0, sizeof(*r));
	r->p = p;
	r->kind = kind;
	r->type = kinds[kind].type;
	r->nr = kinds[kind].nr;
	r->first = kinds[kind].first;
	r->comment = kinds[kind].comment;
	qr_report_rewind(r);
	return kind == QUARRY_PROFILE_FRAGMENTATION ? share_pinned(r) : 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report_init);

void qr_report_show_growth(struct qr_report *r)
{
	if (r->type != heap_types || !r->p->delta)
		return;
	r->nr = ARRAY_SIZE(heap_types);
	if (r->kind == QUARRY_PROFILE_HEAP)
		r->first = QR_FIRST_GROWTH + 1;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report_show_growth);

void qr_report_exit(struct qr_report *r)
{
	qr_meta_vfree(r->pinned, r->p->nr * sizeof(*r->pinned));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report_exit);

/* --- Stacks --- */

static const unsigned long no_stack[] = { QR_NO_ADDRESS };
static const unsigned long merged_stack[] = { QR_MERGED_ADDRESS };

static unsigned int stack_of(const struct quarry_site *site, const unsigned long **ret)
{
	unsigned long *entries;
	unsigned int nr = 0;

	if (site->stack)
		nr = qr_site_stack(site, &entries);
	*ret = nr ? entries : site == &qr_merged_site ? merged_stack : no_stack;
	return min_t(unsigned int, nr, QUARRY_STACK_MAX);
}

void qr_report_collect(struct qr_report *r, struct qr_symbols *s)
{
	const struct quarry_site *last = NULL;
	const unsigned long *ret;
	struct qr_row row;
	unsigned int nr;

	qr_report_rewind(r);
	while (qr_report_next(r, &row)) {
		const struct quarry_site *site = row.site;

		/* Merged rows have a stand-in of their own for the stack. */
		if (last && last->stack == site->stack && last->names == site->names && !row.merged)
			continue;
		last = site;
		nr = stack_of(site, &ret);
		qr_symbols_add(s, ret, nr ?: 1, nr ? site->names : NULL);
	}
	qr_report_rewind(r);
}

void qr_report_frames(struct qr_frames *f, const struct qr_symbols *s,
		      const struct quarry_site *site)
{
	f->nr = stack_of(site, &f->ret);
	qr_symbols_find(s, f->ret, f->nr ?: 1, f->nr ? site->names : NULL, f->place);
}
