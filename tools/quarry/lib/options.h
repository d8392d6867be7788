/* SPDX-License-Identifier: GPL-2.0 */
/* What every command understands: how to print, and where the module's files are. */
#ifndef Q_OPTIONS_H
#define Q_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct q_options - the options that all commands have
 * @json: print JSON in place of text
 * @exact: print whole bytes and nanoseconds, not "4.2 MiB"
 * @colour: write escape sequences of colours
 * @debugfs: the module's folder in debugfs
 * @device: its character device
 * @recording: a folder that is read in place of both, or NULL (lib/recording.h)
 */
struct q_options {
	bool json;
	bool exact;
	bool colour;
	const char *debugfs;
	const char *device;
	const char *recording;
};

extern struct q_options q_options;

/* A child of every command's parser. */
extern const struct argp q_common_argp;

/* After this entry of a table of children there is only an empty one. */
#define Q_COMMON_CHILD                                                                             \
	{                                                                                          \
		&q_common_argp, 0, "Common options:", 10                                           \
	}

/*
 * For a command's parser: the value of an option.  For a wrong one the program ends, with a
 * sentence and the status of a wrong command line.
 */

/* A domain, QUARRY_DEV_DOMAIN_*, by its name. */
unsigned int q_option_domain(struct argp_state *state, const char *arg);

/* A whole number from @low to @high.  @option is what the sentence names. */
uint64_t q_option_count(struct argp_state *state, const char *option, const char *arg, uint64_t low,
			uint64_t high);

/* The options --seconds, at most a week, and --lines. */
unsigned int q_option_seconds(struct argp_state *state, const char *arg, unsigned int low);
unsigned int q_option_lines(struct argp_state *state, const char *arg);

#endif
