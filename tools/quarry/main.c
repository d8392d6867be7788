// SPDX-License-Identifier: GPL-2.0
/*
 * quarry: reads what the module Quarry knows, and switches what it can do.
 *
 *   quarry COMMAND [OPTION...]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"

static const struct command {
	const char *name;
	q_command_fn run;
	const char *summary;
} commands[] = {
	{ NULL, NULL, "See" },
	{ "status", q_status, "one screen: memory, limits, largest caches and sites, warnings" },
	{ "top", q_top, "live: caches, sites and processes by what they hold and do" },
	{ "caches", q_caches, "caches of equal objects, the largest first" },
	{ "nodes", q_nodes, "pages of each NUMA node" },
	{ "pools", q_pools, "pools of objects that are set up" },
	{ "arenas", q_arenas, "arenas" },
	{ NULL, NULL, "Find who holds memory" },
	{ "profile", q_profile, "a profile of Quarry's heap or of the kernel's" },
	{ "diff", q_diff, "what grew between two profiles" },
	{ "leaks", q_leaks, "watch for a while, and say what leaks, fills or churns" },
	{ "record", q_record, "record profiles at an interval into a bounded folder" },
	{ "report", q_report, "what a recording shows: a time axis, and what grew" },
	{ "oom", q_oom, "who held memory when it ran out" },
	{ "dump", q_dump, "every live object of Quarry's heap" },
	{ "events", q_events, "sampled allocations and frees as they happen" },
	{ "serve", q_serve, "profiles and metrics over HTTP, for pprof, Prometheus and Parca" },
	{ NULL, NULL, "Change" },
	{ "kernel", q_kernel, "switch the profile of the kernel's own memory on and off" },
	{ "rate", q_rate, "how often the profiler samples" },
	{ "limit", q_limit, "how much memory Quarry or a cache may hold" },
	{ "drain", q_drain, "empty what CPUs keep ready" },
	{ "scavenge", q_scavenge, "give idle pages back to the kernel" },
	{ NULL, NULL, "When something is wrong" },
	{ "doctor", q_doctor, "look for what keeps Quarry from working, and say what helps" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("Usage: quarry COMMAND [OPTION...]\n", to);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].name)
			fprintf(to, "  %-9s  %s\n", commands[i].name, commands[i].summary);
		else
			fprintf(to, "\n%s:\n", commands[i].summary);
	}
	fputs("\n\"quarry COMMAND --help\" and \"man quarry-COMMAND\" explain one of them.\n"
	      "Every command that prints data takes --json.\n",
	      to);
}

void q_parse_common(int argc, char **argv, const char *doc)
{
	const struct argp_child children[] = { Q_COMMON_CHILD, { 0 } };
	const struct argp argp = { NULL, NULL, NULL, doc, children, NULL, NULL };

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
}

/* The command whose name is nearest to @name, if it is near. */
static const char *nearest(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].name &&
		    (!strncmp(commands[i].name, name, 3) || strstr(commands[i].name, name) ||
		     strstr(name, commands[i].name)))
			return commands[i].name;
	return NULL;
}

int main(int argc, char **argv)
{
	static char name[64];
	const char *near;

	/* argp's exit status for a wrong command line. */
	argp_err_exit_status = Q_USAGE;
	if (argc < 2) {
		help(stderr);
		return Q_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return Q_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("quarry " QUARRY_VERSION);
		return Q_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!commands[i].name || strcmp(commands[i].name, argv[1]))
			continue;
		/* argp names the program by argv[0] in its messages. */
		snprintf(name, sizeof(name), "quarry %s", commands[i].name);
		argv[1] = name;
		int status = commands[i].run(argc - 1, argv + 1);

		if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE && !status)
			status = q_problem(Q_FAILED, "writing: %s", strerror(errno));
		return status;
	}
	near = nearest(argv[1]);
	return q_problem(Q_USAGE, "there is no command \"%s\"; %s\"%s\"%s", argv[1],
			 near ? "did you mean " : "", near ?: "quarry help",
			 near ? "?" : " lists them");
}
