/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions of readers that choose a heap and a cache for each profile.  <quarry/profile.h> has the
 * functions for readers of one cache's profiles.
 */
#ifndef QR_READER_SESSION_H
#define QR_READER_SESSION_H

#include <linux/types.h>
#include <quarry/profile.h>

/**
 * struct qr_request - a profile that is wanted
 * @domain: the heap.  If the session was opened for one, this is that heap
 * @cache: one cache's number, or QUARRY_CACHE_ALL.  If the session was opened for one
 *	cache, this is that cache
 * @kind: the kind of profile
 * @format: the format of its text
 * @delta: begin at the last mark or delta, which may have been of another cache, but not of
 *	another heap
 */
struct qr_request {
	enum quarry_domain domain;
	u32 cache;
	enum quarry_profile_kind kind;
	enum quarry_profile_format format;
	bool delta;
};

/**
 * struct qr_answer - the result of a request
 * @size: bytes to read
 * @time_ns: the moment that the result shows, wall clock
 */
struct qr_answer {
	u64 size;
	u64 time_ns;
};

/*
 * As qr_session_take() and qr_session_mark(), of the heap that is asked for; fill in @answer too.
 * -EINVAL for a delta if the last mark or delta was of another heap.
 */
int qr_session_make(struct qr_session *s, const struct qr_request *req, struct qr_answer *answer);
int qr_session_begin(struct qr_session *s, enum quarry_domain domain, struct qr_answer *answer);
/* The same for a heap dump, see qr_heapdump_render(). */
int qr_session_dump(struct qr_session *s, struct qr_answer *answer);

#endif /* QR_READER_SESSION_H */
