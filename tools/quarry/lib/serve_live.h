/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The live page of "quarry serve", and the views that it shows, which are those of "quarry top".
 *
 * A rate needs two readings.  The last two of each view are kept, for a few views, and no view is
 * read more often than once a second, however many look at it.  One thread answers.
 */
#ifndef Q_SERVE_LIVE_H
#define Q_SERVE_LIVE_H

#include "lib/serve_answer.h"

/* The page itself, which is in the program. */
extern const char q_live_html[];
void q_answer_live_page(struct q_answer *a);

/* A view as JSON. */
void q_answer_live(struct q_answer *a, struct q_opener *o, const struct q_request *r);

/*
 * Free the readings of views that nobody has asked for lately.  @now: q_jobs_now(), or INT64_MAX for
 * all of them.  Any thread may call it.  Returns when to call it again, or 0.
 */
int64_t q_live_forget(int64_t now);

#endif
