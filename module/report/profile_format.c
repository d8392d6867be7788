// SPDX-License-Identifier: GPL-2.0
/*
 * Legacy heap text, which both people and pprof can read, and the choice of formats.
 *
 * Such a text has four numbers for a row.  With "heapprofile" in its first line pprof
 * takes these numbers unchanged.  With other words pprof would scale them, by what it
 * guesses from the mean size of the objects of a row.
 *
 * If the first line's two pairs of numbers differ, pprof names them inuse and alloc, and shows
 * inuse_space first.  That is right for a heap profile only.  In the others both pairs are the
 * value that matters most: then pprof calls it space.  Comments have all values of a row.
 */
#include <linux/err.h>
#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"
#include "report/pprof.h"
#include "report/profile_report.h"
#include "report/profile_table.h"
#include "report/symbol.h"
#include "report/text_buffer.h"

/* --- Legacy heap text --- */

/**
 * struct numbers - the numbers of a row: "objects: space [objects2: space2]"
 * @objects: live objects
 * @space: their bytes
 * @objects2: all objects that were allocated
 * @space2: their bytes
 *
 * This is for heap profiles.  meaning() says what the numbers are for the other kinds.
 */
struct numbers {
	u64 objects;
	u64 space;
	u64 objects2;
	u64 space2;
};

static const char *meaning(enum quarry_profile_kind kind)
{
	switch (kind) {
	case QUARRY_PROFILE_ALLOCS:
		return "objects: bytes allocated [the same again]";
	case QUARRY_PROFILE_PEAK:
		return "objects: bytes at the peak [the same again]";
	case QUARRY_PROFILE_LIFETIME:
		return "objects: bytes freed [the same again]";
	case QUARRY_PROFILE_FRAGMENTATION:
		return "live objects: bytes pinned [the same again]";
	default:
		return "objects: bytes live [objects: bytes allocated]";
	}
}

/* pprof refuses a row with bytes but no objects, which may result from rounding. */
static u64 at_least_one(u64 objects, u64 space)
{
	return objects ?: space > 0;
}

static void numbers_of(const struct qr_report *r, const struct qr_row *row, struct numbers *n)
{
	const s64 *v = row->value;

	n->objects = v[r->first ^ 1];
	n->space = v[r->first];
	/* Both values of a fragmentation profile are bytes. */
	if (r->kind == QUARRY_PROFILE_FRAGMENTATION)
		n->objects = row->site->inuse.objects >> QR_OBJECTS_SHIFT;
	n->objects2 = r->kind == QUARRY_PROFILE_HEAP ? v[0] : n->objects;
	n->space2 = r->kind == QUARRY_PROFILE_HEAP ? v[1] : n->space;
	n->objects = at_least_one(n->objects, n->space);
	n->objects2 = at_least_one(n->objects2, n->space2);
}

static void put_head(struct qr_text *t, struct qr_report *r)
{
	struct numbers all = {}, n;
	char comment[QR_COMMENT];
	struct qr_row row;
	unsigned int i;

	qr_report_rewind(r);
	while (qr_report_next(r, &row)) {
		numbers_of(r, &row, &n);
		all.objects += n.objects;
		all.space += n.space;
		all.objects2 += n.objects2;
		all.space2 += n.space2;
	}
	qr_text_printf(t, "heap profile: %llu: %llu [%llu: %llu] @ heapprofile\n", all.objects,
		       all.space, all.objects2, all.space2);
	for (i = 0; qr_report_comment(r, i, comment, sizeof(comment)); i++)
		qr_text_printf(t, "# %s\n", comment);
	qr_text_printf(t, "# %s @ return addresses\n", meaning(r->kind));
}

static void put_label(struct qr_text *t, const char *key, const char *value)
{
	qr_text_printf(t, " %s=%s", key, value);
}

static void put_labels(struct qr_text *t, const struct qr_report *r, const struct qr_row *row)
{
	const struct quarry_labels *labels = NULL;
	unsigned int i;

	qr_text_printf(t, "# site %u", row->site->id);
	put_label(t, qr_domain_label(r->p->domain), row->site->cache_name);
	if (row->key)
		put_label(t, row->key, row->label);
	if (row->site->labels)
		labels = qr_labels_get(row->site->labels);
	else
		put_label(t, "labels", "other");
	for (i = 0; labels && i < min(labels->n, QUARRY_LABELS_MAX); i++)
		put_label(t, labels->key[i], labels->value[i]);
	qr_text_puts(t, "\n");
}

static void put_errors(struct qr_text *t, const struct qr_report *r, const struct qr_row *row)
{
	unsigned int i;

	qr_text_printf(t, "# %lld samples%s", row->samples,
		       row->samples < QR_FEW ? " (few samples)" : "");
	for (i = 0; i < r->nr; i++)
		qr_text_printf(t, ", %s %lld +/- %llu", r->type[i].type, row->value[i],
			       qr_error(row->var[i]));
	qr_text_puts(t, "\n");
}

/* The return address of a frame, which is one more than the address of its place. */
static unsigned long shown_return(const struct qr_symbols *s, const struct qr_frames *f,
				  unsigned int i)
{
	return qr_symbols_shown(s, f->place[i]) + 1;
}

static void put_frame(struct qr_text *t, const struct qr_symbols *s, const struct qr_frames *f,
		      unsigned int i)
{
	const struct qr_function *function = qr_symbols_function(s, f->place[i]);

	qr_text_printf(t, "#\t0x%lx", shown_return(s, f, i));
	if (function) {
		qr_text_printf(t, " %s", function->name);
		if (function->start)
			qr_text_printf(t, "+0x%lx/0x%lx", f->ret[i] - function->start,
				       function->size);
		if (function->module)
			qr_text_printf(t, " [%s]", function->module);
	}
	qr_text_puts(t, "\n");
}

static void put_row(struct qr_text *t, const struct qr_report *r, const struct qr_symbols *s,
		    const struct qr_row *row)
{
	struct qr_frames f;
	struct numbers n;
	unsigned int i;

	numbers_of(r, row, &n);
	qr_report_frames(&f, s, row->site);
	qr_text_printf(t, "%llu: %llu [%llu: %llu] @", n.objects, n.space, n.objects2, n.space2);
	for (i = 0; i < f.nr; i++)
		qr_text_printf(t, " 0x%lx", shown_return(s, &f, i));
	qr_text_puts(t, "\n");
	put_labels(t, r, row);
	put_errors(t, r, row);
	for (i = 0; i < f.nr; i++)
		put_frame(t, s, &f, i);
	if (!f.nr)
		qr_text_puts(t, "#\t" QR_NO_STACK "\n");
}

static void put_mapping(struct qr_text *t, struct qr_mapping *map)
{
	qr_mapping_identify(map);
	qr_text_printf(t, "%lx-%lx r-xp ", map->shown, map->shown + map->end - map->start);
	if (map->name[0])
		qr_text_printf(t, "[%s]", map->name);
	else
		qr_text_puts(t, QR_KERNEL_FILE);
	if (map->build_id_len)
		qr_text_printf(t, " %*phN", map->build_id_len, map->build_id);
	qr_text_puts(t, "\n");
}

/* Does mapping number @i overlap one with a lower number, where they are shown? */
static bool overlaps(const struct qr_symbols *s, u32 i)
{
	const struct qr_mapping *map = qr_symbols_mapping(s, i), *lower;

	while (i--) {
		lower = qr_symbols_mapping(s, i);
		if (map->shown < lower->shown + (lower->end - lower->start) &&
		    lower->shown < map->shown + (map->end - map->start))
			return true;
	}
	return false;
}

/*
 * Writes the mappings.  With mappings pprof does not look for a main binary.  Names in
 * brackets keep pprof from complaining that it cannot find the files; if it is given a
 * directory of files by build id, it finds them nevertheless.  The last line is for
 * addresses that belong to no mapping.
 *
 * In this format an address itself tells its mapping.  So where another module now lies in the
 * place of an unloaded one, the unloaded one has no line.
 */
static void put_mappings(struct qr_text *t, const struct qr_symbols *s)
{
	bool nobody = false;
	s32 last = -1;
	size_t i;

	qr_text_puts(t, "\nMAPPED_LIBRARIES:\n");
	for (i = 0; i < s->nr; i++) {
		s32 mapping = s->place[i].mapping;

		if (mapping < 0)
			nobody = true;
		if (mapping < 0 || mapping == last || mapping >= s->maps->nr)
			continue;
		last = mapping;
		put_mapping(t, &s->maps->map[mapping]);
	}
	for (i = s->maps->nr; i < qr_symbols_nr_mappings(s); i++) {
		if (overlaps(s, i))
			nobody = true;
		else
			put_mapping(t, qr_symbols_mapping(s, i));
	}
	if (nobody || !s->nr)
		qr_text_printf(t, "0-%lx r-xp [other]\n", ULONG_MAX);
}

static void put_legacy(struct qr_text *t, struct qr_report *r, const struct qr_symbols *s)
{
	struct qr_row row;

	put_head(t, r);
	qr_report_rewind(r);
	while (qr_report_next(r, &row) && !qr_text_error(t))
		put_row(t, r, s, &row);
	put_mappings(t, s);
}

/* --- The choice --- */

static int write_as(struct qr_text *t, struct qr_report *r, struct qr_symbols *s,
		    enum quarry_profile_format format)
{
	switch (format) {
	case QUARRY_FORMAT_PPROF:
		return qr_pprof_write(t, r, s);
	case QUARRY_FORMAT_TEXT:
		put_legacy(t, r, s);
		return 0;
	case QUARRY_FORMAT_FOLDED:
		return qr_table_folded(t, r, s);
	case QUARRY_FORMAT_TOP:
		return qr_table_top(t, r, s);
	default:
		return -EINVAL;
	}
}

struct qr_text *qr_profile_render(const struct quarry_profile *p, enum quarry_profile_kind kind,
				  enum quarry_profile_format format)
{
	struct qr_text *t = qr_text_new();
	struct qr_symbols s;
	struct qr_report r;
	int err;

	if (!t)
		return ERR_PTR(-ENOMEM);
	qr_symbols_init(&s);
	err = qr_report_init(&r, p, kind);
	if (!err) {
		if (format == QUARRY_FORMAT_TOP)
			qr_report_show_growth(&r);
		if (format == QUARRY_FORMAT_PPROF)
			err = qr_report_bound(&r, READ_ONCE(qr_profile_rows));
	}
	if (!err) {
		qr_report_collect(&r, &s);
		err = qr_symbols_resolve(&s);
	}
	if (!err)
		err = write_as(t, &r, &s, format);
	qr_symbols_exit(&s);
	qr_report_exit(&r);
	if (err) {
		qr_text_free(t);
		return ERR_PTR(err);
	}
	return qr_text_done(t);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_render);
