// SPDX-License-Identifier: GPL-2.0
/*
 * Several operations on one open file, which a shell cannot do:
 *
 *   openfile FILE OPERATION...
 *
 *	seek=N		move to offset N
 *	read=N		one read() of at most N bytes, copied to stdout
 *	pread=N@OFFSET	one pread() of at most N bytes at OFFSET, copied to stdout
 *	all=N		copy to stdout up to the end, N bytes at a time
 *	write=TEXT	one write()
 *	sh=COMMAND	run a shell command while the file is open
 *
 * openfile stops at the first operation that fails, and prints the operation and its error to
 * stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd;

/*
 * Copy up to @len bytes to stdout: from @offset, or from the file's position if it is negative.
 * Returns the number of bytes, or -1.
 */
static ssize_t copy(size_t len, off_t offset)
{
	char *buf = malloc(len);
	ssize_t n;

	if (!buf)
		return -1;
	n = offset < 0 ? read(fd, buf, len) : pread(fd, buf, len, offset);
	if (n > 0 && fwrite(buf, 1, n, stdout) != (size_t)n)
		n = -1;
	free(buf);
	return n;
}

/* The value of @op, which is "name=value", or NULL if @op has another name. */
static const char *is(const char *op, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(op, name, len) && op[len] == '=' ? op + len + 1 : NULL;
}

static int run(const char *op)
{
	const char *value, *at;
	ssize_t n;

	fflush(stdout);
	value = is(op, "seek");
	if (value)
		return lseek(fd, atoll(value), SEEK_SET) < 0;
	value = is(op, "read");
	if (value)
		return copy(atoll(value), -1) < 0;
	value = is(op, "pread");
	at = value ? strchr(value, '@') : NULL;
	if (at)
		return copy(atoll(value), atoll(at + 1)) < 0;
	value = is(op, "all");
	if (value) {
		do {
			n = copy(atoll(value), -1);
		} while (n > 0);
		return n < 0;
	}
	value = is(op, "write");
	if (value)
		return write(fd, value, strlen(value)) != (ssize_t)strlen(value);
	value = is(op, "sh");
	if (value)
		return system(value) != 0;
	errno = EINVAL;
	return 1;
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 2) {
		fprintf(stderr, "usage: openfile FILE OPERATION...\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		fd = open(argv[1], O_RDONLY);
	if (fd < 0) {
		fprintf(stderr, "openfile: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (i = 2; i < argc; i++) {
		if (!run(argv[i]))
			continue;
		fprintf(stderr, "openfile: %s: %s\n", argv[i], strerror(errno));
		return 1;
	}
	return fflush(stdout) != 0;
}
