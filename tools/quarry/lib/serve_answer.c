// SPDX-License-Identifier: GPL-2.0
#include "lib/serve_answer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include "lib/device.h"

#define PIECE	    65536
#define TEXT_MAX    ((size_t)16 << 20) /* of a file in debugfs */
#define GZIP_WINDOW (15 + 16)	       /* zlib: the largest window, with gzip's header */

/* --- Memory --- */

static atomic_size_t held;

size_t q_held(void)
{
	return atomic_load(&held);
}

bool q_held_add(size_t bytes)
{
	size_t now = atomic_load(&held);

	do {
		if (bytes > Q_ANSWERS_MAX || now > Q_ANSWERS_MAX - bytes)
			return false;
	} while (!atomic_compare_exchange_weak(&held, &now, now + bytes));
	return true;
}

void q_held_drop(size_t bytes)
{
	atomic_fetch_sub(&held, bytes);
}

void q_answer_free(struct q_answer *a)
{
	free(a->data);
	q_held_drop(a->size);
	*a = (struct q_answer){ 0 };
}

/* --- Sentences --- */

void q_answer_text(struct q_answer *a, int status, const char *text)
{
	*a = (struct q_answer){ .status = status, .type = "text/plain; charset=utf-8" };
	if (status == 503)
		a->retry = 1;
	a->data = malloc(strlen(text) + 2);
	if (!a->data)
		return;
	a->size = (size_t)sprintf(a->data, "%s\n", text);
	/* A sentence is always given; it is only counted. */
	atomic_fetch_add(&held, a->size);
}

void q_answer_refuse(struct q_answer *a, int error)
{
	switch (-error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		q_answer_text(a, 503,
			      "The module is not loaded (\"modprobe quarry\"), or debugfs is not "
			      "mounted.");
		break;
	case EACCES:
	case EPERM:
		q_answer_text(a, 403,
			      "Not permitted: the server has not the rights, or the kernel is "
			      "locked down.");
		break;
	case ENOTTY:
		q_answer_text(a, 503,
			      "This server is for another version of the module; install both "
			      "from one version.");
		break;
	case ENOMEM:
		q_answer_text(a, 503, "There is not enough memory.");
		break;
	case EPIPE:
		q_answer_text(a, 503, "The server ends.");
		break;
	default:
		q_answer_text(a, 500, strerror(-error));
	}
}

/* --- Profiles --- */

/* Read the @size bytes of a result into @a, and compress them if @a->gzip. */
static int copy(struct q_answer *a, int device, size_t size)
{
	size_t room = a->gzip ? PIECE : size + 1, used = 0;
	z_stream z = { 0 };
	char piece[PIECE];
	int err = Z_OK;

	/* Speed matters more than the last tenth of the size, as for Go's own profiles. */
	if (a->gzip &&
	    deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	a->data = malloc(room);
	while (a->data && used < size) {
		ssize_t n = pread(device, a->gzip ? piece : a->data + used,
				  a->gzip && size - used > PIECE ? PIECE : size - used,
				  (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n ? -errno : -EIO;
			break;
		}
		used += (size_t)n;
		if (!a->gzip)
			continue;
		z.next_in = (unsigned char *)piece;
		z.avail_in = (unsigned int)n;
		do {
			if (room - z.total_out < PIECE / 2) {
				char *more = realloc(a->data, 2 * room);

				if (!more) {
					err = -ENOMEM;
					break;
				}
				a->data = more;
				room *= 2;
			}
			z.next_out = (unsigned char *)a->data + z.total_out;
			z.avail_out = (unsigned int)(room - z.total_out);
			err = deflate(&z, used == size ? Z_FINISH : Z_NO_FLUSH);
		} while (err == Z_OK && (z.avail_in || used == size));
		if (err == Z_STREAM_END || err == Z_BUF_ERROR)
			err = Z_OK;
		if (err)
			break;
	}
	a->size = a->gzip ? z.total_out : used;
	if (a->gzip)
		deflateEnd(&z);
	return a->data ? err : -ENOMEM;
}

/* Make an answer of the last ioctl's result. */
static void result(struct q_answer *a, int device, size_t size, const struct q_request *r)
{
	size_t reserved = size + PIECE;
	int err;

	if (!q_held_add(reserved)) {
		q_answer_text(a, 503, "Clients have not read too many answers yet.");
		a->retry = 5;
		return;
	}
	a->status = 200;
	a->gzip = !r->text && !r->plain;
	a->type = r->text ? "text/plain; charset=utf-8" : "application/octet-stream";
	err = copy(a, device, size);
	if (!err) {
		char *less = realloc(a->data, a->size + 1);

		a->data = less ?: a->data;
		if (a->size > reserved)
			err = -EFBIG;
		else
			q_held_drop(reserved - a->size);
	}
	if (err) {
		free(a->data);
		q_held_drop(reserved);
		q_answer_refuse(a, err);
	}
}

/* A domain that is off has no profile, which a person must not take for "no memory in use". */
static bool is_on(struct q_answer *a, int device, unsigned int number)
{
	struct quarry_dev_domain domain = { .domain = number };
	char text[128];

	if (!number)
		return true;
	if (ioctl(device, QUARRY_IOC_DOMAIN, &domain)) {
		q_answer_refuse(a, -errno);
		return false;
	}
	if (domain.enabled)
		return true;
	snprintf(text, sizeof(text),
		 "The domain %s is off; switch it on with \"quarry kernel on %s\".",
		 q_domain_name[number], q_domain_name[number]);
	q_answer_text(a, 409, text);
	return false;
}

/* Draining takes memory from every CPU that is at work, so nobody may do it all the time. */
static int drain(struct q_opener *o)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static time_t last;
	struct timespec now;
	bool early;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	early = last && now.tv_sec <= last;
	if (!early)
		last = now.tv_sec;
	pthread_mutex_unlock(&lock);
	return early ? -EAGAIN : q_opener_ask(o, Q_FILE_DRAIN);
}

bool q_answer_mark(struct q_answer *a, struct q_opener *o, const struct q_request *r, int *device)
{
	struct quarry_dev_action mark = { .domain = r->domain };

	*device = q_opener_ask(o, Q_FILE_DEVICE);
	if (*device < 0) {
		q_answer_refuse(a, *device);
		*device = -1;
		return false;
	}
	if (!is_on(a, *device, r->domain)) {
		close(*device);
		*device = -1;
		return false;
	}
	if (ioctl(*device, QUARRY_IOC_MARK, &mark)) {
		q_answer_refuse(a, -errno);
		close(*device);
		*device = -1;
		return false;
	}
	return true;
}

void q_answer_profile(struct q_answer *a, struct q_opener *o, const struct q_request *r,
		      int *device)
{
	struct quarry_dev_snapshot snap = {
		.kind = r->kind,
		.format = r->text ? QUARRY_DEV_FORMAT_TEXT : QUARRY_DEV_FORMAT_PPROF,
		.cache = QUARRY_DEV_CACHE_ALL,
		.domain = r->domain,
	};
	bool delta = *device >= 0;
	int err;

	*a = (struct q_answer){ 0 };
	if (!delta)
		*device = q_opener_ask(o, Q_FILE_DEVICE);
	if (*device < 0) {
		q_answer_refuse(a, *device);
		return;
	}
	err = r->drain ? drain(o) : 0;
	if (err == -EAGAIN)
		q_answer_text(a, 503, "gc=1 can be had once a second.");
	else if (err)
		q_answer_refuse(a, err);
	else if (!is_on(a, *device, r->domain))
		;
	else if (ioctl(*device, delta ? QUARRY_IOC_DELTA : QUARRY_IOC_SNAPSHOT, &snap))
		q_answer_refuse(a, -errno);
	else
		result(a, *device, snap.size, r);
	/* The result is the kernel's memory until then. */
	close(*device);
	*device = -1;
}

/* --- Metrics --- */

char *q_answer_read(struct q_opener *o, enum q_file file, int *err)
{
	size_t room = PIECE, used = 0;
	char *text = NULL, *more;
	int fd = q_opener_ask(o, file);
	ssize_t n = 1;

	*err = fd < 0 ? fd : 0;
	while (!*err && n) {
		if (!text || room - used < PIECE / 2) {
			room = text ? 2 * room : room;
			more = room > TEXT_MAX ? NULL : realloc(text, room);
			if (!more) {
				*err = -ENOMEM;
				break;
			}
			text = more;
		}
		n = read(fd, text + used, room - used - 1);
		if (n < 0 && errno != EINTR)
			*err = -errno;
		if (n > 0)
			used += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (*err) {
		free(text);
		return NULL;
	}
	text[used] = '\0';
	return text;
}

void q_answer_metrics(struct q_answer *a, struct q_opener *o, const struct q_request *r,
		      const struct q_serve_numbers *numbers)
{
	struct q_metrics m = { .serve = *numbers, .openmetrics = r->openmetrics };
	char *text;
	int err;

	*a = (struct q_answer){ 0 };
	text = q_answer_read(o, Q_FILE_STATS, &err);
	if (text)
		q_values_parse(&m.stats, text);
	text = err ? NULL : q_answer_read(o, Q_FILE_CACHES, &err);
	if (text)
		q_lines_parse(&m.caches, text);
	for (unsigned int i = 1; !err && i < QUARRY_DEV_DOMAINS; i++) {
		text = q_answer_read(o, Q_FILE_DOMAIN + i, &err);
		if (text)
			q_values_parse(&m.domain[i], text);
		/* An older module has fewer domains. */
		if (err == -ENOENT)
			err = 0;
	}
	if (!err) {
		a->data = q_metrics_render(&m, &a->size);
		a->status = 200;
		a->type = q_metrics_type(r->openmetrics);
		if (!a->data)
			err = -ENOMEM;
		else if (!q_held_add(a->size))
			err = -EBUSY;
	}
	q_values_free(&m.stats);
	q_lines_free(&m.caches);
	for (unsigned int i = 0; i < QUARRY_DEV_DOMAINS; i++)
		q_values_free(&m.domain[i]);
	if (!err)
		return;
	free(a->data);
	if (err == -EBUSY)
		q_answer_text(a, 503, "Clients have not read too many answers yet.");
	else
		q_answer_refuse(a, err);
}
