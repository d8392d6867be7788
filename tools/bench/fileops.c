// SPDX-License-Identifier: GPL-2.0
/*
 * Work for a file system, for scripts/bench-moved:
 *
 *	fileops DIR FILES ROUNDS
 *
 * In each round, files are created and written, looked at, renamed and removed, each by a system
 * call of its own, and the file system is synchronized at the end.  Prints a line for each round:
 * the operations, and the ticks of the time stamp counter that they took.  With -icount, a tick is
 * an instruction.  Nothing here depends on chance.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

#define PER_DIR 250
#define KINDS	5 /* create, write, stat, rename, unlink */

static char data[16384];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void name(char *buf, size_t size, const char *dir, const char *kind, int i)
{
	snprintf(buf, size, "%s/%d/a %s file with number %d", dir, i / PER_DIR, kind, i);
}

static void one_round(const char *dir, int files)
{
	char path[512], to[512];
	struct stat st;
	int i, fd;

	for (i = 0; i < files; i++) {
		size_t size = 1 + i * 61 % sizeof(data);

		name(path, sizeof(path), dir, "new", i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd))
			die(path);
	}
	sync();
	for (i = 0; i < files; i++) {
		name(path, sizeof(path), dir, "new", i);
		if (stat(path, &st))
			die(path);
	}
	for (i = 0; i < files; i++) {
		name(path, sizeof(path), dir, "new", i);
		name(to, sizeof(to), dir, "renamed", i);
		if (rename(path, to))
			die(path);
	}
	for (i = 0; i < files; i++) {
		name(path, sizeof(path), dir, "renamed", i);
		if (unlink(path))
			die(path);
	}
	sync();
}

int main(int argc, char **argv)
{
	int files = argc == 4 ? atoi(argv[2]) : 0, rounds = argc == 4 ? atoi(argv[3]) : 0, i;
	char path[512];

	if (files <= 0 || rounds <= 0) {
		fprintf(stderr, "Usage: fileops DIR FILES ROUNDS\n");
		return 2;
	}
	for (i = 0; i * PER_DIR < files; i++) {
		snprintf(path, sizeof(path), "%s/%d", argv[1], i);
		if (mkdir(path, 0755))
			die(path);
	}
	while (rounds--) {
		unsigned long long start = __rdtsc();

		one_round(argv[1], files);
		printf("round %d %llu\n", files * KINDS, __rdtsc() - start);
		fflush(stdout);
	}
	return 0;
}
