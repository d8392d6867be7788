/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recordings: folders that "quarry record" fills (quarry-record(1)).
 *
 * A recording has one folder for each moment, named by the moment's number.  It holds the files of
 * debugfs that were read then, with "." in place of "/", and profiles with ".pb.gz" behind their
 * name.  The file "index" has a line for each moment, so that few of them need to be opened.  It is
 * only a shortcut: what it lacks is read from the moments.
 */
#ifndef Q_RECORDING_H
#define Q_RECORDING_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/device.h"

/* Files and folders of a recording. */
#define Q_RECORDING_MARK    "recording" /* says that this is one, and its version */
#define Q_RECORDING_INDEX   "index"
#define Q_RECORDING_VERSION 1

/**
 * struct q_moment - one moment, as the index has it
 * @number: its number, and its folder's name
 * @time_ns: when, since 1970
 * @started_ns: when the module was loaded, by the monotonic clock
 * @boot: stands for the boot of the kernel
 * @bytes: what its files take on the disk
 * @live: estimated live bytes of each domain; -1 for one that was not recorded
 * @damaged: its files cannot be read; all other members but @number and @bytes are 0
 */
struct q_moment {
	uint64_t number;
	int64_t time_ns;
	int64_t started_ns;
	uint32_t boot;
	int64_t bytes;
	int64_t live[QUARRY_DEV_DOMAINS];
	bool damaged;
};

/**
 * struct q_recording - all moments of a folder
 * @dir: the folder
 * @moment: its moments, the oldest first
 * @nr: how many
 * @damaged: how many of them are damaged
 * @from_index: how many were found in the index
 * @index_lines: lines that the index has, good or not
 */
struct q_recording {
	const char *dir;
	struct q_moment *moment;
	unsigned int nr;
	unsigned int damaged;
	unsigned int from_index;
	unsigned int index_lines;
};

/* Read the index, and those moments that it lacks.  An exit status. */
int q_recording_read(struct q_recording *r, const char *dir);
void q_recording_free(struct q_recording *r);

/* One line of the index, with its end, into @buf of Q_INDEX_LINE characters.  Its length. */
#define Q_INDEX_LINE 320
int q_index_line(char *buf, const struct q_moment *m);
extern const char q_index_head[];

/* Was the module loaded anew, or the kernel booted, between the moments? */
bool q_moment_is_anew(const struct q_moment *m, const struct q_moment *before);

/* The path of a file of a moment.  A buffer that the next call uses again. */
const char *q_moment_path(const char *dir, uint64_t number, const char *file);

/* The profile of a domain at a moment, sites joined.  NULL, or why it cannot be had. */
struct q_pprof;
const char *q_moment_profile(struct q_pprof *p, const char *dir, uint64_t number,
			     unsigned int domain);

/* The name of the profile's file of a domain, and of its numbers, below debugfs. */
const char *q_profile_file(unsigned int domain);
const char *q_stats_file(unsigned int domain);

/* --- A recording in place of the module (--recording DIR) --- */

/* All functions of device.h and debugfs.h read its last moment from now on.  An exit status. */
int q_recording_use(const char *dir);

/* Go to the first moment, to the next one; false: there is no next one. */
void q_recording_first(void);
bool q_recording_next(void);

/* Go some seconds back from the last moment, and forward from there, as time would. */
void q_recording_back(unsigned int seconds);
void q_recording_forward(unsigned int seconds);

/* The moment that is read now, since 1970. */
int64_t q_recording_time(void);

/* What device.c calls for a device that is a recording. */
int q_recording_open(struct q_device *d, bool write);
int q_recording_profile(const struct q_what *what, char **data, size_t *size);
int q_recording_domain(unsigned int domain, struct quarry_dev_domain *state);

#endif
