// SPDX-License-Identifier: GPL-2.0
#include "lib/serve_jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "lib/problem.h"
#include "lib/serve_live.h"

/**
 * enum state - where a job is
 * @QUEUED: in the queue
 * @RUNNING: a thread works on it
 * @STEPPED: the thread is ready, and the job is in the list of those to be collected
 * @WAITING: a delta that has begun
 * @DONE: it has an answer
 */
enum state { QUEUED, RUNNING, STEPPED, WAITING, DONE };

/* Profiles, metrics and views have threads of their own, so that none waits for another. */
enum { PROFILES, METRICS, LIVE, QUEUES };

#define OTHERS 2 /* threads that are not for profiles */

/**
 * struct job - what the caller does not see of a job
 * @pub: what it sees
 * @state: where it is; under the lock while it is not WAITING or DONE
 * @queue: which threads work on it
 * @device: of a delta that has begun, the open device; else -1
 * @until: when the delta ends
 * @numbers: for metrics
 * @next: in the list of all jobs
 * @queued: in the queue, or in the list of those to be collected
 */
struct job {
	struct q_job pub;
	enum state state;
	int queue;
	int device;
	int64_t until;
	struct q_serve_numbers numbers;
	struct job *next;
	struct job *queued;
};

struct list {
	struct job *first;
	struct job **last;
};

struct q_jobs;

/**
 * struct worker - a thread
 * @jobs: whose it is
 * @thread: the thread
 * @queue: which jobs it works on
 * @job: the one that it works on, or NULL; under the lock
 */
struct worker {
	struct q_jobs *jobs;
	pthread_t thread;
	int queue;
	const struct job *job;
};

/**
 * struct q_jobs - all of it
 * @opener: opens files
 * @max: the most jobs for profiles
 * @profiles: jobs for profiles
 * @deltas: the part of them that are deltas
 * @all: all jobs that are not done
 * @event: see q_jobs_fd()
 * @lock: protects what follows, and the states
 * @work: for threads that wait for work
 * @queue: jobs for threads
 * @ready: jobs that threads are ready with
 * @stop: threads shall end
 * @worker: the threads
 * @workers: how many run
 */
struct q_jobs {
	struct q_opener *opener;
	unsigned int max;
	unsigned int profiles;
	unsigned int deltas;
	struct job *all;
	int event;
	pthread_mutex_t lock;
	pthread_cond_t work[QUEUES];
	struct list queue[QUEUES];
	struct list ready;
	bool stop;
	struct worker *worker;
	unsigned int workers;
};

int64_t q_jobs_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void push(struct list *l, struct job *job)
{
	job->queued = NULL;
	*l->last = job;
	l->last = &job->queued;
}

static struct job *pop(struct list *l)
{
	struct job *job = l->first;

	if (job) {
		l->first = job->queued;
		if (!l->first)
			l->last = &l->first;
	}
	return job;
}

static void drop(struct list *l, struct job *job)
{
	struct job **at = &l->first;

	while (*at && *at != job)
		at = &(*at)->queued;
	if (!*at)
		return;
	*at = job->queued;
	for (l->last = &l->first; *l->last; l->last = &(*l->last)->queued)
		;
}

/* --- Threads --- */

/* One step: for a delta the mark or the profile, for everything else all of it. */
static void step(struct q_jobs *j, struct job *job)
{
	struct q_job *pub = &job->pub;

	if (pub->request.endpoint == Q_LIVE_JSON) {
		q_answer_live(&pub->answer, j->opener, &pub->request);
	} else if (pub->request.endpoint == Q_METRICS) {
		q_answer_metrics(&pub->answer, j->opener, &pub->request, &job->numbers);
	} else if (pub->request.seconds && job->device < 0) {
		if (q_answer_mark(&pub->answer, j->opener, &pub->request, &job->device))
			return;
	} else {
		q_answer_profile(&pub->answer, j->opener, &pub->request, &job->device);
	}
}

/*
 * A job whose like no thread works on.  All who ask for the same meanwhile share the one that waits,
 * so a crowd of them has two places for profiles at most.
 */
static struct job *pick(struct q_jobs *j, int queue)
{
	struct job *job;

	for (job = j->queue[queue].first; job; job = job->queued) {
		unsigned int i;

		for (i = 0; i < j->workers; i++) {
			const struct job *other = j->worker[i].job;

			if (other && q_request_same(&other->pub.request, &job->pub.request))
				break;
		}
		if (i == j->workers)
			break;
	}
	if (job)
		drop(&j->queue[queue], job);
	return job;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct q_jobs *j = w->jobs;
	const uint64_t one = 1;
	struct job *job;

	pthread_mutex_lock(&j->lock);
	for (;;) {
		for (job = NULL; !j->stop && !job;) {
			job = pick(j, w->queue);
			if (!job)
				pthread_cond_wait(&j->work[w->queue], &j->lock);
		}
		if (!job)
			break;
		job->state = RUNNING;
		w->job = job;
		pthread_mutex_unlock(&j->lock);
		step(j, job);
		pthread_mutex_lock(&j->lock);
		job->state = STEPPED;
		w->job = NULL;
		/* One that is like it may wait, and this thread may take another one. */
		pthread_cond_signal(&j->work[w->queue]);
		push(&j->ready, job);
		if (write(j->event, &one, sizeof(one)) < 0)
			continue; /* It is at its maximum, so it can be read. */
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

struct q_jobs *q_jobs_start(struct q_opener *opener, unsigned int profiles)
{
	struct q_jobs *j = calloc(1, sizeof(*j));
	int err;

	if (!j || !(j->worker = calloc(profiles + OTHERS, sizeof(*j->worker)))) {
		free(j);
		q_problem(Q_FAILED, "out of memory");
		return NULL;
	}
	j->opener = opener;
	j->max = profiles;
	j->ready.last = &j->ready.first;
	j->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&j->lock, NULL);
	for (int i = 0; i < QUEUES; i++) {
		pthread_cond_init(&j->work[i], NULL);
		j->queue[i].last = &j->queue[i].first;
	}
	for (unsigned int i = 0; i < profiles + OTHERS; i++) {
		j->worker[i] = (struct worker){ .jobs = j,
						.queue = i < profiles  ? PROFILES :
							 i == profiles ? METRICS :
									 LIVE };
		err = pthread_create(&j->worker[i].thread, NULL, work, &j->worker[i]);
		if (err) {
			q_problem(Q_FAILED, "starting a thread: %s", strerror(err));
			q_jobs_stop(j);
			return NULL;
		}
		pthread_mutex_lock(&j->lock);
		j->workers++;
		pthread_mutex_unlock(&j->lock);
	}
	return j;
}

/* --- Jobs --- */

static void enqueue(struct q_jobs *j, struct job *job)
{
	pthread_mutex_lock(&j->lock);
	job->state = QUEUED;
	push(&j->queue[job->queue], job);
	pthread_cond_signal(&j->work[job->queue]);
	pthread_mutex_unlock(&j->lock);
}

/* The job is not one of those under way any more. */
static void leave(struct q_jobs *j, struct job *job)
{
	struct job **at = &j->all;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (job->queue == PROFILES) {
		j->profiles--;
		j->deltas -= !!job->pub.request.seconds;
	}
}

static void destroy(struct job *job)
{
	if (job->device >= 0)
		close(job->device);
	q_answer_free(&job->pub.answer);
	free(job);
}

static struct job *find_same(struct q_jobs *j, const struct q_request *r)
{
	struct job *job;

	pthread_mutex_lock(&j->lock);
	for (job = j->all; job; job = job->next)
		if (job->state == QUEUED && job->pub.clients &&
		    q_request_same(&job->pub.request, r))
			break;
	/*
	 * The thread may begin after the lock is given back.  The client's request was here before,
	 * so the answer is still not older than the question.
	 */
	pthread_mutex_unlock(&j->lock);
	return job;
}

struct q_job *q_jobs_get(struct q_jobs *j, const struct q_request *r,
			 const struct q_serve_numbers *numbers)
{
	bool profile = r->endpoint == Q_PROFILE;
	struct job *job = find_same(j, r);

	if (job) {
		job->pub.clients++;
		return &job->pub;
	}
	/* The last place is not for deltas, which may wait for minutes. */
	if (profile &&
	    (j->profiles >= j->max || (r->seconds && j->max > 1 && j->deltas >= j->max - 1)))
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->pub.request = *r;
	job->pub.clients = 1;
	job->numbers = *numbers;
	job->device = -1;
	job->queue = profile ? PROFILES : r->endpoint == Q_METRICS ? METRICS : LIVE;
	job->next = j->all;
	j->all = job;
	j->profiles += profile;
	j->deltas += profile && r->seconds;
	enqueue(j, job);
	return &job->pub;
}

void q_jobs_put(struct q_jobs *j, struct q_job *pub)
{
	struct job *job = (struct job *)pub;
	bool mine;

	if (--pub->clients)
		return;
	if (!pub->done) {
		pthread_mutex_lock(&j->lock);
		if (job->state == QUEUED)
			drop(&j->queue[job->queue], job);
		mine = job->state == QUEUED || job->state == WAITING;
		pthread_mutex_unlock(&j->lock);
		/* Otherwise q_jobs_collect() finds it without clients. */
		if (!mine)
			return;
		leave(j, job);
	}
	destroy(job);
}

int64_t q_jobs_tick(struct q_jobs *j)
{
	int64_t now = q_jobs_now(), next = q_live_forget(now);

	for (struct job *job = j->all; job; job = job->next) {
		/* Only this thread makes it WAITING, and it alone ends that. */
		if (job->until && job->until <= now) {
			job->until = 0;
			enqueue(j, job);
		} else if (job->until && (!next || job->until < next)) {
			next = job->until;
		}
	}
	return next;
}

struct q_job *q_jobs_collect(struct q_jobs *j)
{
	struct job *job;
	uint64_t n;

	/* Emptied first: a job that becomes ready from now on makes it readable again. */
	if (read(j->event, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return NULL;
	for (;;) {
		pthread_mutex_lock(&j->lock);
		job = pop(&j->ready);
		if (job)
			job->state = job->device >= 0 ? WAITING : DONE;
		pthread_mutex_unlock(&j->lock);
		if (!job)
			return NULL;
		if (!job->pub.clients) {
			leave(j, job);
			destroy(job);
		} else if (job->device >= 0) {
			job->until = q_jobs_now() + 1000 * (int64_t)job->pub.request.seconds;
		} else {
			leave(j, job);
			job->pub.done = true;
			return &job->pub;
		}
	}
}

unsigned int q_jobs_profiles(const struct q_jobs *j)
{
	return j->profiles;
}

int q_jobs_fd(const struct q_jobs *j)
{
	return j->event;
}

void q_jobs_stop(struct q_jobs *j)
{
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	for (int i = 0; i < QUEUES; i++)
		pthread_cond_broadcast(&j->work[i]);
	pthread_mutex_unlock(&j->lock);
	for (unsigned int i = 0; i < j->workers; i++)
		pthread_join(j->worker[i].thread, NULL);
	while (j->all) {
		struct job *job = j->all;

		leave(j, job);
		destroy(job);
	}
	q_live_forget(INT64_MAX);
	close(j->event);
	pthread_mutex_destroy(&j->lock);
	for (int i = 0; i < QUEUES; i++)
		pthread_cond_destroy(&j->work[i]);
	free(j->worker);
	free(j);
}
