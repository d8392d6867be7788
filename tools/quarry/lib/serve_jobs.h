/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The work of "quarry serve": threads take profiles and metrics, while one thread talks to clients.
 *
 * Only that thread calls these functions.  A job is one profile or one page of metrics.  Clients who
 * ask for the same before a thread has begun with it share the job.  The seconds of a delta pass
 * without a thread.
 */
#ifndef Q_SERVE_JOBS_H
#define Q_SERVE_JOBS_H

#include <stdint.h>
#include "lib/serve_answer.h"

struct q_jobs;

/**
 * struct q_job - a job
 * @request: what for
 * @answer: the answer, when it is done
 * @done: it is
 * @clients: how many wait for it, or are still to be given the answer
 * @user: of the caller, for the answer
 */
struct q_job {
	struct q_request request;
	struct q_answer answer;
	bool done;
	unsigned int clients;
	void *user;
};

/* At most @profiles jobs for profiles at a time.  NULL after a message. */
struct q_jobs *q_jobs_start(struct q_opener *opener, unsigned int profiles);
void q_jobs_stop(struct q_jobs *j);

/* A descriptor that can be read when q_jobs_collect() has something to do. */
int q_jobs_fd(const struct q_jobs *j);

/* A job for a client.  NULL: too many are under way. */
struct q_job *q_jobs_get(struct q_jobs *j, const struct q_request *r,
			 const struct q_serve_numbers *numbers);

/*
 * A client does not need the job any more.  After the last one the job ends, and its file is closed;
 * one that a thread works on ends when the thread is ready.  An answer that is left is freed.
 */
void q_jobs_put(struct q_jobs *j, struct q_job *job);

/* Go on with deltas whose time has passed.  Returns when to call this again, by q_jobs_now(), or 0. */
int64_t q_jobs_tick(struct q_jobs *j);

/* A job that became done, or NULL when there is no other.  It still has its clients. */
struct q_job *q_jobs_collect(struct q_jobs *j);

/* Jobs for profiles that are under way. */
unsigned int q_jobs_profiles(const struct q_jobs *j);

/* Milliseconds of the monotonic clock. */
int64_t q_jobs_now(void);

#endif
