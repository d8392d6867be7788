// SPDX-License-Identifier: GPL-2.0
#include "lib/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lib/options.h"
#include "lib/problem.h"
#include "lib/recording.h"
#include "lib/table.h"

/* --- Labels --- */

const char *q_site_label(const struct q_site *site, const char *label, int *len)
{
	size_t key = strlen(label);
	const char *s = site->labels;

	while (*s) {
		size_t word = strcspn(s, " ");

		if (word > key && s[key] == '=' && !strncmp(s, label, key)) {
			*len = (int)(word - key - 1);
			return s + key + 1;
		}
		s += word + (s[word] == ' ');
	}
	*len = 0;
	return NULL;
}

static void copy_head(struct q_pprof *to, const struct q_pprof *p)
{
	*to = *p;
	for (unsigned int i = 0; i < p->types; i++) {
		to->type[i] = q_strdup(p->type[i]);
		to->unit[i] = q_strdup(p->unit[i]);
	}
	to->comment = q_alloc(p->comments * sizeof(*to->comment) + 1);
	for (unsigned int i = 0; i < p->comments; i++)
		to->comment[i] = q_strdup(p->comment[i]);
	to->site = q_alloc(p->sites * sizeof(*to->site) + 1);
}

void q_pprof_by_label(struct q_pprof *by, const struct q_pprof *p, const char *label)
{
	copy_head(by, p);
	for (unsigned int i = 0; i < p->sites; i++) {
		int len;
		const char *value = q_site_label(&p->site[i], label, &len);

		by->site[i] = p->site[i];
		by->site[i].stack = value ? strndup(value, len) : q_strdup("(none)");
		by->site[i].cache = q_strdup("");
		by->site[i].labels = q_strdup("");
		if (!by->site[i].stack)
			exit(q_problem(Q_FAILED, "out of memory"));
	}
	q_pprof_join(by, false);
}

void q_pprof_copy(struct q_pprof *to, const struct q_pprof *p)
{
	copy_head(to, p);
	for (unsigned int i = 0; i < p->sites; i++) {
		to->site[i] = p->site[i];
		to->site[i].stack = q_strdup(p->site[i].stack);
		to->site[i].cache = q_strdup(p->site[i].cache);
		to->site[i].labels = q_strdup(p->site[i].labels);
	}
}

/* --- Reading --- */

const char *q_reading_profile(struct q_reading *r, const void *data, size_t size, const char *label)
{
	const char *why = q_pprof_parse(label ? &r->whole : &r->profile, data, size);

	if (why)
		return why;
	if (label)
		q_pprof_by_label(&r->profile, &r->whole, label);
	else
		q_pprof_join(&r->profile, false);
	r->has_profile = true;
	return NULL;
}

static int read_profile(struct q_reading *r, struct q_device *d, const struct q_want *want)
{
	const struct q_what what = {
		.domain = want->domain,
		.kind = QUARRY_DEV_KIND_HEAP,
		.format = QUARRY_DEV_FORMAT_PPROF,
		.cache = QUARRY_DEV_CACHE_ALL,
	};
	const char *why;
	size_t size;
	char *data;
	int status;

	if (want->domain && (want->domain >= r->domains || !r->domain[want->domain].enabled))
		return Q_OK;
	status = q_device_profile(d, &what, &data, &size);
	if (status)
		return status;
	why = q_reading_profile(r, data, size, want->label);
	free(data);
	if (why)
		return q_problem(Q_OTHER_ABI, "the module's profile cannot be read: %s", why);
	return Q_OK;
}

static void read_clocks(struct q_reading *r)
{
	struct timespec now;

	if (q_options.recording) {
		r->time_ns = r->wall_ns = q_recording_time();
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	r->wall_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	clock_gettime(CLOCK_MONOTONIC, &now);
	r->time_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
}

int q_reading_take(struct q_reading *r, const struct q_want *want)
{
	struct q_device d;
	int status;

	*r = (struct q_reading){ 0 };
	status = q_device_open(&d, false);
	if (status)
		return status;
	r->domains = d.info.domains < QUARRY_DEV_DOMAINS ? d.info.domains : QUARRY_DEV_DOMAINS;
	for (unsigned int i = 1; !status && i < r->domains; i++)
		status = q_device_domain(&d, i, -1, &r->domain[i]);
	read_clocks(r);
	if (!status && want->profile)
		status = read_profile(r, &d, want);
	q_device_close(&d);
	if (!status)
		status = q_values_read(&r->stats, "stats");
	if (!status && want->caches)
		status = q_lines_read(&r->caches, "caches/table");
	if (status)
		q_reading_free(r);
	return status;
}

void q_reading_free(struct q_reading *r)
{
	q_values_free(&r->stats);
	q_lines_free(&r->caches);
	q_pprof_free(&r->profile);
	q_pprof_free(&r->whole);
	*r = (struct q_reading){ 0 };
}

/* --- Details --- */

/* A cache's folder has its name, or its name and its number if another cache has the name. */
bool q_cache_values(struct q_values *v, const char *name, int64_t id)
{
	for (int numbered = 0; numbered < 2; numbered++) {
		char folder[256], *text;

		snprintf(folder, sizeof(folder), numbered ? "%s:%lld" : "%s", name, (long long)id);
		for (char *s = folder; *s; s++)
			if (*s == '/')
				*s = '!';
		text = q_try_file(q_debugfs_path("caches/%s/stats", folder), NULL);
		if (!text)
			continue;
		q_values_parse(v, text);
		if (q_value(v, "id") == id)
			return true;
		q_values_free(v);
	}
	return false;
}

const struct q_detail *q_reading_detail(struct q_reading *r, const char *name, int64_t id)
{
	struct q_detail *detail;
	struct q_values v;

	for (unsigned int i = 0; i < r->details; i++)
		if (r->detail[i].id == id)
			return &r->detail[i];
	if (r->details == Q_DETAILS_MAX || !q_cache_values(&v, name, id))
		return NULL;
	detail = &r->detail[r->details++];
	*detail = (struct q_detail){
		.id = id,
		.mallocs = q_value(&v, "mallocs"),
		.alloc_misses = q_value(&v, "alloc_misses"),
		.remote_frees = q_value(&v, "remote_frees"),
	};
	q_values_free(&v);
	return detail;
}
