/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Long runs (of more pages than a chunk has), and runs that change their length.  For contexts
 * see page_heap.h.
 */
#ifndef QR_LONG_RUN_H
#define QR_LONG_RUN_H

#include "pages/page_heap.h"

/*
 * Take a run of more than QR_CHUNK_PAGES pages, over chunks of kind QR_LARGE that lie side by
 * side.  Otherwise as qr_heap_get(), but this can fail in spite of __GFP_NOFAIL.
 */
bool qr_heap_get_long(struct qr_run *run, struct qr_slab *owner, int node, unsigned int nr,
		      gfp_t gfp);

/*
 * Take the @more pages directly behind @run for @owner too.  False if they are not all idle, or
 * if the run is in a chunk of another kind than QR_LARGE.  *@added is set to these pages; the
 * caller then updates its own @run.
 */
bool qr_heap_extend(const struct qr_run *run, unsigned int more, struct qr_slab *owner,
		    struct qr_run *added);

/* Give back the pages behind the first @keep ones.  @run has more than @keep pages. */
void qr_heap_trim(const struct qr_run *run, unsigned int keep);

#endif /* QR_LONG_RUN_H */
