// SPDX-License-Identifier: GPL-2.0
/*
 * A recording of two moments, and the commands that show one.  An input's parts are the index, the
 * files "moment" and "stats" of both moments, and what both have: the table of caches, the stats of
 * a domain, a profile.  Lines of the index get their checks here, as no mutation would find one;
 * those that begin with "!" keep what they have.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "command.h"
#include "lib/recording.h"
#include "lib/ring.h"

enum { INDEX, MOMENT, STATS, MOMENT2, STATS2, CACHES, SLAB, PROFILE, PARTS };

static char dir[256];

static void remove_dir(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	expect(!system(command));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(dir, sizeof(dir), "%s/quarry-fuzz.XXXXXX", getenv("TMPDIR") ?: "/tmp");
	expect(mkdtemp(dir));
	atexit(remove_dir);
	return 0;
}

static void put(const char *folder, const char *name, const void *data, size_t size)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", dir, folder, name);
	f = fopen(path, "we");
	expect(f && fwrite(data, 1, size, f) == size && !fclose(f));
}

static void put_index(char *text)
{
	char path[300], *save, *line;
	FILE *f;

	snprintf(path, sizeof(path), "%s/index", dir);
	f = fopen(path, "we");
	expect(f);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '!')
			fprintf(f, "%s\n", line + 1);
		else
			fprintf(f, "%s %08lx\n", line,
				crc32(0, (const unsigned char *)line, (unsigned int)strlen(line)));
	}
	expect(!fclose(f));
}

static void put_moment(const char *folder, const struct fuzz_part *moment,
		       const struct fuzz_part *stats, const struct fuzz_part *part)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, folder);
	mkdir(path, 0700);
	put(folder, "moment", moment->text, moment->size);
	put(folder, "stats", stats->text, stats->size);
	put(folder, "caches.table", part[CACHES].text, part[CACHES].size);
	put(folder, "kernel.slab.stats", part[SLAB].text, part[SLAB].size);
	put(folder, "kernel.slab.heap.pb.gz", part[PROFILE].text, part[PROFILE].size);
	put(folder, "profile.heap.pb.gz", part[PROFILE].text, part[PROFILE].size);
}

static void run(q_command_fn command, const char *name, const char *option, const char *what)
{
	char *argv[] = { (char *)name, (char *)option, (char *)what, NULL };
	const struct q_options before = q_options;

	command(what ? 3 : 2, argv);
	q_options = before;
}

static void show(void)
{
	const struct q_options before = q_options;

	run(q_report, "report", "--lines=20", dir);
	run(q_report, "report", "--json", dir);
	if (!q_recording_use(dir)) {
		run(q_status, "status", "--bytes", NULL);
		run(q_status, "status", "--json", NULL);
		run(q_caches, "caches", "--waste", NULL);
		run(q_leaks, "leaks", "--seconds=3", NULL);
		run(q_top, "top", "--batch=2", NULL);
		run(q_top, "top", "--batch=2", "--view=processes");
	}
	q_options = before;
}

/* Adding a moment takes the lock, drops old ones and writes the index. */
static void record(void)
{
	static char text[] = "time_ns 1790000100000000000\nuptime_ns 7\nmonotonic_ns 9\n";
	struct q_moment m = { .time_ns = 1790000100000000000 };
	struct q_ring_file file = { "moment", text, sizeof(text) - 1 };
	struct q_ring ring;

	if (q_ring_open(&ring, dir, 1 << 20, 3600000000000))
		return;
	expect(ring.r.nr <= 2);
	q_ring_add(&ring, &m, &file, 1);
	q_ring_close(&ring);
}

/* What record() may have left, so that each input begins with the same folder. */
static void clean(void)
{
	char path[600];
	struct q_recording r;

	if (!q_recording_read(&r, dir)) {
		for (unsigned int i = 0; i < r.nr; i++) {
			static const char *const files[] = { "moment",
							     "stats",
							     "caches.table",
							     "kernel.slab.stats",
							     "kernel.slab.heap.pb.gz",
							     "profile.heap.pb.gz",
							     "" };

			for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
				snprintf(path, sizeof(path), "%s/%08llu/%s", dir,
					 (unsigned long long)r.moment[i].number, files[f]);
				remove(path);
			}
		}
		q_recording_free(&r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part part[PARTS];

	fuzz_cut(data, size, part, PARTS);
	put("", Q_RECORDING_MARK, "version 1\n", 10);
	put_index(part[INDEX].text);
	put_moment("00000001/", &part[MOMENT], &part[STATS], part);
	put_moment("00000002/", &part[MOMENT2], &part[STATS2], part);
	show();
	record();
	run(q_report, "report", "--json", dir);
	clean();
	fuzz_parts_free(part, PARTS);
	return 0;
}
