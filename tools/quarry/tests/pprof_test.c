// SPDX-License-Identifier: GPL-2.0
/* Profiles: a good one, packed, joined, cut off at each byte, and with numbers of nothing. */
#include "tests/tap.h"

#include <stdlib.h>
#include "lib/pprof.h"
#include "lib/profile.pb-c.h"
#include "lib/reading.h"
#include "lib/table.h"

static char *strings[] = {
	(char *)"",	(char *)"inuse_space", (char *)"bytes", (char *)"alloc_space",
	(char *)"leaf", (char *)"caller",      (char *)"cache", (char *)"malloc-64",
	(char *)"comm", (char *)"sh",	       (char *)"m.ko",	(char *)"bash"
};

enum {
	S_EMPTY,
	S_INUSE,
	S_BYTES,
	S_ALLOC,
	S_LEAF,
	S_CALLER,
	S_CACHE,
	S_MALLOC,
	S_COMM,
	S_SH,
	S_FILE,
	S_BASH
};

/* Two samples of one stack and cache, which differ in a label. */
static size_t make(unsigned char *to, uint64_t bad)
{
	Quarry__Profile p = QUARRY__PROFILE__INIT;
	Quarry__ValueType type[2] = { QUARRY__VALUE_TYPE__INIT, QUARRY__VALUE_TYPE__INIT };
	Quarry__ValueType *types[] = { &type[0], &type[1] };
	Quarry__Function function[2] = { QUARRY__FUNCTION__INIT, QUARRY__FUNCTION__INIT };
	Quarry__Function *functions[] = { &function[0], &function[1] };
	Quarry__Line line[2] = { QUARRY__LINE__INIT, QUARRY__LINE__INIT };
	Quarry__Line *lines[] = { &line[0], &line[1] };
	Quarry__Location location[2] = { QUARRY__LOCATION__INIT, QUARRY__LOCATION__INIT };
	Quarry__Location *locations[] = { &location[0], &location[1] };
	Quarry__Mapping mapping = QUARRY__MAPPING__INIT, *mappings[] = { &mapping };
	Quarry__Label cache = QUARRY__LABEL__INIT;
	Quarry__Label comm[2] = { QUARRY__LABEL__INIT, QUARRY__LABEL__INIT };
	Quarry__Label *labels[2][2] = { { &cache, &comm[0] }, { &cache, &comm[1] } };
	Quarry__Sample sample[2] = { QUARRY__SAMPLE__INIT, QUARRY__SAMPLE__INIT };
	Quarry__Sample *samples[] = { &sample[0], &sample[1] };
	uint64_t ids[] = { 17, 5 };
	int64_t values[2][2] = { { 1000, 3000 }, { 24, 30 } };

	type[0].type = S_INUSE;
	type[0].unit = S_BYTES;
	type[1].type = S_ALLOC + (int64_t)bad;
	mapping.id = 3;
	mapping.filename = S_FILE;
	for (int i = 0; i < 2; i++) {
		function[i].id = 100 - (uint64_t)i;
		function[i].name = i ? S_CALLER : S_LEAF;
		line[i].function_id = 100 - (uint64_t)i + bad;
		location[i].id = ids[i];
		location[i].n_line = 1;
		location[i].line = &lines[i];
		location[i].mapping_id = i ? 0 : 3;
		sample[i].n_location_id = 2;
		sample[i].location_id = ids;
		sample[i].n_value = 2;
		sample[i].value = values[i];
		sample[i].n_label = 2;
		sample[i].label = labels[i];
		comm[i].key = S_COMM;
		comm[i].str = i ? S_BASH : S_SH;
	}
	cache.key = S_CACHE;
	cache.str = S_MALLOC - (int64_t)bad;
	p.n_sample_type = 2;
	p.n_sample = 2;
	p.n_location = 2;
	p.n_function = 2;
	p.sample_type = types;
	p.sample = samples;
	p.location = locations;
	p.function = functions;
	p.n_mapping = 1;
	p.mapping = mappings;
	p.n_string_table = sizeof(strings) / sizeof(*strings);
	p.string_table = strings;
	p.period = 512 << 10;
	p.time_nanos = 1234;
	return quarry__profile__pack(&p, to);
}

static void good(const unsigned char *data, size_t size, const char *how)
{
	struct q_pprof p;
	const struct q_site *site;

	same_text(q_pprof_parse(&p, data, size) ?: "none", "none", how);
	same(p.sites, 2, "samples");
	same(p.period, 512 << 10, "the period");
	same(q_pprof_type(&p, "alloc_space"), 1, "a value by its name");
	same(q_pprof_type(&p, "alloc_objects"), -1, "a value that is not there");
	same_text(p.site[0].stack, "leaf [m] < caller", "the stack, and a function's module");
	same_text(p.site[0].cache, "malloc-64", "the cache");
	same_text(p.site[1].labels, "comm=bash", "other labels");
	q_pprof_join(&p, true);
	same(p.sites, 2, "sites with different labels stay apart");
	q_pprof_join(&p, false);
	same(p.sites, 1, "without labels they are one");
	same(p.site[0].value[0], 1024, "whose values are the sums");
	site = q_pprof_find(&p, &(struct q_site){ .stack = (char *)"leaf [m] < caller",
						  .cache = (char *)"malloc-64",
						  .labels = (char *)"" });
	ok(site == &p.site[0], "a site is found by its name");
	q_pprof_free(&p);
}

/* Whatever the bytes are, nothing outside of them is read, and nothing is leaked (ASan sees it). */
static void damaged(const unsigned char *data, size_t size)
{
	unsigned int refused = 0;
	unsigned char *copy;
	struct q_pprof p;

	/* A copy of exactly so many bytes, so that ASan sees a read behind them. */
	for (size_t n = 0; n < size; n++) {
		copy = memcpy(q_alloc(n + !n), data, n);
		if (q_pprof_parse(&p, copy, n))
			refused++;
		else
			q_pprof_free(&p);
		free(copy);
	}
	ok(refused > size / 2, "most profiles that are cut off are refused");
	copy = q_alloc(size);
	for (size_t n = 0; n < size * 8; n++) {
		memcpy(copy, data, size);
		copy[n / 8] ^= (unsigned char)(1 << n % 8);
		if (!q_pprof_parse(&p, copy, size))
			q_pprof_free(&p);
	}
	ok(true, "any one bit may be wrong");
	free(copy);
}

/*
 * A few bytes that stand for much: @frames frames of one sample whose function has a name of @length
 * characters, in @comments comments, the cache and the labels as well.
 */
static const char *bomb(struct q_pprof *p, size_t frames, size_t comments, size_t length)
{
	Quarry__Profile in = QUARRY__PROFILE__INIT;
	Quarry__ValueType type = QUARRY__VALUE_TYPE__INIT, *types[] = { &type };
	Quarry__Function function = QUARRY__FUNCTION__INIT, *functions[] = { &function };
	Quarry__Line line = QUARRY__LINE__INIT, *lines[] = { &line };
	Quarry__Location location = QUARRY__LOCATION__INIT, *locations[] = { &location };
	Quarry__Sample sample = QUARRY__SAMPLE__INIT, *samples[] = { &sample };
	uint64_t *ids = q_alloc(frames * sizeof(*ids) + 1);
	int64_t *comment = q_alloc(comments * sizeof(*comment) + 1);
	char *text[] = { (char *)"", q_alloc(length + 1) };
	unsigned char *data;
	const char *why;
	size_t size;

	memset(text[1], 'x', length);
	function.id = line.function_id = location.id = 1;
	function.name = 1;
	location.n_line = 1;
	location.line = lines;
	for (size_t i = 0; i < frames; i++)
		ids[i] = 1;
	for (size_t i = 0; i < comments; i++)
		comment[i] = 1;
	sample.n_location_id = frames;
	sample.location_id = ids;
	in.n_sample_type = in.n_sample = in.n_location = in.n_function = 1;
	in.sample_type = types;
	in.sample = samples;
	in.location = locations;
	in.function = functions;
	in.n_comment = comments;
	in.comment = comment;
	in.n_string_table = 2;
	in.string_table = text;
	data = q_alloc(quarry__profile__get_packed_size(&in));
	size = quarry__profile__pack(&in, data);
	ok(size < 200000, "a small profile");
	why = q_pprof_parse(p, data, size);
	free(data);
	free(ids);
	free(comment);
	free(text[1]);
	return why;
}

/* Compressed, zeros are a field that is no field, and any number of empty samples is a small file. */
static void empty_samples(void)
{
	size_t size = 64 << 20, packed_size;
	unsigned char *data = q_alloc(size);
	struct q_pprof p;
	void *packed;

	for (size_t i = 0; i < size; i += 2)
		data[i] = 2 << 3 | 2;
	q_gzip(data, size, &packed, &packed_size);
	ok(packed_size < 200000, "a small file of 32 Mi empty samples");
	same_text(q_pprof_parse(&p, packed, packed_size), "it is too large",
		  "is refused before all of them are in memory");
	free(packed);
	free(data);
}

static void bombs(void)
{
	struct q_pprof p;

	same_text(bomb(&p, 50000, 0, 100000), "it is too large", "5 GB of stack");
	same_text(bomb(&p, 0, 50000, 100000), "it is too large", "5 GB of comments");
	ok(!bomb(&p, 1000, 1000, 1000), "some MB of them");
	same((int64_t)strlen(p.site[0].stack), 1003 * 1000 - 3, "have a stack of all frames");
	q_pprof_free(&p);
	empty_samples();
}

/* A copy and its original are freed, in any order. */
static void copies(void)
{
	struct q_pprof p = { 0 }, copy, by;

	p.comment = q_alloc(sizeof(*p.comment));
	p.comment[p.comments++] = q_strdup("a comment");
	q_pprof_copy(&copy, &p);
	q_pprof_by_label(&by, &p, "comm");
	q_pprof_free(&p);
	same_text(copy.comment[0], "a comment", "a copy has comments of its own");
	same_text(by.comment[0], "a comment", "and so has one by a label");
	q_pprof_free(&copy);
	q_pprof_free(&by);
}

int main(void)
{
	unsigned char data[4096];
	size_t size = make(data, 0), packed_size;
	struct q_pprof p;
	void *packed;

	good(data, size, "a profile");
	q_gzip(data, size, &packed, &packed_size);
	good(packed, packed_size, "a compressed profile");
	damaged(packed, packed_size);
	free(packed);
	damaged(data, size);
	size = make(data, 1000000);
	ok(!q_pprof_parse(&p, data, size), "numbers that point nowhere are no reason to refuse it");
	same_text(p.site[0].stack, "(unknown) [m] < (unknown)", "a function that is not there");
	same_text(p.site[0].cache, "", "a string that is not there");
	q_pprof_free(&p);
	same_text(q_pprof_parse(&p, "", 0), "it has no values", "an empty file");
	same_text(q_pprof_parse(&p, "\x1f\x8b", 2), "its compression is damaged",
		  "the beginning of gzip");
	copies();
	bombs();
	return tap_end();
}
