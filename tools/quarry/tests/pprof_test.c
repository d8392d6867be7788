// SPDX-License-Identifier: GPL-2.0
/* Profiles: a good one, packed, joined, cut off at each byte, and with numbers of nothing. */
#include "tests/tap.h"

#include <stdlib.h>
#include "lib/pprof.h"
#include "lib/reading.h"
#include "lib/table.h"
#include "tests/profile_make.h"

/*
 * Two samples of one stack and cache, which differ in a label.  The numbers are not those of a list,
 * and with @bad they are of nothing.
 */
static unsigned char *make(size_t *size, uint64_t bad)
{
	uint64_t frames[] = { 17, 5 };
	Quarry__Sample *sample;
	struct make m;

	make_begin(&m);
	m.p.period = 512 << 10;
	m.p.time_nanos = 1234;
	make_type(&m, "inuse_space", "bytes");
	make_type(&m, "alloc_space", "")->type += (int64_t)bad;
	make_mapping(&m, "m.ko")->id = 3;
	make_location(&m, "leaf", 3);
	make_location(&m, "caller", 0);
	for (int i = 0; i < 2; i++) {
		m.location[i].id = frames[i];
		m.function[i].id = 100 - (uint64_t)i;
		m.line[i].function_id = m.function[i].id + bad;
	}
	sample = make_sample(&m, 2, frames, INT64_C(1000), INT64_C(3000));
	make_label(&m, sample, "cache", "malloc-64")->str -= (int64_t)bad;
	make_label(&m, sample, "comm", "sh");
	sample = make_sample(&m, 2, frames, INT64_C(24), INT64_C(30));
	make_label(&m, sample, "cache", "malloc-64")->str -= (int64_t)bad;
	make_label(&m, sample, "comm", "bash");
	return make_end(&m, size);
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
	uint64_t *ids = q_alloc(frames * sizeof(*ids) + 1);
	int64_t *comment = q_alloc(comments * sizeof(*comment) + 1);
	char *text = q_alloc(length + 1);
	Quarry__Sample *sample;
	unsigned char *data;
	const char *why;
	struct make m;
	size_t size;

	memset(text, 'x', length);
	for (size_t i = 0; i < frames; i++)
		ids[i] = 1;
	make_begin(&m);
	make_type(&m, "", "");
	make_location(&m, text, 0);
	sample = make_sample(&m, 0, ids, INT64_C(0));
	sample->n_location_id = frames;
	sample->location_id = ids;
	for (size_t i = 0; i < comments; i++)
		comment[i] = make_string(&m, text);
	m.p.n_comment = comments;
	m.p.comment = comment;
	data = make_end(&m, &size);
	ok(size < 200000, "a small profile");
	why = q_pprof_parse(p, data, size);
	free(data);
	free(ids);
	free(comment);
	free(text);
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
	size_t size, packed_size;
	unsigned char *data = make(&size, 0);
	struct q_pprof p;
	void *packed;

	good(data, size, "a profile");
	q_gzip(data, size, &packed, &packed_size);
	good(packed, packed_size, "a compressed profile");
	damaged(packed, packed_size);
	free(packed);
	damaged(data, size);
	free(data);
	data = make(&size, 1000000);
	ok(!q_pprof_parse(&p, data, size), "numbers that point nowhere are no reason to refuse it");
	same_text(p.site[0].stack, "(unknown) [m] < (unknown)", "a function that is not there");
	same_text(p.site[0].cache, "", "a string that is not there");
	q_pprof_free(&p);
	free(data);
	same_text(q_pprof_parse(&p, "", 0), "it has no values", "an empty file");
	same_text(q_pprof_parse(&p, "\x1f\x8b", 2), "its compression is damaged",
		  "the beginning of gzip");
	copies();
	bombs();
	return tap_end();
}
