/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mapped objects: large objects whose pages may lie anywhere, mapped at adjacent addresses.
 *
 * Each of the pages has the object's slab as its owner.  So the way from a mapped address to the
 * slab is through the kernel's page tables to the page, and from the page as for any other
 * address.  It needs no lock and no memory, and works for every address in the object.
 */
#ifndef QR_MAPPED_H
#define QR_MAPPED_H

#include "slab/slab.h"

/*
 * Make an object of @nr pages and set base, run and pages of its slab; large.c does the rest.
 * Zeroed if @gfp says so.  Sleeps.  NULL when there is no memory.
 */
struct qr_slab *qr_mapped_create(unsigned int nr, int node, gfp_t gfp);

/* Unmap an object and give its pages back.  Sleeps. */
void qr_mapped_destroy(struct qr_slab *slab);
/* The same for a caller that may not sleep: then a work item does it.  Not in NMI. */
void qr_mapped_retire(struct qr_slab *slab);
/* Wait for that work item.  Sleeps. */
void qr_mapped_flush(void);

/* The slab of the mapped object that @p points into, or NULL.  As qr_slab_of(). */
struct qr_slab *qr_mapped_of(const void *p);

/*
 * Set by tests: the longest run that a mapped object gets, in pages.  Below QR_CHUNK_PAGES,
 * objects that may be mapped always are, as if no long run could be had.
 */
extern unsigned int qr_mapped_longest;

#endif /* QR_MAPPED_H */
