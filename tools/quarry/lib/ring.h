/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The writing side of recordings: a ring of moments on the disk, bounded by bytes and by age.
 *
 * A crash at any time leaves whole moments only: the files of a moment are written into the folder
 * "new", which is renamed when they are on the disk.  A moment that leaves is renamed to "old"
 * before its files go.  Whoever opens the ring next removes both.
 */
#ifndef Q_RING_H
#define Q_RING_H

#include <stddef.h>
#include "lib/recording.h"

/**
 * struct q_ring - a recording that this program writes
 * @r: its moments
 * @bytes: what they take on the disk
 * @max_bytes: what they and the index may take
 * @max_age_ns: moments older than that go; 0: none for their age
 * @next: the number of the next moment
 * @dir: the folder, open
 * @lock: the file that keeps other recorders out
 */
struct q_ring {
	struct q_recording r;
	int64_t bytes;
	int64_t max_bytes;
	int64_t max_age_ns;
	uint64_t next;
	int dir;
	int lock;
};

/**
 * struct q_ring_file - a file of a moment
 * @name: its name
 * @data: what it holds
 * @size: bytes of it
 */
struct q_ring_file {
	char name[48];
	void *data;
	size_t size;
};

/* Make or open the recording @dir, and remove what a crash left behind.  An exit status. */
int q_ring_open(struct q_ring *ring, const char *dir, int64_t max_bytes, int64_t max_age_ns);

/*
 * Add a moment, after old ones made room for it.  @m->number and @m->bytes are set.  An exit status;
 * after an error all moments but those that made room are as they were.
 */
int q_ring_add(struct q_ring *ring, struct q_moment *m, const struct q_ring_file *file,
	       unsigned int nr);
void q_ring_close(struct q_ring *ring);

#endif
