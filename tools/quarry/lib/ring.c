// SPDX-License-Identifier: GPL-2.0
#include "lib/ring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/clamp.h"
#include "lib/debugfs.h"
#include "lib/human.h"
#include "lib/problem.h"
#include "lib/table.h"

#define LOCK "lock"
#define NEW  "new"
#define OLD  "old"

/* A block of the disk: what a small file and a folder take. */
#define BLOCK 4096

/* --- Files --- */

/* Write all of a file and wait until it is on the disk.  0 or -1. */
static int write_file(int dir, const char *name, const void *data, size_t size, int64_t *bytes)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), error;
	size_t done = 0;
	ssize_t n = 0;
	struct stat st;

	if (fd < 0)
		return -1;
	while (done < size) {
		n = write(fd, (const char *)data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	if (n < 0 || fsync(fd) || fstat(fd, &st)) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	*bytes += st.st_blocks * 512LL;
	return close(fd);
}

/* Replace a file of the recording as a whole. */
static int replace_file(struct q_ring *ring, const char *name, const char *data, size_t size)
{
	int64_t bytes = 0;
	char temporary[64];

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	if (write_file(ring->dir, temporary, data, size, &bytes) ||
	    renameat(ring->dir, temporary, ring->dir, name)) {
		int error = errno;

		unlinkat(ring->dir, temporary, 0);
		errno = error;
		return -1;
	}
	return fsync(ring->dir);
}

/* Remove a folder and its files, if it is there. */
static void remove_folder(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(fd, e->d_name, 0);
	closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

/* --- The index --- */

/* Write the index anew, without lines of moments that are gone. */
static int write_index(struct q_ring *ring)
{
	size_t size = strlen(q_index_head);
	char *text = q_realloc(NULL, size + ring->r.nr * (size_t)Q_INDEX_LINE + 1);
	int err;

	memcpy(text, q_index_head, size);
	ring->r.index_lines = 0;
	for (unsigned int i = 0; i < ring->r.nr; i++) {
		if (ring->r.moment[i].damaged)
			continue;
		size += (size_t)q_index_line(text + size, &ring->r.moment[i]);
		ring->r.index_lines++;
	}
	err = replace_file(ring, Q_RECORDING_INDEX, text, size);
	free(text);
	return err;
}

/*
 * Add a line.  It need not reach the disk: a line that is missing or torn is made again from the
 * moment.  Old lines are left until there are more of them than of good ones.
 */
static void add_to_index(struct q_ring *ring, const struct q_moment *m)
{
	char line[Q_INDEX_LINE];
	int len = q_index_line(line, m), fd;

	if (ring->r.index_lines > 2 * ring->r.nr + 64) {
		write_index(ring);
		return;
	}
	fd = openat(ring->dir, Q_RECORDING_INDEX, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, line, (size_t)len) == len)
		ring->r.index_lines++;
	close(fd);
}

/* What the index takes, also while it is written anew beside the old one. */
static int64_t index_bytes(const struct q_ring *ring)
{
	struct stat st;

	return fstatat(ring->dir, Q_RECORDING_INDEX, &st, 0) ? 0 :
							       2 * (st.st_blocks * 512LL + BLOCK);
}

/* --- Opening --- */

static int take_lock(struct q_ring *ring, const char *dir)
{
	char pid[24] = "";
	ssize_t n;

	ring->lock = openat(ring->dir, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ring->lock < 0)
		return q_problem(Q_FAILED, "%s/" LOCK ": %s", dir, strerror(errno));
	if (flock(ring->lock, LOCK_EX | LOCK_NB)) {
		n = pread(ring->lock, pid, sizeof(pid) - 1, 0);
		return q_problem(Q_FAILED,
				 "another recorder%s%.*s writes into %s; end it, or choose another "
				 "folder",
				 n > 0 ? ", process " : "", n > 0 ? (int)strcspn(pid, "\n") : 0,
				 pid, dir);
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(ring->lock, 0) || pwrite(ring->lock, pid, (size_t)n, 0) != n)
		return q_problem(Q_FAILED, "%s/" LOCK ": %s", dir, strerror(errno));
	return Q_OK;
}

/* Is there a file that no recorder made?  Then the folder is somebody else's. */
static bool is_foreign(const char *dir)
{
	bool foreign = false;
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		return true;
	while (!foreign && (e = readdir(d)))
		foreign = strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
			  strcmp(e->d_name, LOCK) && strcmp(e->d_name, Q_RECORDING_MARK ".new");
	closedir(d);
	return foreign;
}

static int make_mark(struct q_ring *ring, const char *dir)
{
	char mark[32];

	if (!faccessat(ring->dir, Q_RECORDING_MARK, F_OK, 0))
		return Q_OK;
	if (is_foreign(dir))
		return q_problem(Q_FAILED,
				 "%s has other files and is no recording; choose another folder",
				 dir);
	snprintf(mark, sizeof(mark), "version %d\n", Q_RECORDING_VERSION);
	if (replace_file(ring, Q_RECORDING_MARK, mark, strlen(mark)))
		return q_problem(Q_FAILED, "%s/" Q_RECORDING_MARK ": %s", dir, strerror(errno));
	return Q_OK;
}

int q_ring_open(struct q_ring *ring, const char *dir, int64_t max_bytes, int64_t max_age_ns)
{
	int status;

	*ring = (struct q_ring){ .max_bytes = max_bytes, .max_age_ns = max_age_ns, .lock = -1 };
	/* What a profile shows is for root. */
	if (mkdir(dir, 0700) && errno != EEXIST)
		return q_problem(Q_FAILED, "%s: %s", dir, strerror(errno));
	ring->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ring->dir < 0)
		return q_problem(Q_FAILED, "%s: %s", dir, strerror(errno));
	if (is_foreign(dir) && faccessat(ring->dir, Q_RECORDING_MARK, F_OK, 0))
		status = make_mark(ring, dir);
	else
		status = take_lock(ring, dir) ?: make_mark(ring, dir);
	if (!status) {
		remove_folder(ring->dir, NEW);
		remove_folder(ring->dir, OLD);
		status = q_recording_read(&ring->r, dir);
	}
	if (status) {
		q_ring_close(ring);
		return status;
	}
	for (unsigned int i = 0; i < ring->r.nr; i++)
		ring->bytes = q_add(ring->bytes, ring->r.moment[i].bytes);
	ring->next = ring->r.nr ? ring->r.moment[ring->r.nr - 1].number + 1 : 1;
	/* A torn line would spoil the one that is added to it. */
	if (write_index(ring)) {
		status = q_problem(Q_FAILED, "%s/" Q_RECORDING_INDEX ": %s", dir, strerror(errno));
		q_ring_close(ring);
	}
	return status;
}

void q_ring_close(struct q_ring *ring)
{
	if (ring->lock >= 0)
		close(ring->lock);
	if (ring->dir >= 0)
		close(ring->dir);
	q_recording_free(&ring->r);
	ring->lock = ring->dir = -1;
}

/* --- Moments come and go --- */

static int drop_oldest(struct q_ring *ring)
{
	char name[24];

	snprintf(name, sizeof(name), "%08" PRIu64, ring->r.moment[0].number);
	if (renameat(ring->dir, name, ring->dir, OLD) && errno != ENOENT)
		return q_problem(Q_FAILED, "removing the moment %s: %s", name, strerror(errno));
	remove_folder(ring->dir, OLD);
	ring->bytes = q_sub(ring->bytes, ring->r.moment[0].bytes);
	ring->r.damaged -= ring->r.moment[0].damaged;
	memmove(ring->r.moment, ring->r.moment + 1, --ring->r.nr * sizeof(*ring->r.moment));
	return Q_OK;
}

/* Drop what is too old at @now, and as much more as @need bytes need. */
static int make_room(struct q_ring *ring, int64_t now, int64_t need)
{
	int64_t room = ring->max_bytes - index_bytes(ring) - need;
	char have[Q_HUMAN_LEN], wanted[Q_HUMAN_LEN];
	int status = Q_OK;

	if (room < 0)
		return q_problem(Q_USAGE, "a moment takes %s, and --max-bytes is %s",
				 q_human(wanted, Q_BYTES, need + index_bytes(ring)),
				 q_human(have, Q_BYTES, ring->max_bytes));
	while (!status && ring->r.nr &&
	       (ring->bytes > room ||
		(ring->max_age_ns && ring->r.moment[0].time_ns < q_sub(now, ring->max_age_ns))))
		status = drop_oldest(ring);
	return status;
}

/* Write the files of a moment into the folder NEW.  0 or -1. */
static int write_new(struct q_ring *ring, struct q_moment *m, const struct q_ring_file *file,
		     unsigned int nr)
{
	int dir, err = 0;
	struct stat st;

	if (mkdirat(ring->dir, NEW, 0700))
		return -1;
	dir = openat(ring->dir, NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	for (unsigned int i = 0; !err && i < nr; i++)
		err = write_file(dir, file[i].name, file[i].data, file[i].size, &m->bytes);
	if (!err)
		err = fsync(dir) ?: fstat(dir, &st);
	if (!err)
		m->bytes += st.st_blocks * 512LL;
	nr = (unsigned int)errno;
	close(dir);
	errno = (int)nr;
	return err;
}

int q_ring_add(struct q_ring *ring, struct q_moment *m, const struct q_ring_file *file,
	       unsigned int nr)
{
	int64_t need = BLOCK;
	char name[24];
	int status, error;

	for (unsigned int i = 0; i < nr; i++)
		need += (int64_t)(file[i].size + BLOCK - 1) / BLOCK * BLOCK;
	status = make_room(ring, m->time_ns, need);
	if (status)
		return status;
	m->number = ring->next;
	m->bytes = 0;
	snprintf(name, sizeof(name), "%08" PRIu64, m->number);
	if (write_new(ring, m, file, nr) || renameat(ring->dir, NEW, ring->dir, name) ||
	    fsync(ring->dir)) {
		error = errno;
		remove_folder(ring->dir, NEW);
		return q_problem(Q_FAILED,
				 "writing into %s: %s; the %u moments that are there are whole. "
				 "Make room, or give a smaller --max-bytes",
				 ring->r.dir, strerror(error), ring->r.nr);
	}
	ring->next++;
	ring->bytes = q_add(ring->bytes, m->bytes);
	ring->r.moment = q_realloc(ring->r.moment, (ring->r.nr + 1) * sizeof(*m));
	ring->r.moment[ring->r.nr++] = *m;
	add_to_index(ring, m);
	return Q_OK;
}
