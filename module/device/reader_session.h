/* SPDX-License-Identifier: GPL-2.0 */
/* Sessions for those who choose a cache at each turn; see <quarry/profile.h> for the rest. */
#ifndef QR_READER_SESSION_H
#define QR_READER_SESSION_H

#include <linux/types.h>
#include <quarry/profile.h>

/**
 * struct qr_request - a profile that is wanted
 * @cache: one cache's, or QUARRY_CACHE_ALL; what the session was opened for, or
 *	anything if that was QUARRY_CACHE_ALL
 * @kind: what
 * @format: how it is written down
 * @delta: since the last mark or delta, which may have been another cache's
 */
struct qr_request {
	u32 cache;
	enum quarry_profile_kind kind;
	enum quarry_profile_format format;
	bool delta;
};

/**
 * struct qr_answer - what came of it
 * @size: bytes to read
 * @time_ns: of which moment it is, wall clock
 */
struct qr_answer {
	u64 size;
	u64 time_ns;
};

/* As qr_session_take(), qr_session_mark() and qr_session_heapdump(), and tell of the result. */
int qr_session_make(struct qr_session *s, const struct qr_request *req, struct qr_answer *answer);
int qr_session_begin(struct qr_session *s, struct qr_answer *answer);
int qr_session_dump(struct qr_session *s, struct qr_answer *answer);

#endif /* QR_READER_SESSION_H */
