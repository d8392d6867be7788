/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The views: what the fast path sees of the chunks of a node (struct qr_view in
 * include/quarry/quarry.h).  See directory.h for their length.
 */
#ifndef QR_VIEW_H
#define QR_VIEW_H

#include <linux/types.h>
#include <quarry/quarry.h>

struct qr_chunk;

/* Chunks in a part of a view, whose bytes fill a page: 8 GiB, or 32 GiB with pages of 16 KiB. */
#define QR_VIEW_PART PAGE_SIZE

/*
 * Enter a new ordinary chunk into the directory, and open it to the fast path of its node, or
 * remove it from both.  While the chunk's part of the view has no memory, frees in the chunk are
 * slow.  Interrupts are off.
 */
void qr_view_attach(struct qr_chunk *chunk);
void qr_view_detach(struct qr_chunk *chunk);
/* Has the chunk's part of the view memory? */
bool qr_view_covers(const struct qr_chunk *chunk);
/* Set what @cpu sees: the view of the nearest node in qr_nodes. */
void qr_view_set_cpu(unsigned int cpu);

/*
 * For directory.c, with its mutex; they sleep.  Make the view of a node that long; give memory to
 * the part with chunk @index, or to all parts that have a chunk; note the parts that chunks from
 * @from on need, which came when the view was too short.
 */
int qr_view_extend(int node, unsigned long nr);
int qr_view_give_part(int node, unsigned long index);
int qr_view_give_wanted(int node);
void qr_view_want_beyond(unsigned long from);

int qr_views_init(void);
/* Show the views to all CPUs. */
void qr_views_go_live(void);
void qr_views_exit(void);

#endif /* QR_VIEW_H */
