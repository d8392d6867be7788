/* SPDX-License-Identifier: GPL-2.0 */
/* Runs of more than a chunk, and runs that change their length.  Contexts as in pages/page_heap.h. */
#ifndef QR_LONG_RUN_H
#define QR_LONG_RUN_H

#include "pages/page_heap.h"

/*
 * A run of more than QR_CHUNK_PAGES, of kind QR_LARGE, over chunks side by side; otherwise
 * as qr_heap_get().  No promise: __GFP_NOFAIL means nothing here.
 */
bool qr_heap_get_long(struct qr_run *run, struct qr_slab *owner, int node, unsigned int nr,
		      gfp_t gfp);

/*
 * The @more pages behind a run of kind QR_LARGE become @owner's too, if they are free.
 * @run stays what it is; *@added is what was taken.
 */
bool qr_heap_extend(const struct qr_run *run, unsigned int more, struct qr_slab *owner,
		    struct qr_run *added);

/* Give back what lies behind the first @keep pages, of which there is something. */
void qr_heap_trim(const struct qr_run *run, unsigned int keep);

#endif /* QR_LONG_RUN_H */
