// SPDX-License-Identifier: GPL-2.0
/*
 * What insmod and rmmod cannot do:
 *
 *   modload cycle FILE NAME N	load and unload N times, in one process
 *   modload nth FILE NAME N	load with the Nth allocation of the kernel in
 *				init_module() failing, and unload if it loaded
 *
 * "nth" prints "injected" or "clean" (fewer than N allocations were made) and the result of
 * init_module().  Only the allocations of this call count: modload reads FILE into memory, and
 * opens the file of the counter, before it arms the counter.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *image;
static size_t image_len;

static int fail(const char *what)
{
	fprintf(stderr, "modload: %s: %s\n", what, strerror(errno));
	return 1;
}

static int read_file(const char *path)
{
	struct stat st;
	FILE *file = fopen(path, "rb");

	if (!file || fstat(fileno(file), &st))
		return fail(path);
	image_len = st.st_size;
	image = malloc(image_len);
	if (!image || fread(image, 1, image_len, file) != image_len)
		return fail(path);
	fclose(file);
	return 0;
}

static int load_often(const char *name, unsigned long n)
{
	while (n--) {
		if (syscall(SYS_init_module, image, image_len, ""))
			return fail("init_module");
		if (syscall(SYS_delete_module, name, O_NONBLOCK))
			return fail("delete_module");
	}
	return 0;
}

static int load_nth(const char *name, const char *n)
{
	char left[16] = "";
	int fd = open("/proc/self/fail-nth", O_RDWR), err = 0;

	if (fd < 0)
		return fail("fail-nth");
	if (write(fd, n, strlen(n)) < 0)
		return fail("fail-nth");
	if (syscall(SYS_init_module, image, image_len, ""))
		err = errno;
	if (pread(fd, left, sizeof(left) - 1, 0) < 0)
		return fail("fail-nth");
	if (write(fd, "0", 1) < 0)
		return fail("fail-nth");
	printf("%s %s\n", atoi(left) ? "clean" : "injected", err ? strerror(err) : "loaded");
	if (!err && syscall(SYS_delete_module, name, O_NONBLOCK))
		return fail("delete_module");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: modload cycle|nth FILE NAME N\n");
		return 2;
	}
	if (read_file(argv[2]))
		return 1;
	if (!strcmp(argv[1], "cycle"))
		return load_often(argv[3], strtoul(argv[4], NULL, 10));
	if (!strcmp(argv[1], "nth"))
		return load_nth(argv[3], argv[4]);
	return 2;
}
