// SPDX-License-Identifier: GPL-2.0
/*
 * A writer of profile.proto.  In the format a message's length stands before it, so each
 * message is made in a buffer first.  Strings are collected meanwhile and written at
 * the end.  Identifiers run from 1 without gaps, in the order in which they are
 * written; pprof does not need that, but Parca does.
 */
#include "report/pprof.h"

#include <linux/kallsyms.h>
#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"

/* Fields of the messages. */
/* clang-format off */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE, PROFILE_MAPPING, PROFILE_LOCATION,
	PROFILE_FUNCTION, PROFILE_STRING, PROFILE_TIME = 9, PROFILE_DURATION,
	PROFILE_PERIOD_TYPE, PROFILE_PERIOD, PROFILE_COMMENT, PROFILE_DEFAULT };
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STRING };
enum { MAPPING_ID = 1, MAPPING_START, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILE,
	MAPPING_BUILD_ID, MAPPING_HAS_FUNCTIONS };
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION = 1 };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME };
/* clang-format on */

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

#define VARINT_MAX 10
/* A sample is the largest message: a stack, its values, its labels and two more labels. */
#define MESSAGE_MAX                                                                                \
	((QUARRY_STACK_MAX + QR_VALUES) * VARINT_MAX + (QUARRY_LABELS_MAX + 2) * 32 + 64)

/* The mapping of addresses that belong neither to the kernel nor to a module that is known. */
#define OTHER_MAPPING "[other]"

/* Functions that stand for addresses without a name. */
enum standin { NO_NAME, NO_STACK, MERGED, STANDINS };

static const char *const standin_name[STANDINS] = {
	[NO_NAME] = QR_NO_NAME,
	[NO_STACK] = QR_NO_STACK,
	[MERGED] = QR_MERGED,
};

struct message {
	unsigned int len;
	u8 data[MESSAGE_MAX];
};

/* A string that is in the string table, and its index there. */
struct known {
	const char *s;
	u32 index;
};

/**
 * struct map_use - how the profile uses one mapping
 * @id: its identifier, from 1
 * @used: an address of the profile lies in it
 * @functions: addresses in it have functions
 */
struct map_use {
	u32 id;
	bool used;
	bool functions;
};

/**
 * struct writer - the state while a profile is written
 * @t: where the profile is written to
 * @r: the report that is written
 * @s: the addresses of its stacks
 * @strings: the string table, encoded
 * @nr_strings: strings in it
 * @known: a hash table of the strings that may be used again
 * @nr_known: entries of @known in use
 * @room: entries of @known, a power of two
 * @err: -ENOMEM if memory was short
 * @standin: identifiers of the functions of enum standin; 0: not used yet
 * @nr_standins: how many of them are used
 * @map: one for each mapping, and a last one for addresses that belong to no mapping
 * @nr_map: length of @map
 * @m: the message that is being made
 * @sub: a message within @m
 * @frames: the stack of a sample
 * @clean: buffer for a string that is being written
 */
struct writer {
	struct qr_text *t;
	struct qr_report *r;
	struct qr_symbols *s;
	struct qr_text *strings;
	u32 nr_strings;
	struct known *known;
	u32 nr_known;
	u32 room;
	int err;
	u32 standin[STANDINS];
	u32 nr_standins;
	struct map_use *map;
	u32 nr_map;
	struct message m;
	struct message sub;
	struct qr_frames frames;
	char clean[KSYM_NAME_LEN + 1];
};

/* --- Encoding --- */

static unsigned int varint(u8 *to, u64 v)
{
	unsigned int n = 0;

	for (; v >= 0x80; v >>= 7)
		to[n++] = v | 0x80;
	to[n++] = v;
	return n;
}

static void put_varint(struct message *m, u64 v)
{
	if (!WARN_ON_ONCE(m->len + VARINT_MAX > MESSAGE_MAX))
		m->len += varint(m->data + m->len, v);
}

/* A field of value 0 is left out: readers take 0 for an absent field. */
static void put_field(struct message *m, unsigned int field, u64 v)
{
	if (!v)
		return;
	put_varint(m, field << 3 | WIRE_VARINT);
	put_varint(m, v);
}

static void put_message(struct message *m, unsigned int field, const struct message *sub)
{
	put_varint(m, field << 3 | WIRE_BYTES);
	put_varint(m, sub->len);
	if (WARN_ON_ONCE(m->len + sub->len > MESSAGE_MAX))
		return;
	memcpy(m->data + m->len, sub->data, sub->len);
	m->len += sub->len;
}

static void write_bytes(struct qr_text *t, unsigned int field, const void *data, size_t len)
{
	u8 head[2 * VARINT_MAX];
	unsigned int n;

	n = varint(head, field << 3 | WIRE_BYTES);
	n += varint(head + n, len);
	qr_text_put(t, head, n);
	qr_text_put(t, data, len);
}

/* Writes the complete message @w->m, and clears it for the next. */
static void write_message(struct writer *w, unsigned int field)
{
	write_bytes(w->t, field, w->m.data, w->m.len);
	w->m.len = 0;
}

static void write_field(struct writer *w, unsigned int field, u64 v)
{
	w->m.len = 0;
	put_field(&w->m, field, v);
	qr_text_put(w->t, w->m.data, w->m.len);
	w->m.len = 0;
}

/* --- Strings --- */

static u32 new_string(struct writer *w, const char *s)
{
	size_t len = qr_text_clean(w->clean, s, KSYM_NAME_LEN);

	write_bytes(w->strings, PROFILE_STRING, w->clean, len);
	return w->nr_strings++;
}

static struct known *slot(struct known *known, u32 room, const char *s)
{
	u32 hash = 2166136261U, i;
	const char *c;

	for (c = s; *c; c++)
		hash = (hash ^ (u8)*c) * 16777619U;
	for (i = hash;; i++) {
		struct known *k = &known[i & (room - 1)];

		if (!k->s || !strcmp(k->s, s))
			return k;
	}
}

static bool more_known(struct writer *w)
{
	u32 room = w->room ? w->room * 2 : 256, i;
	struct known *known;

	if (w->nr_known < w->room / 4 * 3)
		return true;
	known = qr_meta_valloc(room * sizeof(*known));
	if (!known) {
		w->err = -ENOMEM;
		return false;
	}
	for (i = 0; i < w->room; i++)
		if (w->known[i].s)
			*slot(known, room, w->known[i].s) = w->known[i];
	qr_meta_vfree(w->known, w->room * sizeof(*known));
	w->known = known;
	w->room = room;
	return true;
}

/* The index of @s in the string table.  @s must exist until the profile is written. */
static u32 string(struct writer *w, const char *s)
{
	struct known *k;

	if (!*s || !more_known(w))
		return 0;
	k = slot(w->known, w->room, s);
	if (!k->s) {
		k->s = s;
		k->index = new_string(w, s);
		w->nr_known++;
	}
	return k->index;
}

/* --- Samples --- */

static void write_type(struct writer *w, unsigned int field, const char *type, const char *unit)
{
	put_field(&w->m, TYPE_TYPE, string(w, type));
	put_field(&w->m, TYPE_UNIT, string(w, unit));
	write_message(w, field);
}

static void put_label(struct writer *w, const char *key, const char *value)
{
	w->sub.len = 0;
	put_field(&w->sub, LABEL_KEY, string(w, key));
	put_field(&w->sub, LABEL_STRING, string(w, value));
	put_message(&w->m, SAMPLE_LABEL, &w->sub);
}

/* Is @key empty, used already for another label of the row, or reserved for pprof? */
static bool is_taken(const struct writer *w, const struct qr_row *row, const char *key)
{
	return !*key || !strcmp(key, qr_domain_label(w->r->p->domain)) ||
	       (row->key && !strcmp(key, row->key)) || !strncmp(key, "pprof::", 7);
}

static void put_labels(struct writer *w, const struct qr_row *row)
{
	const struct quarry_labels *labels = NULL;
	unsigned int i;

	put_label(w, qr_domain_label(w->r->p->domain), row->site->cache_name);
	if (row->key)
		put_label(w, row->key, row->label);
	if (row->merged)
		return;
	if (row->site->labels)
		labels = qr_labels_get(row->site->labels);
	else
		put_label(w, "labels", "other");
	for (i = 0; labels && i < min(labels->n, QUARRY_LABELS_MAX); i++)
		if (!is_taken(w, row, labels->key[i]))
			put_label(w, labels->key[i], labels->value[i]);
}

static void write_sample(struct writer *w, const struct qr_row *row)
{
	struct qr_frames *f = &w->frames;
	unsigned int i;

	qr_report_frames(f, w->s, row->site);
	w->sub.len = 0;
	for (i = 0; i < max(f->nr, 1U); i++)
		put_varint(&w->sub, f->place[i] + 1);
	put_message(&w->m, SAMPLE_LOCATION, &w->sub);
	w->sub.len = 0;
	for (i = 0; i < w->r->nr; i++)
		put_varint(&w->sub, row->value[i]);
	put_message(&w->m, SAMPLE_VALUE, &w->sub);
	put_labels(w, row);
	write_message(w, PROFILE_SAMPLE);
}

/* --- Addresses --- */

/*
 * Numbers the mappings that are used.  The kernel's always is, because pprof takes the
 * first mapping for the main binary.
 */
static void number_mappings(struct writer *w)
{
	u32 i, id = 0;
	size_t n;

	w->map[0].used = true;
	for (n = 0; n < w->s->nr; n++) {
		const struct qr_place *place = &w->s->place[n];

		i = place->mapping < 0 ? w->nr_map - 1 : place->mapping;
		w->map[i].used = true;
		if (place->function != QR_NO_FUNCTION)
			w->map[i].functions = true;
	}
	w->map[w->nr_map - 1].functions = true;
	for (i = 0; i < w->nr_map; i++)
		if (w->map[i].used)
			w->map[i].id = ++id;
}

static void put_names(struct writer *w, struct qr_mapping *map)
{
	char buf[MODULE_NAME_LEN + sizeof(".ko")];

	qr_mapping_identify(map);
	snprintf(buf, sizeof(buf), "%s.ko", map->name);
	put_field(&w->m, MAPPING_FILE, new_string(w, map->name[0] ? buf : QR_KERNEL_FILE));
	if (!map->build_id_len)
		return;
	snprintf(buf, sizeof(buf), "%*phN", map->build_id_len, map->build_id);
	put_field(&w->m, MAPPING_BUILD_ID, new_string(w, buf));
}

static void write_mappings(struct writer *w)
{
	u32 i;

	for (i = 0; i < w->nr_map; i++) {
		if (!w->map[i].used)
			continue;
		put_field(&w->m, MAPPING_ID, w->map[i].id);
		if (i < w->nr_map - 1) {
			struct qr_mapping *map = qr_symbols_mapping(w->s, i);

			put_field(&w->m, MAPPING_START, map->shown);
			put_field(&w->m, MAPPING_LIMIT, map->shown + map->end - map->start);
			put_names(w, map);
		} else {
			/* The same limits in every profile, so that two can be compared. */
			put_field(&w->m, MAPPING_LIMIT, ULONG_MAX);
			put_field(&w->m, MAPPING_FILE, string(w, OTHER_MAPPING));
		}
		put_field(&w->m, MAPPING_HAS_FUNCTIONS, w->map[i].functions);
		write_message(w, PROFILE_MAPPING);
	}
}

/*
 * The identifier of a place's function.  0 if the kernel has no name for the address but the
 * mapping is known: pprof may find the name in the mapping's file.
 */
static u32 function_id(struct writer *w, const struct qr_place *place)
{
	enum standin standin = place->addr == QR_NO_ADDRESS	? NO_STACK :
			       place->addr == QR_MERGED_ADDRESS ? MERGED :
								  NO_NAME;

	if (place->function != QR_NO_FUNCTION)
		return place->function + 1;
	if (place->mapping >= 0)
		return 0;
	if (!w->standin[standin])
		w->standin[standin] = w->s->nr_functions + ++w->nr_standins;
	return w->standin[standin];
}

static void write_locations(struct writer *w)
{
	size_t i;
	u32 id;

	for (i = 0; i < w->s->nr; i++) {
		const struct qr_place *place = &w->s->place[i];
		u32 map = place->mapping < 0 ? w->nr_map - 1 : place->mapping;

		put_field(&w->m, LOCATION_ID, i + 1);
		put_field(&w->m, LOCATION_MAPPING, w->map[map].id);
		put_field(&w->m, LOCATION_ADDRESS, qr_symbols_shown(w->s, i));
		id = function_id(w, place);
		if (id) {
			w->sub.len = 0;
			put_field(&w->sub, LINE_FUNCTION, id);
			put_message(&w->m, LOCATION_LINE, &w->sub);
		}
		write_message(w, PROFILE_LOCATION);
		cond_resched();
	}
}

static void write_function(struct writer *w, u32 id, const char *name)
{
	u32 index = new_string(w, name);

	put_field(&w->m, FUNCTION_ID, id);
	put_field(&w->m, FUNCTION_NAME, index);
	put_field(&w->m, FUNCTION_SYSTEM_NAME, index);
	write_message(w, PROFILE_FUNCTION);
}

static void write_functions(struct writer *w)
{
	u32 id, nr = w->s->nr_functions;
	unsigned int i;

	for (id = 1; id <= nr; id++) {
		write_function(w, id, w->s->function[id - 1].name);
		cond_resched();
	}
	for (; id <= nr + w->nr_standins; id++)
		for (i = 0; i < STANDINS; i++)
			if (w->standin[i] == id)
				write_function(w, id, standin_name[i]);
}

/* --- The whole --- */

static void write_comments(struct writer *w)
{
	char buf[QR_COMMENT];
	unsigned int i;

	for (i = 0; qr_report_comment(w->r, i, buf, sizeof(buf)); i++)
		put_varint(&w->m, new_string(w, buf));
	write_message(w, PROFILE_COMMENT);
}

static void write_profile(struct writer *w)
{
	const struct quarry_profile *p = w->r->p;
	struct qr_row row;
	unsigned int i;

	new_string(w, "");
	for (i = 0; i < w->r->nr; i++)
		write_type(w, PROFILE_SAMPLE_TYPE, w->r->type[i].type, w->r->type[i].unit);
	write_field(w, PROFILE_DEFAULT, string(w, w->r->type[w->r->first].type));
	write_type(w, PROFILE_PERIOD_TYPE, "space", "bytes");
	write_field(w, PROFILE_PERIOD, p->rate);
	write_field(w, PROFILE_TIME, p->time_ns);
	write_field(w, PROFILE_DURATION, p->duration_ns);
	write_comments(w);
	number_mappings(w);
	write_mappings(w);
	qr_report_rewind(w->r);
	while (qr_report_next(w->r, &row) && !w->err && !qr_text_error(w->t))
		write_sample(w, &row);
	write_locations(w);
	write_functions(w);
	qr_text_append(w->t, w->strings);
}

int qr_pprof_write(struct qr_text *t, struct qr_report *r, struct qr_symbols *s)
{
	struct writer *w = qr_meta_alloc(sizeof(*w), GFP_KERNEL, NUMA_NO_NODE);
	int err = -ENOMEM;

	if (!w)
		return err;
	w->t = t;
	w->r = r;
	w->s = s;
	w->nr_map = qr_symbols_nr_mappings(s) + 1;
	w->map = qr_meta_valloc(w->nr_map * sizeof(*w->map));
	w->strings = qr_text_new();
	if (w->map && w->strings) {
		write_profile(w);
		err = w->err;
	}
	qr_text_free(w->strings);
	qr_meta_vfree(w->map, w->nr_map * sizeof(*w->map));
	qr_meta_vfree(w->known, w->room * sizeof(*w->known));
	qr_meta_free(w, sizeof(*w));
	return err;
}
