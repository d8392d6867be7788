// SPDX-License-Identifier: GPL-2.0
/* A recording in place of the module: the option --recording. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/clamp.h"
#include "lib/debugfs.h"
#include "lib/options.h"
#include "lib/pprof.h"
#include "lib/problem.h"
#include "lib/recording.h"
#include "lib/table.h"

/*
 * recording: the recording that is read
 * @r: its moments
 * @at: the index of the one that is read now
 * @time_ns: what the clock would show, for commands that wait
 * @dir: its folder, which stands for debugfs
 */
static struct {
	struct q_recording r;
	unsigned int at;
	int64_t time_ns;
	char dir[4096];
} recording;

static const struct q_moment *now(void)
{
	return &recording.r.moment[recording.at];
}

static void go(unsigned int at)
{
	recording.at = at;
	recording.time_ns = now()->time_ns;
	snprintf(recording.dir, sizeof(recording.dir), "%s/%08" PRIu64, recording.r.dir,
		 now()->number);
	q_options.debugfs = recording.dir;
}

int q_recording_use(const char *dir)
{
	unsigned int to = 0;
	struct q_recording *r = &recording.r;
	int status;

	q_recording_free(r);
	status = q_recording_read(r, dir);
	if (status)
		return status;
	for (unsigned int i = 0; i < r->nr; i++)
		if (!r->moment[i].damaged)
			r->moment[to++] = r->moment[i];
	r->nr = to;
	if (!to)
		return q_problem(Q_FAILED, "the recording %s has no moment that can be read", dir);
	q_options.recording = dir;
	go(to - 1);
	return Q_OK;
}

void q_recording_first(void)
{
	go(0);
}

bool q_recording_next(void)
{
	if (recording.at + 1 >= recording.r.nr)
		return false;
	go(recording.at + 1);
	return true;
}

/* The last moment that is not after @time_ns. */
static void go_to_time(int64_t time_ns)
{
	unsigned int at = 0;

	while (at + 1 < recording.r.nr && recording.r.moment[at + 1].time_ns <= time_ns)
		at++;
	go(at);
	recording.time_ns = time_ns;
}

void q_recording_back(unsigned int seconds)
{
	go(recording.r.nr - 1);
	go_to_time(q_sub(recording.time_ns, seconds * 1000000000LL));
}

void q_recording_forward(unsigned int seconds)
{
	go_to_time(q_add(recording.time_ns, seconds * 1000000000LL));
}

int64_t q_recording_time(void)
{
	return now()->time_ns;
}

int q_recording_open(struct q_device *d, bool write)
{
	if (write)
		return q_problem(Q_USAGE,
				 "a recording cannot do that; leave --recording out for the module");
	*d = (struct q_device){ .fd = -1 };
	d->info.version = QUARRY_ABI_VERSION;
	d->info.domains = QUARRY_DEV_DOMAINS;
	d->info.time_ns = (uint64_t)now()->time_ns;
	return Q_OK;
}

int q_recording_profile(const struct q_what *what, char **data, size_t *size)
{
	const char *path = q_moment_path(recording.r.dir, now()->number,
					 q_profile_file(what->domain));

	if (what->kind != QUARRY_DEV_KIND_HEAP || what->format != QUARRY_DEV_FORMAT_PPROF ||
	    what->cache != QUARRY_DEV_CACHE_ALL)
		return q_problem(Q_USAGE,
				 "a recording has profiles of type heap in pprof's format (--pb)");
	*data = q_try_file(path, size);
	if (*data)
		return Q_OK;
	if (errno == ENOENT)
		return q_problem(Q_FAILED, "domain %s was not recorded at this moment",
				 q_domain_name[what->domain]);
	return q_problem(Q_FAILED, "%s: %s", path, strerror(errno));
}

int q_recording_domain(unsigned int domain, struct quarry_dev_domain *state)
{
	char *text = q_try_file(q_moment_path(recording.r.dir, now()->number, q_stats_file(domain)),
				NULL);
	struct q_values v = { 0 };

	*state = (struct quarry_dev_domain){ .domain = domain };
	snprintf(state->name, sizeof(state->name), "%s", q_domain_name[domain]);
	if (!text)
		return Q_OK;
	q_values_parse(&v, text);
	state->enabled = q_value(&v, "enabled") != 0;
	state->rate = (uint32_t)q_value(&v, "sample_rate_bytes");
	state->samples = (uint64_t)q_value(&v, "samples");
	state->live_samples = (uint64_t)q_value(&v, "live_samples");
	state->live_bytes = (uint64_t)q_value(&v, "sampled_live_bytes");
	state->dropped_samples = (uint64_t)q_value(&v, "dropped_samples");
	state->dropped_bytes = (uint64_t)q_value(&v, "dropped_bytes");
	state->other_samples = (uint64_t)q_value(&v, "other_samples");
	state->missed_frees = (uint64_t)q_value(&v, "missed_frees");
	state->late_frees = (uint64_t)q_value(&v, "late_frees");
	state->unknown_frees = (uint64_t)q_value(&v, "unknown_frees");
	state->missed_calls = (uint64_t)q_value(&v, "missed_calls");
	state->table_samples = (uint64_t)q_value(&v, "table_samples");
	state->table_max_samples = (uint64_t)q_value(&v, "table_max_samples");
	state->sites = (uint64_t)q_value(&v, "profile_sites");
	state->max_sites = (uint64_t)q_value(&v, "profile_max_sites");
	state->memory_bytes = (uint64_t)q_value(&v, "memory_bytes");
	q_values_free(&v);
	return Q_OK;
}
