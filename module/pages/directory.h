/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directory leads from an address to its chunk.
 *
 * Directory and views (view.h) have an entry for each 2 MiB of the direct map, of which most may
 * have no memory, or memory that is never Quarry's.  So both are divided into parts, and a part
 * costs next to nothing until a chunk lies in it.  Both grow when memory is added above their end.
 *
 * Context: any, unless a function says otherwise.
 */
#ifndef QR_DIRECTORY_H
#define QR_DIRECTORY_H

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/types.h>
#include <quarry/quarry.h>

struct qr_chunk;

/* Chunks in a part of the directory: 1 GiB. */
#define QR_DIRECTORY_PART 512UL

/**
 * struct qr_directory - the chunks by their index
 * @nr: chunks that it covers, a multiple of QR_DIRECTORY_PART
 * @older: the one that it replaced, or NULL
 * @part: the parts; those that never had a chunk share one of NULLs
 *
 * A directory that is too short is replaced by a longer one with the same parts.  Replaced ones and
 * parts stay until the module is unloaded, so readers need no protection.
 */
struct qr_directory {
	unsigned long nr;
	struct qr_directory *older;
	struct qr_chunk **part[];
};

extern struct qr_directory *qr_directory;

/* The chunk with that index, or NULL.  It stays for a grace period, see qr_slab_of(). */
static inline struct qr_chunk *qr_chunk_at(unsigned long index)
{
	const struct qr_directory *dir = READ_ONCE(qr_directory);

	if (unlikely(index >= dir->nr))
		return NULL;
	return READ_ONCE(dir->part[index / QR_DIRECTORY_PART][index % QR_DIRECTORY_PART]);
}

/* Does the directory cover this chunk?  If not, and @gfp allows sleep, it is made to. */
bool qr_directory_covers(unsigned long index, gfp_t gfp);
/* Make sure that qr_directory_set() can enter this chunk.  False if there is no memory. */
bool qr_directory_prepare(unsigned long index, gfp_t gfp);
/* Enter or remove a chunk.  Under the lock that guards the chunk. */
void qr_directory_set(unsigned long index, struct qr_chunk *chunk);
/* The first index from @index on that may have a chunk; at least qr_directory->nr if none has. */
unsigned long qr_directory_next(unsigned long index);

/* The first chunk from *@index on, whose index is stored there; NULL if there is none. */
struct qr_chunk *qr_chunk_from(unsigned long *index);

/* For each chunk there is.  A chunk may go at any time unless the caller prevents that. */
#define qr_for_each_chunk(index, chunk)                                                            \
	for ((index) = 0; ((chunk) = qr_chunk_from(&(index))); (index)++)

/*
 * Memory below page frame @end is about to come: cover it.  Sleeps.  If that fails, it is tried
 * again when such memory is used.
 */
int qr_directory_grow(unsigned long end);

/*
 * A chunk below @nr needs the directory or its view, and this context may not sleep: a work item
 * extends them.  Any context but NMI.
 */
void qr_directory_want(unsigned long nr);
/* A node gets its first memory: make its view.  Sleeps. */
int qr_directory_add_node(int node);
/* Wait until what was wanted is done, or cannot be done.  Sleeps. */
void qr_directory_settle(void);

int qr_directory_init(void);
void qr_directory_exit(void);

#endif /* QR_DIRECTORY_H */
