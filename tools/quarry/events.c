// SPDX-License-Identifier: GPL-2.0
/* events: the ring of /dev/quarry, one line for each sampled allocation or free. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "command.h"
#include "lib/device.h"
#include "lib/human.h"

struct events_options {
	bool frees;
	unsigned int records;
	uint64_t most;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct events_options *o = state->input;

	switch (key) {
	case 'f':
		o->frees = true;
		return 0;
	case 'n':
		o->most = q_option_count(state, "--count", arg, 1, UINT64_MAX);
		return 0;
	case 'r':
		o->records = (unsigned int)q_option_count(state, "--records", arg, 1, UINT32_MAX);
		if (o->records & (o->records - 1))
			argp_error(state, "the records of a ring are a power of two, not '%s'",
				   arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show(const struct quarry_event_record *r)
{
	const char *type = r->type == QUARRY_DEV_EVENT_ALLOC ? "alloc" : "free";
	char age[Q_HUMAN_LEN], size[Q_HUMAN_LEN], weight[Q_HUMAN_LEN];

	if (q_options.json)
		printf("{\"type\":\"%s\",\"time_ns\":%" PRIu64
		       ",\"cpu\":%u,\"pid\":%u,\"size\":%" PRIu64 ",\"asked\":%" PRIu64
		       ",\"stands_for\":%" PRIu64 ",\"age_ns\":%" PRIu64
		       ",\"site\":%u,\"cache\":%u,\"stack\":%u,\"labels\":%u,\"seq\":%" PRIu64
		       "}\n",
		       type, (uint64_t)r->time_ns, r->cpu, r->pid, (uint64_t)r->size,
		       (uint64_t)r->asked, (uint64_t)r->weighted, (uint64_t)r->age_ns, r->site,
		       r->cache, r->stack, r->labels, (uint64_t)r->seq);
	else
		printf("%6" PRIu64 ".%06" PRIu64
		       "  %-5s  %10s  stands for %10s  cache %-4u site %-5u "
		       "cpu %-3u pid %-7u %s%s\n",
		       (uint64_t)r->time_ns / 1000000000, (uint64_t)r->time_ns / 1000 % 1000000,
		       type, q_human(size, Q_BYTES, (int64_t)r->size),
		       q_human(weight, Q_BYTES, (int64_t)r->weighted), r->cache, r->site, r->cpu,
		       r->pid, r->age_ns ? "lived " : "",
		       r->age_ns ? q_human(age, Q_NS, (int64_t)r->age_ns) : "");
}

static void copy(struct q_device *d, struct quarry_ring_control *c,
		 const struct quarry_dev_ring *ring, uint64_t most)
{
	struct quarry_event_record *record = (void *)((char *)c + ring->data_offset);
	struct pollfd ready = { .fd = d->fd, .events = POLLIN };
	uint64_t shown = 0, lost = 0, head, tail = 0;

	while (!stopped && shown < most) {
		if (poll(&ready, 1, -1) < 0 && errno != EINTR)
			break;
		head = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
		for (; tail != head && shown < most; tail++, shown++)
			show(&record[tail & (ring->records - 1)]);
		__atomic_store_n(&c->tail, tail, __ATOMIC_RELEASE);
		if (c->overruns != lost) {
			lost = c->overruns;
			fprintf(stderr,
				"quarry: %" PRIu64 " events lost so far; --records makes room\n",
				lost);
		}
		/* A reader of the output that is gone ends this, too. */
		if (fflush(stdout))
			break;
	}
}

int q_events(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "frees", 'f', NULL, 0, "Frees too, with the age of the object", 0 },
		{ "count", 'n', "N", 0, "End after N events", 0 },
		{ "records", 'r', "N", 0, "Events that wait while the output is slow (4096)", 0 },
		{ 0 },
	};
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = {
		options,
		parse,
		NULL,
		"Sampled allocations of Quarry's own heap as they happen, one line "
		"each; with --json one object each.",
		children,
		NULL,
		NULL
	};
	struct events_options o = { .records = 4096, .most = UINT64_MAX };
	struct quarry_dev_ring ring;
	struct quarry_ring_control *c;
	struct sigaction act = { .sa_handler = stop };
	struct q_device d;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	status = q_device_open(&d, true);
	if (status)
		return status;
	ring = (struct quarry_dev_ring){
		.records = o.records < d.info.ring_max ? o.records : d.info.ring_max,
		.flags = o.frees ? QUARRY_DEV_RING_FREES : 0,
	};
	status = q_device_do(&d, QUARRY_IOC_RING, &ring, "making a ring of events");
	if (status)
		goto out;
	c = mmap(NULL, ring.size, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, 0);
	if (c == MAP_FAILED) {
		status = q_problem(Q_FAILED, "mapping the ring: %s", strerror(errno));
		goto out;
	}
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	copy(&d, c, &ring, o.most);
	munmap(c, ring.size);
out:
	q_device_close(&d);
	return status;
}
