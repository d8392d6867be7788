/* SPDX-License-Identifier: GPL-2.0 */
/* Records what the current task asks of the kernel's page allocator, directly or through slabs. */
#ifndef QR_TESTS_PAGE_ALLOC_UTIL_H
#define QR_TESTS_PAGE_ALLOC_UTIL_H

#include <kunit/test.h>
#include <linux/gfp.h>

/**
 * struct qt_page_allocs - requests for pages, met or not
 * @nr: number of requests
 * @nr_chunks: requests of a chunk's order and more
 * @pages: pages that were asked for in all of them
 * @reclaim_all: gfp flags that every request had that may enter reclaim.  For others the kernel's
 *	slabs do not keep the flags that they were asked with
 * @any: gfp flags that some request had
 * @chunks_all: gfp flags that every such request had
 * @chunks_any: gfp flags that some such request had
 */
struct qt_page_allocs {
	unsigned int nr;
	unsigned int nr_chunks;
	unsigned long pages;
	gfp_t reclaim_all;
	gfp_t any;
	gfp_t chunks_all;
	gfp_t chunks_any;
};

/* Begin to record, with empty counts; ends with the case, or with the next qt_page_allocs_end(). */
void qt_page_allocs_begin(struct kunit *test);
struct qt_page_allocs qt_page_allocs_end(struct kunit *test);

#endif /* QR_TESTS_PAGE_ALLOC_UTIL_H */
