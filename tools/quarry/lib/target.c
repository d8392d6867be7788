// SPDX-License-Identifier: GPL-2.0
#include "lib/target.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/debugfs.h"
#include "lib/options.h"
#include "lib/problem.h"
#include "lib/recording.h"

static const struct argp_option options[] = {
	{ "domain", 'd', "DOMAIN", 0,
	  "quarry (the default), or the kernel's slab, pages, percpu or vmalloc", 0 },
	{ "cache", 'c', "NAME", 0, "Of one cache of Quarry's, by its name", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct q_target *t = state->input;

	switch (key) {
	case 'd':
		t->domain = q_option_domain(state, arg);
		return 0;
	case 'c':
		t->cache = arg;
		return 0;
	case ARGP_KEY_END:
		if (t->cache && t->domain)
			argp_error(state,
				   "--cache is for quarry's own caches, not for a domain of the "
				   "kernel's");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp q_target_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

static int find_cache(const char *name, unsigned int *number)
{
	struct q_lines l;
	int status = q_lines_read(&l, "caches/all");

	if (status)
		return status;
	for (unsigned int i = 0; i < l.nr; i++) {
		if (strcmp(q_line_text(&l, i, "name"), name))
			continue;
		*number = (unsigned int)q_line_number(&l, i, "id");
		q_lines_free(&l);
		return Q_OK;
	}
	q_lines_free(&l);
	return q_problem(Q_FAILED, "no cache is called '%s'; \"quarry caches --all\" lists them",
			 name);
}

int q_target_open(const struct q_target *target, struct q_device *d, unsigned int *cache)
{
	struct quarry_dev_domain state;
	int status = q_device_open(d, false);

	*cache = QUARRY_DEV_CACHE_ALL;
	if (status)
		return status;
	if (target->cache)
		status = find_cache(target->cache, cache);
	if (!status && target->domain) {
		status = q_device_domain(d, target->domain, -1, &state);
		if (!status && !state.enabled)
			status = q_problem(Q_FAILED,
					   "domain %s is off; switch it on with "
					   "\"quarry kernel on %s\"",
					   state.name, state.name);
	}
	if (status)
		q_device_close(d);
	return status;
}

void q_wait(unsigned int seconds, unsigned int later, const char *doing)
{
	bool shown = isatty(STDERR_FILENO);
	struct timespec end, now;

	if (q_options.recording) {
		q_recording_forward(seconds);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec ||
		    (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
			break;
		if (shown)
			fprintf(stderr, "\r%s: %lld s left ", doing,
				(long long)(end.tv_sec - now.tv_sec) + later);
		now.tv_sec++;
		if (now.tv_sec > end.tv_sec ||
		    (now.tv_sec == end.tv_sec && now.tv_nsec > end.tv_nsec))
			now = end;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL);
	}
	if (shown)
		fputs("\r\033[K", stderr);
}
