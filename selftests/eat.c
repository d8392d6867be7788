// SPDX-License-Identifier: GPL-2.0
/*
 * A process that needs memory:
 *
 *   eat MIB [SECONDS]
 *
 * writes to each page of MIB MiB, waits for SECONDS, checks that the pages are unchanged, and
 * prints "ate MIB".  It asks to be the first process that the OOM killer ends, so that a lack of
 * memory ends no other process.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int volunteer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, "1000", 4) != 4)
		return -1;
	return close(fd);
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) << 20 : 0, at;
	size_t page = sysconf(_SC_PAGESIZE);
	char *p;

	if (!bytes) {
		fprintf(stderr, "usage: eat MIB [SECONDS]\n");
		return 2;
	}
	if (volunteer()) {
		perror("eat: oom_score_adj");
		return 1;
	}
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED) {
		perror("eat: mmap");
		return 1;
	}
	for (at = 0; at < bytes; at += page)
		memcpy(p + at, &at, sizeof(at));
	sleep(argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
	for (at = 0; at < bytes; at += page) {
		if (memcmp(p + at, &at, sizeof(at))) {
			fprintf(stderr, "eat: byte %zu is lost\n", at);
			return 1;
		}
	}
	printf("ate %zu\n", bytes >> 20);
	return 0;
}
