/* SPDX-License-Identifier: GPL-2.0 */
/* The commands of "quarry".  Each has a file of its own; main.c has their table. */
#ifndef Q_COMMAND_H
#define Q_COMMAND_H

#include "lib/options.h"
#include "lib/problem.h"

/* Carries out a command, whose name is argv[0].  An exit status. */
typedef int (*q_command_fn)(int argc, char **argv);

int q_status(int argc, char **argv);
int q_caches(int argc, char **argv);
int q_nodes(int argc, char **argv);
int q_pools(int argc, char **argv);
int q_arenas(int argc, char **argv);
int q_top(int argc, char **argv);
int q_profile(int argc, char **argv);
int q_diff(int argc, char **argv);
int q_leaks(int argc, char **argv);
int q_record(int argc, char **argv);
int q_report(int argc, char **argv);
int q_kernel(int argc, char **argv);
int q_oom(int argc, char **argv);
int q_events(int argc, char **argv);
int q_serve(int argc, char **argv);
int q_dump(int argc, char **argv);
int q_drain(int argc, char **argv);
int q_scavenge(int argc, char **argv);
int q_limit(int argc, char **argv);
int q_rate(int argc, char **argv);
int q_doctor(int argc, char **argv);

/* The parser of a command without options of its own. */
void q_parse_common(int argc, char **argv, const char *doc);

#endif
