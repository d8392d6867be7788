// SPDX-License-Identifier: GPL-2.0
/* The ring of events: the records in it, a reader that spoils it, and waiting for events. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dev_ring.h"

void ring_open(struct ring *r, __u32 records, __u32 flags)
{
	*r = (struct ring){ .fd = open_device(O_RDWR) };
	if (make_ring(r->fd, records, flags, &r->d))
		die("RING");
	r->control = mmap(NULL, r->d.size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->control == MAP_FAILED)
		die("mmap");
	r->record = (void *)r->control + r->d.data_offset;
}

void ring_close(struct ring *r)
{
	munmap(r->control, r->d.size);
	close(r->fd);
}

/* --- Events --- */

static bool is_sound(const struct quarry_event_record *e, __u64 seq, __u64 after)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(e->reserved); i++)
		if (e->reserved[i])
			return false;
	return e->seq == seq && e->time_ns >= after && e->ptr && e->size >= e->asked && e->asked &&
	       e->weighted == e->size && e->pid == (__u32)getpid() && !e->reserved0 &&
	       (e->cache || e->size > 32768);
}

struct seen {
	unsigned long allocs, frees, unsound, strange;
	__u64 asked;
};

static __u64 live[RECORDS];
static __u64 live_sizes[RECORDS];
static unsigned int nr_live;

static bool take_live(const struct quarry_event_record *e)
{
	unsigned int i;

	for (i = 0; i < nr_live; i++) {
		if (live[i] == e->ptr && live_sizes[i] == e->size) {
			live[i] = live[--nr_live];
			live_sizes[i] = live_sizes[nr_live];
			return true;
		}
	}
	return false;
}

static void look(struct ring *r, struct seen *s)
{
	const struct quarry_event_record *e;
	__u64 after = 0;

	for (; (e = ring_first(r)); ring_next(r)) {
		if (!is_sound(e, r->tail, after))
			s->unsound++;
		after = e->time_ns;
		if (e->type == QUARRY_DEV_EVENT_ALLOC) {
			s->allocs++;
			s->asked += e->asked;
			live[nr_live] = e->ptr;
			live_sizes[nr_live++] = e->size;
			s->strange += e->age_ns != 0;
		} else if (e->type == QUARRY_DEV_EVENT_FREE) {
			s->frees++;
			s->strange += !e->age_ns || !take_live(e);
		} else {
			s->strange++;
		}
	}
}

void part_events(void)
{
	struct seen s = {};
	struct ring r, allocs;

	set_rate(1);
	ring_open(&r, RECORDS, QUARRY_DEV_RING_FREES);
	ring_open(&allocs, RECORDS, 0);
	hold_objects();
	look(&r, &s);
	check_equal(s.allocs, held_objects, "allocations");
	check_equal(s.asked, client_result("bytes"), "bytes that were asked for");
	check_equal(s.frees, 0, "frees");
	release_objects();
	look(&r, &s);
	check_equal(s.frees, held_objects, "frees after the release");
	check_equal(nr_live, 0, "objects that were not freed");
	check_equal(s.unsound, 0, "records that are not sound");
	check_equal(s.strange, 0, "frees of what was not allocated, and the like");
	check_equal(overruns(&r), 0, "overruns");
	s = (struct seen){};
	look(&allocs, &s);
	check_equal(s.allocs, held_objects, "allocations in a ring without frees");
	check_equal(s.frees, 0, "frees in it");
	nr_live = 0;
	set_rate(0);
	hold_objects();
	release_objects();
	check_equal(ring_head(&r), 2 * held_objects, "events at a rate of 0 are none");
	ring_close(&r);
	ring_close(&allocs);
}

/* --- Overruns --- */

struct lost {
	__u64 seen, gaps, expected;
};

/* Read up to @max records.  Gaps in their sequence numbers are events that were lost. */
static void count(struct ring *r, unsigned long max, struct lost *l)
{
	const struct quarry_event_record *e;

	for (; max-- && (e = ring_first(r)); ring_next(r)) {
		l->gaps += e->seq - l->expected;
		l->expected = e->seq + 1;
		l->seen++;
	}
}

void part_overruns(void)
{
	unsigned int i, records;
	struct ring r;
	__u64 happened;

	set_rate(1);
	for (records = 1; records <= 1024; records *= 32) {
		struct lost l = {};

		ring_open(&r, records, QUARRY_DEV_RING_FREES);
		for (i = 0, happened = 0; i < 5; i++) {
			hold_objects();
			release_objects();
			happened += 2 * held_objects;
			/* Leave some unread, so that the ring fills up at changing positions. */
			count(&r, random_below(records), &l);
		}
		count(&r, ULONG_MAX, &l);
		check_equal(l.seen + overruns(&r), happened, "%u records: seen and overruns",
			    records);
		check(l.gaps <= overruns(&r) && overruns(&r) - l.gaps == happened - l.expected,
		      "%u records: the records' own numbers say so too", records);
		check(l.seen >= records, "%u records: %llu were seen", records, l.seen);
		ring_close(&r);
	}
}

/* --- Wild tails --- */

static bool stop;

static __u64 wild(struct ring *r)
{
	switch (random_below(6)) {
	case 0:
		return random_number();
	case 1:
		return ULLONG_MAX - random_below(3);
	case 2:
		return ring_head(r) - r->d.records - random_below(3) + 1;
	case 3:
		return ring_head(r) + random_below(3);
	case 4:
		return ring_head(r) + (1ULL << random_below(64));
	default:
		return ring_head(r);
	}
}

/* Write wild tails, and random numbers anywhere in the mapping, until it is stopped. */
static void *spoiler(void *arg)
{
	struct ring *r = arg;
	__u64 *word = (void *)r->control;

	while (!is_set(&stop)) {
		ring_set_tail(r, wild(r));
		__atomic_store_n(&word[random_below(r->d.size / 8)], random_number(),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

void part_tails(void)
{
	struct ring r, other;
	__u64 happened = 0, first;
	double end = now() + seconds;
	pthread_t thread;
	struct seen s = {};

	set_rate(1);
	ring_open(&r, 64, QUARRY_DEV_RING_FREES);
	first = 1ULL << 63;
	ring_set_tail(&r, first);
	hold_objects();
	check_equal(ring_head(&r), 0, "with a tail beyond the head nothing is written");
	check_equal(overruns(&r), held_objects, "and all is counted");
	ring_set_tail(&r, 0);
	release_objects();
	check_equal(ring_head(&r), 64, "with the right one the ring is filled");
	check_equal(overruns(&r), 2 * held_objects - 64, "and the rest is counted");
	ring_set_tail(&r, -1ULL);
	hold_objects();
	release_objects();
	check_equal(ring_head(&r), 64, "a tail far behind the head looks full");

	ring_open(&other, RECORDS, QUARRY_DEV_RING_FREES);
	set(&stop, false);
	pthread_create(&thread, NULL, spoiler, &r);
	for (; now() < end; happened += 2 * held_objects) {
		hold_objects();
		release_objects();
		look(&other, &s);
	}
	set(&stop, true);
	pthread_join(thread, NULL);
	check_equal(s.allocs + s.frees, happened, "events that another reader sees meanwhile");
	check_equal(s.unsound + s.strange, 0, "of these, those that are wrong");

	/* The kernel counts overruns beside the page: the next one puts its count there again. */
	memset(r.control, 0xff, r.d.size);
	ring_set_tail(&r, r.tail = 0);
	hold_objects();
	release_objects();
	check(overruns(&r) < ULLONG_MAX, "overruns are counted beside the page");
	first = 6 * held_objects + happened;
	check(overruns(&r) <= first, "%llu of %llu events were overruns", overruns(&r), first);
	ring_close(&r);
	ring_close(&other);
}

/* --- Waiting --- */

static void *produce(void *arg)
{
	sleep_ms(*(unsigned int *)arg);
	hold_objects();
	return NULL;
}

static int poll_once(int fd, int ms, short *revents)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDNORM | POLLPRI };
	int n = poll(&p, 1, ms);

	*revents = p.revents;
	return n;
}

void part_poll(void)
{
	unsigned int delay = 200, woken = 0, i;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct quarry_dev_snapshot snap;
	struct quarry_dev_ring d;
	short revents;
	pthread_t thread;
	struct ring r;
	double end;
	int fd, ep;

	set_rate(1);
	fd = open_device(O_RDWR);
	snapshot(fd, 0, 0, QUARRY_DEV_CACHE_ALL, 0, &snap);
	check(!poll_once(fd, 50, &revents), "poll without a ring says nothing, result or not");
	make_ring(fd, 1, 0, &d);
	hold_objects();
	check(poll_once(fd, 0, &revents) == 1 && revents == (POLLIN | POLLRDNORM),
	      "poll of a ring that is not mapped");
	close(fd);
	release_objects();

	ring_open(&r, RECORDS, 0);
	check(!poll_once(r.fd, 0, &revents), "an empty ring");
	for (i = 0; i < 5; i++) {
		pthread_create(&thread, NULL, produce, &delay);
		end = now() + TIMEOUT_MS / 2000.0;
		woken += poll_once(r.fd, TIMEOUT_MS, &revents) == 1 && now() < end;
		pthread_join(thread, NULL);
		r.tail = ring_head(&r);
		ring_set_tail(&r, r.tail);
		check(!poll_once(r.fd, 0, &revents), "it is empty when all is read");
		release_objects();
	}
	check_equal(woken, i, "waiters that were woken up");
	ring_set_tail(&r, r.tail - 1);
	check(poll_once(r.fd, 0, &revents) == 1, "it is not when a record is left");
	ring_set_tail(&r, r.tail + 1);
	check(poll_once(r.fd, 0, &revents) == 1, "nor when the tail is wrong");
	ring_set_tail(&r, r.tail);

	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, r.fd, &event);
	pthread_create(&thread, NULL, produce, &delay);
	check(epoll_wait(ep, &event, 1, TIMEOUT_MS) == 1 && event.events == EPOLLIN, "epoll");
	pthread_join(thread, NULL);
	ring_close(&r);
	check_equal(epoll_wait(ep, &event, 1, 0), 0, "epoll forgets a file that is closed");
	close(ep);
	release_objects();
}

void part_fork(void)
{
	struct ring r;
	int status = -1;
	pid_t pid;

	set_rate(1);
	ring_open(&r, RECORDS, QUARRY_DEV_RING_FREES);
	pid = fork();
	if (!pid) {
		hold_objects();
		r.tail = ring_head(&r);
		ring_set_tail(&r, r.tail);
		_exit(r.tail != held_objects);
	}
	check(waitpid(pid, &status, 0) == pid && !status, "a child reads its parent's ring");
	check_equal(r.control->tail, held_objects, "its tail");
	check_equal(r.record[0].pid, pid, "the events are the child's");
	release_objects();
	check_equal(ring_head(&r), 2 * held_objects, "the ring goes on when the child has ended");
	pid = fork();
	if (!pid) {
		sleep_ms(300);
		_exit(ring_head(&r) != 4 * held_objects - overruns(&r));
	}
	ring_close(&r);
	hold_objects();
	release_objects();
	check(waitpid(pid, &status, 0) == pid && !status,
	      "and for the child when the parent has closed it");
}
