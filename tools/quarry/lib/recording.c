// SPDX-License-Identifier: GPL-2.0
#include "lib/recording.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "lib/clamp.h"
#include "lib/debugfs.h"
#include "lib/pprof.h"
#include "lib/problem.h"
#include "lib/table.h"

/* A module that was loaded at the same time is the same one.  Both clocks are read one by one. */
#define SAME_NS 1000000000LL

const char q_index_head[] = "#number time_ns started_ns boot bytes quarry slab pages percpu "
			    "vmalloc check\n";

const char *q_moment_path(const char *dir, uint64_t number, const char *file)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%08" PRIu64 "/%s", dir, number, file);
	return path;
}

const char *q_profile_file(unsigned int domain)
{
	static char name[64];

	if (!domain)
		return "profile.heap.pb.gz";
	snprintf(name, sizeof(name), "kernel.%s.heap.pb.gz", q_domain_name[domain]);
	return name;
}

const char *q_stats_file(unsigned int domain)
{
	static char name[64];

	if (!domain)
		return "stats";
	snprintf(name, sizeof(name), "kernel.%s.stats", q_domain_name[domain]);
	return name;
}

bool q_moment_is_anew(const struct q_moment *m, const struct q_moment *before)
{
	return m->boot != before->boot || m->started_ns > q_add(before->started_ns, SAME_NS) ||
	       m->started_ns < q_sub(before->started_ns, SAME_NS);
}

const char *q_moment_profile(struct q_pprof *p, const char *dir, uint64_t number,
			     unsigned int domain)
{
	const char *path = q_moment_path(dir, number, q_profile_file(domain)), *why;
	size_t size;
	char *data;

	*p = (struct q_pprof){ 0 };
	data = q_try_file(path, &size);
	if (!data)
		return strerror(errno);
	why = q_pprof_parse(p, data, size);
	free(data);
	if (!why)
		q_pprof_join(p, false);
	return why;
}

/* --- The index --- */

int q_index_line(char *buf, const struct q_moment *m)
{
	int n = snprintf(buf, Q_INDEX_LINE, "%08" PRIu64 " %" PRId64 " %" PRId64 " %08x %" PRId64,
			 m->number, m->time_ns, m->started_ns, m->boot, m->bytes);

	for (unsigned int i = 0; i < QUARRY_DEV_DOMAINS; i++)
		n += snprintf(buf + n, Q_INDEX_LINE - n, " %" PRId64, m->live[i]);
	return n + snprintf(buf + n, Q_INDEX_LINE - n, " %08lx\n",
			    crc32(0, (const unsigned char *)buf, (unsigned int)n));
}

/* A line that was not written to its end, or that was changed, has the wrong check. */
static bool parse_line(const char *line, struct q_moment *m)
{
	const char *end = strrchr(line, ' ');
	unsigned int check;

	*m = (struct q_moment){ 0 };
	if (!end || sscanf(end, " %8x", &check) != 1 || strlen(end) != 9 ||
	    crc32(0, (const unsigned char *)line, (unsigned int)(end - line)) != check)
		return false;
	return sscanf(line,
		      "%" SCNu64 " %" SCNd64 " %" SCNd64 " %x %" SCNd64 " %" SCNd64 " %" SCNd64
		      " %" SCNd64 " %" SCNd64 " %" SCNd64,
		      &m->number, &m->time_ns, &m->started_ns, &m->boot, &m->bytes, &m->live[0],
		      &m->live[1], &m->live[2], &m->live[3], &m->live[4]) == 10;
}

static int by_number(const void *a, const void *b)
{
	const struct q_moment *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The moments of the index, sorted.  There may be none. */
static struct q_moment *read_index(struct q_recording *r, unsigned int *nr)
{
	struct q_moment *m = NULL, one;
	char path[4096], *text, *line, *save;
	unsigned int room = 0;

	*nr = 0;
	snprintf(path, sizeof(path), "%s/%s", r->dir, Q_RECORDING_INDEX);
	text = q_try_file(path, NULL);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		r->index_lines++;
		if (!parse_line(line, &one))
			continue;
		if (*nr == room) {
			room = room ? 2 * room : 64;
			m = q_realloc(m, room * sizeof(*m));
		}
		m[(*nr)++] = one;
	}
	free(text);
	if (*nr)
		qsort(m, *nr, sizeof(*m), by_number);
	return m;
}

/* --- Moments --- */

/* What the files of a moment's folder take on the disk. */
static int64_t bytes_of(const char *path)
{
	int64_t bytes = 0;
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(path);

	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, "..") &&
		    !fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			bytes += st.st_blocks * 512LL;
	closedir(d);
	return bytes;
}

static bool read_values(struct q_values *v, const char *path)
{
	char *text = q_try_file(path, NULL);

	*v = (struct q_values){ 0 };
	if (text)
		q_values_parse(v, text);
	return text;
}

/* Fill @m from the files of the moment. */
static void read_moment(const struct q_recording *r, uint64_t number, struct q_moment *m)
{
	struct q_values when, v;

	*m = (struct q_moment){ .number = number, .damaged = true };
	m->bytes = bytes_of(q_moment_path(r->dir, number, ""));
	read_values(&when, q_moment_path(r->dir, number, "moment"));
	read_values(&v, q_moment_path(r->dir, number, "stats"));
	if (q_value(&when, "time_ns") > 0 && q_value(&v, "uptime_ns") > 0) {
		m->damaged = false;
		m->time_ns = q_value(&when, "time_ns");
		m->started_ns = q_sub(q_value(&when, "monotonic_ns"), q_value(&v, "uptime_ns"));
		m->boot = (uint32_t)strtoul(q_value_text(&when, "boot"), NULL, 16);
		m->live[0] = q_value(&v, "live_bytes");
	}
	q_values_free(&when);
	q_values_free(&v);
	for (unsigned int i = 1; i < QUARRY_DEV_DOMAINS; i++) {
		m->live[i] = -1;
		if (read_values(&v, q_moment_path(r->dir, number, q_stats_file(i))))
			m->live[i] = q_value(&v, "sampled_live_bytes");
		q_values_free(&v);
	}
}

/* The number that the name of a moment's folder is, or 0. */
static uint64_t number_of(const char *name)
{
	size_t len = strlen(name);

	return len >= 8 && len <= 18 && strspn(name, "0123456789") == len ?
		       strtoull(name, NULL, 10) :
		       0;
}

static int is_moment(const struct dirent *e)
{
	return number_of(e->d_name) != 0;
}

static int by_folder(const struct dirent **a, const struct dirent **b)
{
	uint64_t x = number_of((*a)->d_name), y = number_of((*b)->d_name);

	return x < y ? -1 : x > y;
}

static int check_mark(const char *dir)
{
	struct q_values v;
	char path[4096];
	int64_t version;

	snprintf(path, sizeof(path), "%s/%s", dir, Q_RECORDING_MARK);
	if (!read_values(&v, path)) {
		if (access(dir, F_OK) || errno == EACCES)
			return q_problem(errno == EACCES ? Q_NO_PERMISSION : Q_FAILED, "%s: %s",
					 dir, strerror(errno));
		return q_problem(Q_FAILED, "%s is no recording; \"quarry record -o DIR\" makes one",
				 dir);
	}
	version = q_value(&v, "version");
	q_values_free(&v);
	if (version != Q_RECORDING_VERSION)
		return q_problem(Q_OTHER_ABI,
				 "the recording %s has version %" PRId64 ", this program reads %d",
				 dir, version, Q_RECORDING_VERSION);
	return Q_OK;
}

int q_recording_read(struct q_recording *r, const char *dir)
{
	struct q_moment *index, *known;
	struct dirent **entry;
	unsigned int indexed;
	int status, n;

	*r = (struct q_recording){ .dir = dir };
	status = check_mark(dir);
	if (status)
		return status;
	n = scandir(dir, &entry, is_moment, by_folder);
	if (n < 0)
		return q_problem(Q_FAILED, "%s: %s", dir, strerror(errno));
	index = read_index(r, &indexed);
	r->moment = q_alloc((n + 1) * sizeof(*r->moment));
	for (int i = 0; i < n; i++) {
		struct q_moment key = { .number = number_of(entry[i]->d_name) };

		known = indexed ? bsearch(&key, index, indexed, sizeof(key), by_number) : NULL;
		r->from_index += known != NULL;
		if (known)
			r->moment[r->nr] = *known;
		else
			read_moment(r, key.number, &r->moment[r->nr]);
		r->damaged += r->moment[r->nr++].damaged;
		free(entry[i]);
	}
	free(entry);
	free(index);
	return Q_OK;
}

void q_recording_free(struct q_recording *r)
{
	free(r->moment);
	*r = (struct q_recording){ 0 };
}
