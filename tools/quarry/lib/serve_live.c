// SPDX-License-Identifier: GPL-2.0
#include "lib/serve_live.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/serve_jobs.h"
#include "lib/view.h"

#define VIEWS_KEPT  4
#define FRESH_MS    1000  /* a reading that is younger is shown again */
#define RATE_MAX_MS 30000 /* over a longer time a rate says nothing of now */
#define FORGET_MS   60000
#define POLICY                                                                                     \
	"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "              \
	"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "                 \
	"frame-ancestors 'none'"

/**
 * struct kept - a view and its last two readings
 * @used: there is one
 * @view: which
 * @domain: and of which domain
 * @now: the last reading
 * @before: the one before it
 * @has_before: there is one
 * @read_ms: when the last one was taken
 * @asked_ms: when somebody last asked for the view
 */
struct kept {
	bool used;
	unsigned int view;
	unsigned int domain;
	struct q_reading now;
	struct q_reading before;
	bool has_before;
	int64_t read_ms;
	int64_t asked_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[VIEWS_KEPT];

/* --- Readings --- */

/* The state of the kernel's domains, from their files: the device would have to be opened. */
static int read_domains(struct q_reading *r, struct q_opener *o)
{
	int err;

	r->domains = 1;
	for (unsigned int i = 1; i < QUARRY_DEV_DOMAINS; i++) {
		char *text = q_answer_read(o, Q_FILE_DOMAIN + i, &err);
		struct quarry_dev_domain *d = &r->domain[i];
		struct q_values v;

		/* An older module has fewer domains. */
		if (!text)
			return err == -ENOENT ? 0 : err;
		q_values_parse(&v, text);
		snprintf(d->name, sizeof(d->name), "%s", q_domain_name[i]);
		d->enabled = q_value(&v, "enabled") != 0;
		d->missed_frees = (uint64_t)q_value(&v, "missed_frees");
		d->dropped_samples = (uint64_t)q_value(&v, "dropped_samples");
		q_values_free(&v);
		r->domains++;
	}
	return 0;
}

/* False: @a says why not. */
static bool read_profile(struct q_reading *r, struct q_opener *o, const struct q_want *want,
			 struct q_answer *a)
{
	const struct q_request heap = {
		.endpoint = Q_PROFILE,
		.kind = QUARRY_DEV_KIND_HEAP,
		.domain = want->domain,
		.plain = true,
	};
	struct q_answer profile;
	const char *why;
	int device = -1;

	q_answer_profile(&profile, o, &heap, &device);
	if (profile.status != 200) {
		*a = profile;
		return false;
	}
	why = q_reading_profile(r, profile.data, profile.size, want->label);
	q_answer_free(&profile);
	if (why)
		q_answer_text(a, 500, why);
	/* No view of this page shows the parts of a row. */
	q_pprof_free(&r->whole);
	r->whole = (struct q_pprof){ 0 };
	return !why;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool take(struct q_reading *r, struct q_opener *o, const struct q_want *want,
		 struct q_answer *a)
{
	bool good = true;
	char *text;
	int err;

	*r = (struct q_reading){ 0 };
	text = q_answer_read(o, Q_FILE_STATS, &err);
	if (text)
		q_values_parse(&r->stats, text);
	if (!err)
		err = read_domains(r, o);
	r->wall_ns = clock_ns(CLOCK_REALTIME);
	r->time_ns = clock_ns(CLOCK_MONOTONIC);
	text = !err && want->caches ? q_answer_read(o, Q_FILE_CACHES, &err) : NULL;
	if (text)
		q_lines_parse(&r->caches, text);
	if (err)
		q_answer_refuse(a, err);
	else if (want->profile)
		good = read_profile(r, o, want, a);
	if (!err && good)
		return true;
	q_reading_free(r);
	return false;
}

/* --- What is kept --- */

static void forget(struct kept *k)
{
	if (k->used)
		q_reading_free(&k->now);
	if (k->has_before)
		q_reading_free(&k->before);
	*k = (struct kept){ 0 };
}

/* The view, or the place of the one that nobody has asked for for longest. */
static struct kept *find(unsigned int view, unsigned int domain)
{
	struct kept *oldest = &kept[0];

	for (unsigned int i = 0; i < VIEWS_KEPT; i++) {
		struct kept *k = &kept[i];

		if (k->used && k->view == view && k->domain == domain)
			return k;
		if (!k->used || (oldest->used && k->asked_ms < oldest->asked_ms))
			oldest = k;
	}
	forget(oldest);
	oldest->view = view;
	oldest->domain = domain;
	return oldest;
}

/* Have a reading that is new enough.  False: @a says why there is none, and nothing is kept. */
static bool refresh(struct kept *k, struct q_opener *o, struct q_answer *a)
{
	const struct q_want want = q_view_want((enum q_view)k->view, k->domain);
	int64_t now = q_jobs_now();
	struct q_reading next;

	k->asked_ms = now;
	if (k->used && now - k->read_ms < FRESH_MS)
		return true;
	if (!take(&next, o, &want, a)) {
		forget(k);
		return false;
	}
	if (k->has_before)
		q_reading_free(&k->before);
	k->has_before = k->used && now - k->read_ms <= RATE_MAX_MS;
	if (k->has_before)
		k->before = k->now;
	else if (k->used)
		q_reading_free(&k->now);
	k->now = next;
	k->used = true;
	k->read_ms = now;
	return true;
}

int64_t q_live_forget(int64_t now)
{
	int64_t next = 0;

	/* The thread that has the lock is about to be looked after again. */
	if (pthread_mutex_trylock(&lock))
		return now + FRESH_MS;
	for (unsigned int i = 0; i < VIEWS_KEPT; i++) {
		struct kept *k = &kept[i];

		if (!k->used)
			continue;
		if (now - k->asked_ms >= FORGET_MS)
			forget(k);
		else if (!next || k->asked_ms + FORGET_MS < next)
			next = k->asked_ms + FORGET_MS;
	}
	pthread_mutex_unlock(&lock);
	return next;
}

/* --- Answers --- */

void q_answer_live(struct q_answer *a, struct q_opener *o, const struct q_request *r)
{
	struct kept *k;

	*a = (struct q_answer){ 0 };
	pthread_mutex_lock(&lock);
	k = find(r->view, r->domain);
	if (refresh(k, o, a)) {
		const struct q_reading *before = k->has_before ? &k->before : NULL;
		const struct q_view_input in = {
			.view = (enum q_view)r->view,
			.now = &k->now,
			.before = before,
			.sort = r->sort,
			.filter = r->filter,
		};
		struct q_head head = q_head_of(&k->now, before);
		struct q_rows rows;

		q_rows_make(&rows, &in);
		a->data = q_json_text(q_view_json(in.view, r->domain, &k->now, &head, &rows,
						  r->rows),
				      "live", JSON_C_TO_STRING_PLAIN);
		q_rows_free(&rows);
		a->size = strlen(a->data);
		a->status = 200;
		a->type = "application/json";
		if (!q_held_add(a->size)) {
			free(a->data);
			q_answer_text(a, 503, "Clients have not read too many answers yet.");
		}
	}
	pthread_mutex_unlock(&lock);
}

/* What page/build-live made. */
__asm__(".section .rodata\n"
	"q_live_html:\n"
	".incbin \"" QUARRY_LIVE "\"\n"
	".byte 0\n"
	".previous\n");

void q_answer_live_page(struct q_answer *a)
{
	q_answer_text(a, 200, q_live_html);
	a->type = "text/html; charset=utf-8";
	a->policy = POLICY;
}
