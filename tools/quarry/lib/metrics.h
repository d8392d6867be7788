/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page /metrics: the module's numbers as OpenMetrics 1.0, or as Prometheus's text format 0.0.4.
 * The two differ in how counters are declared, and in OpenMetrics's units and end mark.
 */
#ifndef Q_METRICS_H
#define Q_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/debugfs.h"
#include "quarry.h"

/* Caches with series of their own.  What others hold is added up in the cache "(other)". */
#define Q_METRICS_CACHES 100

/**
 * enum q_metric_kind - how a number behaves
 * @Q_GAUGE: it goes up and down
 * @Q_COUNTER: it counts what happened so far
 * @Q_UNKNOWN: the module is newer than this program, and shows a name that is in no table here
 */
enum q_metric_kind { Q_GAUGE, Q_COUNTER, Q_UNKNOWN };

/**
 * struct q_metric - what there is to know about a name of the module's
 * @name: as in the module's file; its end tells the unit
 * @kind: how the number behaves
 * @help: one sentence.  Quotes, backslashes and line ends would need an escape, so there are none
 */
struct q_metric {
	const char *name;
	enum q_metric_kind kind;
	const char *help;
};

/* The names of "stats" and of "kernel/<domain>/stats", in the module's order.  They end with {}. */
extern const struct q_metric q_stats_metrics[];
extern const struct q_metric q_kernel_metrics[];

#define Q_STATUSES 12

/**
 * struct q_serve_numbers - what the server counts of itself
 * @status: statuses of HTTP that it has answered
 * @answers: how often
 * @connections: clients that are connected
 * @profiles: profiles that are being taken
 * @held_bytes: memory of answers that clients have not read yet
 */
struct q_serve_numbers {
	int status[Q_STATUSES];
	uint64_t answers[Q_STATUSES];
	unsigned int connections;
	unsigned int profiles;
	size_t held_bytes;
};

/**
 * struct q_metrics - what the page is made of
 * @stats: the file "stats"
 * @caches: the file "caches/table", the largest first
 * @domain: the files "kernel/<domain>/stats"; those without names are left out
 * @serve: the server's own numbers
 * @openmetrics: which format
 */
struct q_metrics {
	struct q_values stats;
	struct q_lines caches;
	struct q_values domain[QUARRY_DEV_DOMAINS];
	struct q_serve_numbers serve;
	bool openmetrics;
};

/* The page, to be freed; NULL without memory. */
char *q_metrics_render(const struct q_metrics *m, size_t *size);

/* The value of "Content-Type". */
const char *q_metrics_type(bool openmetrics);

#endif
