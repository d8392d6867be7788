// SPDX-License-Identifier: GPL-2.0
/* The ring of events: how it is made, and which mappings of it are accepted. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dev_ring.h"

static void check_map(int fd, size_t len, int prot, int flags, off_t offset, int want,
		      const char *text)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	check_error(p == MAP_FAILED ? -1 : 0, want, "mmap: %s", text);
	if (p != MAP_FAILED)
		munmap(p, len);
}

static void check_sizes(int fd)
{
	static const __u32 bad[] = { 0, 3, 1000, 0x80000000, 0xffffffff };
	struct quarry_dev_info info = {};
	struct quarry_dev_ring d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		check_error(make_ring(fd, bad[i], 0, &d), EINVAL, "a ring of %u", bad[i]);
	if (ioctl(fd, QUARRY_IOC_INFO, &info))
		die("INFO");
	check_error(make_ring(fd, info.ring_max * 2, 0, &d), EINVAL, "a ring that is too large");
	check_error(make_ring(fd, 64, 2, &d), EINVAL, "a flag that is none");
}

static void check_many(void)
{
	struct quarry_dev_ring d;
	int fd[QUARRY_DEV_RINGS_MAX + 1];
	unsigned int i, errors = 0;

	for (i = 0; i <= QUARRY_DEV_RINGS_MAX; i++) {
		fd[i] = open_device(O_RDWR);
		if (i < QUARRY_DEV_RINGS_MAX)
			errors += !!make_ring(fd[i], 1, 0, &d);
	}
	check_equal(errors, 0, "errors of %u rings", QUARRY_DEV_RINGS_MAX);
	check_error(make_ring(fd[QUARRY_DEV_RINGS_MAX], 1, 0, &d), EUSERS, "one more");
	close(fd[0]);
	check_error(make_ring(fd[QUARRY_DEV_RINGS_MAX], 1, 0, &d), 0, "one less, one more");
	for (i = 1; i <= QUARRY_DEV_RINGS_MAX; i++)
		close(fd[i]);
}

static size_t whole_pages(size_t size)
{
	return (size + page_size - 1) / page_size * page_size;
}

void part_map(void)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct ring r = { .fd = open_device(O_RDWR) };
	struct quarry_ring_control *second;
	size_t size;
	int fd;

	check_map(r.fd, 2 * page_size, rw, MAP_SHARED, 0, ENODATA, "before there is a ring");
	check_sizes(r.fd);
	close(r.fd);
	check_many();

	ring_open(&r, 64, QUARRY_DEV_RING_FREES);
	size = r.d.size;
	check(r.d.record_size == sizeof(struct quarry_event_record) &&
		      r.d.data_offset == page_size &&
		      size == page_size + whole_pages(64 * r.d.record_size),
	      "RING tells of %zu bytes", size);
	check(r.control->version == QUARRY_ABI_VERSION && r.control->records == 64 &&
		      r.control->record_size == r.d.record_size &&
		      r.control->data_offset == page_size &&
		      r.control->flags == QUARRY_DEV_RING_FREES && !r.control->head &&
		      !r.control->tail && !r.control->overruns,
	      "so does the control page");
	check_error(make_ring(r.fd, 64, 0, &r.d), EBUSY, "a second ring");
	r.d.size = size;

	check_map(r.fd, size, rw, MAP_SHARED, 0, 0, "right");
	check_map(r.fd, size, PROT_READ, MAP_SHARED, 0, 0, "to read");
	check_map(r.fd, size - page_size, rw, MAP_SHARED, 0, EINVAL, "a page less");
	check_map(r.fd, page_size, rw, MAP_SHARED, 0, EINVAL, "only a page");
	check_map(r.fd, size + page_size, rw, MAP_SHARED, 0, EINVAL, "a page more");
	check_map(r.fd, size, rw, MAP_SHARED, page_size, EINVAL, "from the second page");
	check_map(r.fd, size, rw, MAP_SHARED, 1ULL << 40, EINVAL, "from far away");
	check_map(r.fd, size, rw, MAP_PRIVATE, 0, EINVAL, "private");
	check_map(r.fd, size, PROT_READ, MAP_PRIVATE, 0, EINVAL, "private, to read");
	check_map(r.fd, size, rw | PROT_EXEC, MAP_SHARED, 0, EINVAL, "to execute");
	check_error(mprotect(r.control, size, rw | PROT_EXEC), EACCES, "to execute, later");
	check_error(mremap(r.control, size, size + page_size, MREMAP_MAYMOVE) == MAP_FAILED ? -1 :
											      0,
		    EFAULT, "to grow, later");
	fd = open_device(O_RDONLY);
	make_ring(fd, 64, 0, &r.d);
	check_map(fd, size, rw, MAP_SHARED, 0, EACCES, "to write, of a reader");
	check_map(fd, size, PROT_READ, MAP_SHARED, 0, 0, "to read, of a reader");
	close(fd);

	second = mmap(NULL, size, rw, MAP_SHARED, r.fd, 0);
	close(r.fd);
	set_rate(1);
	hold_objects();
	check(second != MAP_FAILED && second->head == 64 && r.control->head == 64 &&
		      !memcmp(second, r.control, size),
	      "two mappings of a closed file show the same");
	munmap(second, size);
	check_equal(munmap((void *)r.control + page_size, page_size), 0, "a part is unmapped");
	release_objects();
	check_equal(r.control->head + r.control->overruns, 2 * held_objects,
		    "events in what is left");
	munmap(r.control, size);
}
