/* SPDX-License-Identifier: GPL-2.0 */
/* Fixtures that the suites of cleanups share. */
#ifndef QR_TESTS_CLEANUP_UTIL_H
#define QR_TESTS_CLEANUP_UTIL_H

#include "magazine/cleanup.h"
#include "tests/profile_util.h"

#define QC_LOG 64

/**
 * struct qc_log - which cleanups ran, in order
 * @nr: how many ran
 * @p: their objects, of the first QC_LOG
 * @tag: the tags of their arguments
 */
struct qc_log {
	unsigned int nr;
	void *p[QC_LOG];
	unsigned int tag[QC_LOG];
};

/**
 * struct qc_arg - a cleanup's argument
 * @log: the log that it is to be entered in
 * @tag: what to enter
 */
struct qc_arg {
	struct qc_log *log;
	unsigned int tag;
};

/* A cleanup that logs itself; the log has NULL for an object that is not live any more. */
static inline void qc_ran(void *p, void *arg)
{
	struct qc_arg *a = arg;
	unsigned int i = a->log->nr++;

	if (i < QC_LOG) {
		a->log->p[i] = quarry_usable_size(p) ? p : NULL;
		a->log->tag[i] = a->tag;
	}
}

static inline struct qc_log *qc_log(struct kunit *test)
{
	struct qc_log *log = kunit_kzalloc(test, sizeof(*log), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, log);
	return log;
}

static inline void qc_add(struct kunit *test, void *p, struct qc_arg *arg)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, 0, quarry_cleanup_add(p, qc_ran, arg));
}

/* Would the free of @p take the fast path on a CPU of its node? */
static inline bool qc_is_fast(void *p)
{
	struct qr_slab *slab = qr_slab_of(p);
	struct qr_chunk *chunk = slab ? slab->run.chunk : NULL;

	if (!slab || chunk->kind != QR_ORDINARY)
		return false;
	return slab->class ? chunk->class[qr_page_in_chunk(p)] == slab->class :
			     qr_chunk_is_fast(chunk);
}

#endif /* QR_TESTS_CLEANUP_UTIL_H */
