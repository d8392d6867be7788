/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects whose pages lie anywhere and are mapped in a row.
 *
 * Each page has the object's slab for its owner, as all pages have.  So the way from a
 * mapped address to the owner is by the kernel's own page tables to the page, and from
 * there as always: it needs neither a lock nor memory, and serves every address inside.
 */
#ifndef QR_MAPPED_H
#define QR_MAPPED_H

#include "slab/slab.h"

/*
 * An object of @nr pages for slab/large.c to finish: its base, its run and its pages are set.
 * Zeroed if @gfp says so.  Sleeps.  NULL when there is no memory.
 */
struct qr_slab *qr_mapped_create(unsigned int nr, int node, gfp_t gfp);

/* Sleeps. */
void qr_mapped_destroy(struct qr_slab *slab);
/* The same where one may not sleep: somebody else will.  Not in NMI. */
void qr_mapped_retire(struct qr_slab *slab);
/* Wait for those.  Sleeps. */
void qr_mapped_flush(void);

/* The slab of the mapped object that @p points into, or NULL.  As qr_slab_of(). */
struct qr_slab *qr_mapped_of(const void *p);

/* Tests set it: neither longer runs can be had, nor, if it is below QR_CHUNK_PAGES, rows. */
extern unsigned int qr_mapped_longest;

#endif /* QR_MAPPED_H */
