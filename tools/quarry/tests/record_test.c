// SPDX-License-Identifier: GPL-2.0
/* Recordings: lib/ring.c, lib/recording.c and lib/replay.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/debugfs.h"
#include "lib/options.h"
#include "lib/problem.h"
#include "lib/ring.h"
#include "lib/table.h"
#include "tap.h"

#define SECOND 1000000000LL
#define START  (1790000000 * SECOND)
#define MIB    (1 << 20)

static char top_dir[] = "/tmp/quarry-record-test-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256][128];
	static int next;
	char *to = path[next++ % 256];

	snprintf(to, sizeof(path[0]), "%s/%s", top_dir, name);
	return to;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		ok(false, path);
}

static int run(const char *fmt, const char *arg)
{
	char command[1024];

	snprintf(command, sizeof(command), fmt, arg);
	return system(command);
}

/* What the files below a folder take, by "du". */
static long disk_bytes(const char *dir)
{
	char command[600];
	long kib = -1;
	FILE *f;

	snprintf(command, sizeof(command), "du -sk %s", dir);
	f = popen(command, "r");
	if (!f || fscanf(f, "%ld", &kib) != 1)
		ok(false, "du");
	pclose(f);
	return kib * 1024;
}

/* Moment @n: a minute after the one before. */
static int add_moment(struct q_ring *ring, unsigned int n, size_t size)
{
	struct q_moment m = { .time_ns = START + n * 60 * SECOND,
			      .started_ns = 5 * SECOND,
			      .boot = 0x1a2b3c4d,
			      .live = { 1000 + n, -1, -1, -1, -1 } };
	char when[128], stats[128];
	struct q_ring_file file[3] = { { "moment", when, 0 },
				       { "stats", stats, 0 },
				       { "caches.table", q_alloc(size + 1), size } };
	int status;

	file[0].size = (size_t)sprintf(when, "time_ns %lld\nmonotonic_ns %lld\nboot 1a2b3c4d\n",
				       (long long)m.time_ns, (n * 60 + 65) * SECOND);
	file[1].size = (size_t)sprintf(stats, "uptime_ns %lld\nlive_bytes %u\n",
				       (n * 60 + 60) * SECOND, 1000 + n);
	status = q_ring_add(ring, &m, file, 3);
	free(file[2].data);
	return status;
}

static int make(const char *dir, unsigned int nr)
{
	struct q_ring ring;
	int status = q_ring_open(&ring, dir, 64 * MIB, 0);

	for (unsigned int i = 0; !status && i < nr; i++)
		status = add_moment(&ring, i, 5000);
	if (!status)
		q_ring_close(&ring);
	return status;
}

/* The moments are 1 to @nr, and have the values that add_moment() gave them. */
static void expect_all(const char *dir, unsigned int nr, int from_index, const char *text)
{
	struct q_recording r;
	bool good = !q_recording_read(&r, dir) && r.nr == nr && !r.damaged;

	for (unsigned int i = 0; good && i < nr; i++) {
		const struct q_moment *m = &r.moment[i];

		good = m->number == i + 1 && m->time_ns == START + i * 60 * SECOND &&
		       m->started_ns == 5 * SECOND && m->boot == 0x1a2b3c4d &&
		       m->live[0] == 1000 + i && m->live[1] == -1 && m->bytes > 5000;
	}
	ok(good, text);
	if (from_index >= 0)
		same(r.from_index, from_index, "moments that the index has");
	q_recording_free(&r);
}

/* --- The index --- */

static void test_index(void)
{
	const char *dir = path_of("index");
	char file[600], *text;
	size_t size;
	FILE *f;

	same(make(dir, 5), 0, "a recording of 5 moments");
	expect_all(dir, 5, 5, "all are there");
	snprintf(file, sizeof(file), "%s/index", dir);
	text = q_try_file(file, &size);
	unlink(file);
	expect_all(dir, 5, 0, "also without an index");

	same(truncate(file, 0) && errno == ENOENT, 1, "the reader does not write one");
	write_text(file, text);
	same(truncate(file, (off_t)size - 20), 0, "the last line is torn");
	expect_all(dir, 5, 4, "all are there with a torn index");

	/* The next recorder must not write behind the torn line. */
	same(make(dir, 0), 0, "it is opened to record");
	expect_all(dir, 5, 5, "the index is whole again");

	text[size / 2] ^= 1;
	write_text(file, text);
	expect_all(dir, 5, 4, "a line that was changed is not believed");
	f = fopen(file, "a");
	fputs("00000099 1 2 3 4 5 6 7 8 9 00000000\nnonsense\n\n  \n", f);
	fclose(f);
	expect_all(dir, 5, -1, "nor is nonsense, or a moment that is not there");
	free(text);
}

/* --- Crashes --- */

static void test_leftovers(void)
{
	const char *dir = path_of("left");
	char name[600];

	make(dir, 3);
	snprintf(name, sizeof(name), "%s/new", dir);
	mkdir(name, 0700);
	strcat(name, "/stats");
	write_text(name, "uptime");
	snprintf(name, sizeof(name), "%s/old", dir);
	mkdir(name, 0700);
	strcat(name, "/profile.heap.pb.gz");
	write_text(name, "");
	expect_all(dir, 3, 3, "halves of moments are not moments");
	same(make(dir, 0), 0, "it can be opened");
	snprintf(name, sizeof(name), "%s/new", dir);
	ok(access(name, F_OK), "new is gone");
	snprintf(name, sizeof(name), "%s/old", dir);
	ok(access(name, F_OK), "old is gone");
	expect_all(dir, 3, 3, "the moments are there");
}

static void test_damaged(void)
{
	const char *dir = path_of("damaged");
	struct q_recording r;
	struct q_ring ring;

	make(dir, 3);
	unlink(path_of("damaged/index"));
	write_text(path_of("damaged/00000002/stats"), "");
	same(q_recording_read(&r, dir), 0, "a recording with a damaged moment");
	same(r.nr, 3, "moments");
	same(r.damaged, 1, "of which one is damaged");
	ok(r.moment[1].damaged && !r.moment[0].damaged && !r.moment[2].damaged, "the second one");
	q_recording_free(&r);
	same(q_ring_open(&ring, dir, 64 * MIB, 0), 0, "it can be continued");
	same(add_moment(&ring, 3, 100), 0, "with another moment");
	same(ring.r.moment[3].number, 4, "which is number 4");
	q_ring_close(&ring);
	same(q_recording_use(dir), 0, "it can be replayed");
	q_recording_first();
	same(q_recording_time(), START, "from the first moment");
	ok(q_recording_next() && q_recording_time() == START + 120 * SECOND,
	   "without the damaged one");
	q_options.recording = NULL;
}

/* A recorder that is killed at any time leaves whole moments. */
static void test_kill(void)
{
	const char *dir = path_of("kill"), *mark = path_of("kill/recording");
	struct q_recording r;
	unsigned int seed = 12345, most = 0;
	bool good = true;

	for (int round = 0; good && round < 25; round++) {
		pid_t pid = fork();

		if (!pid) {
			struct q_ring ring;
			unsigned int n = 0;

			if (q_ring_open(&ring, dir, 200000, 0))
				_exit(1);
			while (!add_moment(&ring, n++, 20000))
				;
			_exit(1);
		}
		usleep(1000 + rand_r(&seed) % 80000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (access(dir, F_OK))
			continue;
		/* The first kill may have come before anything was written. */
		if (access(mark, F_OK))
			continue;
		good = !q_recording_read(&r, dir) && !r.damaged;
		for (unsigned int i = 0; good && i < r.nr; i++) {
			struct stat st;

			good = !stat(q_moment_path(dir, r.moment[i].number, "caches.table"), &st) &&
			       st.st_size == 20000;
		}
		most = r.nr > most ? r.nr : most;
		q_recording_free(&r);
	}
	ok(good, "25 times killed: all moments are whole");
	ok(most > 1, "and there were some");
	ok(disk_bytes(dir) <= 200000 + 40000,
	   "within the bound, and a moment that was half written");
}

static void test_full_disk(void)
{
	const char *dir = path_of("full");
	struct rlimit limit, small = { 50000, 50000 };
	struct q_ring ring;

	make(dir, 3);
	same(q_ring_open(&ring, dir, 64 * MIB, 0), 0, "a recording of three moments");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	same(add_moment(&ring, 3, 100000), Q_FAILED, "a moment that cannot be written is an error");
	setrlimit(RLIMIT_FSIZE, &limit);
	ok(access(path_of("full/new"), F_OK), "its half is gone");
	expect_all(dir, 3, 3, "the others are whole");
	same(add_moment(&ring, 3, 100000), 0, "with room it goes on");
	q_ring_close(&ring);
	expect_all(dir, 4, 4, "with the same number");
}

/* --- Bounds --- */

static void test_bytes(void)
{
	const char *dir = path_of("bytes");
	const long most = 300000;
	struct q_ring ring;
	bool good = true;

	same(q_ring_open(&ring, dir, most, 0), 0, "a recording with a bound");
	for (unsigned int i = 0; good && i < 60; i++) {
		good = !add_moment(&ring, i, 1000 + 2000 * (i % 20)) &&
		       /* The folder, its mark and its lock. */
		       disk_bytes(dir) <= most + 3 * 4096;
		good = good && ring.r.moment[ring.r.nr - 1].number == i + 1;
	}
	ok(good, "60 moments never take more than the bound");
	ok(ring.r.nr > 3 && ring.r.nr < 20, "the newest ones are there");
	ok(ring.r.moment[0].number == 61 - ring.r.nr, "and none between them is missing");
	ok(ring.r.index_lines <= 2 * ring.r.nr + 65, "the index is bounded, too");
	same(add_moment(&ring, 60, 400000), Q_USAGE, "a moment over the bound is refused");
	ok(ring.r.nr > 3, "and drops no other");
	q_ring_close(&ring);
}

static void test_many(void)
{
	const char *dir = path_of("many");
	struct q_ring ring;
	bool good = !q_ring_open(&ring, dir, 150000, 0);

	for (unsigned int i = 0; good && i < 300; i++)
		good = !add_moment(&ring, i, 100) && ring.r.index_lines <= 2 * ring.r.nr + 65;
	ok(good, "the index does not grow with moments that are gone");
	q_ring_close(&ring);
}

static void test_age(void)
{
	const char *dir = path_of("age");
	struct q_ring ring;

	same(q_ring_open(&ring, dir, 64 * MIB, 5 * 60 * SECOND), 0, "a bound of five minutes");
	for (unsigned int i = 0; i < 20; i++)
		add_moment(&ring, i, 100);
	same(ring.r.nr, 6, "moments of the last five minutes");
	same(ring.r.moment[0].number, 15, "the first of them");
	q_ring_close(&ring);
	ok(access(path_of("age/00000014"), F_OK), "older ones are gone from the disk");
}

/* --- Whose folder --- */

static void test_lock(void)
{
	const char *dir = path_of("lock");
	struct q_ring one, two;

	same(q_ring_open(&one, dir, MIB, 0), 0, "one recorder");
	same(q_ring_open(&two, dir, MIB, 0), Q_FAILED, "a second one is refused");
	same(add_moment(&one, 0, 10), 0, "the first one goes on");
	q_ring_close(&one);
	same(q_ring_open(&two, dir, MIB, 0), 0, "it may when the first one has ended");
	q_ring_close(&two);
}

static void test_folders(void)
{
	struct q_ring ring;
	struct q_recording r;
	struct stat st;

	mkdir(path_of("home"), 0755);
	mkdir(path_of("home/new"), 0755);
	write_text(path_of("home/new/letter"), "dear");
	same(q_ring_open(&ring, path_of("home"), MIB, 0), Q_FAILED, "a folder with other files");
	ok(!access(path_of("home/new/letter"), F_OK), "is left as it is");
	ok(access(path_of("home/lock"), F_OK), "without new files");
	same(q_recording_read(&r, path_of("home")), Q_FAILED, "and is no recording");
	same(q_recording_read(&r, path_of("nowhere")), Q_FAILED, "nor is what is not there");
	same(q_ring_open(&ring, path_of("no/where"), MIB, 0), Q_FAILED, "the parent must be there");
	make(path_of("later"), 1);
	ok(!stat(path_of("later"), &st) && (st.st_mode & 0777) == 0700,
	   "the folder is for its owner");
	write_text(path_of("later/recording"), "version 2\n");
	same(q_recording_read(&r, path_of("later")), Q_OTHER_ABI, "another version is refused");
	same(q_ring_open(&ring, path_of("later"), MIB, 0), Q_OTHER_ABI, "also to record");
	mkdir(path_of("empty"), 0700);
	same(q_ring_open(&ring, path_of("empty"), MIB, 0), 0, "an empty folder can be used");
	q_ring_close(&ring);
	same(q_recording_use(path_of("empty")), Q_FAILED,
	     "a recording without moments shows nothing");
}

/* --- Replay --- */

static void test_replay(void)
{
	struct q_values v;
	struct q_device d;
	char *data;
	size_t size;
	const struct q_what what = { .format = QUARRY_DEV_FORMAT_PPROF,
				     .cache = QUARRY_DEV_CACHE_ALL };

	make(path_of("replay"), 4);
	same(q_recording_use(path_of("replay")), 0, "a recording in place of the module");
	same(q_values_read(&v, "stats"), 0, "stats is read from it");
	same(q_value(&v, "live_bytes"), 1003, "at its last moment");
	q_values_free(&v);
	free(q_try_file(q_debugfs_path("caches/table"), &size));
	same(size, 5000, "and a file of a folder");
	q_recording_back(100);
	same(q_recording_time(), START + 60 * SECOND, "100 s before the end");
	q_recording_forward(50);
	same(q_recording_time(), START + 120 * SECOND, "50 s later");
	q_recording_forward(1000);
	ok(!q_recording_next(), "behind the end there is no moment");
	same(q_device_open(&d, true), Q_USAGE, "it cannot be changed");
	same(q_device_open(&d, false), 0, "it can be read");
	same(q_device_profile(&d, &what, &data, &size), Q_FAILED, "a profile that is not there");
	q_device_close(&d);
	same(q_debugfs_write("control/drain", "1"), Q_USAGE, "no file can be written");
	q_options.recording = NULL;
}

static void test_anew(void)
{
	struct q_moment a = { .boot = 1, .started_ns = 100 * SECOND }, b = a;

	ok(!q_moment_is_anew(&b, &a), "the same module");
	b.started_ns += SECOND / 2;
	ok(!q_moment_is_anew(&b, &a), "clocks are read one after the other");
	b.started_ns += 2 * SECOND;
	ok(q_moment_is_anew(&b, &a), "the module was loaded again");
	b = a;
	b.boot = 2;
	ok(q_moment_is_anew(&b, &a), "the kernel was booted");
}

int main(void)
{
	if (!mkdtemp(top_dir))
		return 1;
	test_index();
	test_leftovers();
	test_damaged();
	test_kill();
	test_full_disk();
	test_bytes();
	test_many();
	test_age();
	test_lock();
	test_folders();
	test_replay();
	test_anew();
	run("rm -r %s", top_dir);
	return tap_end();
}
