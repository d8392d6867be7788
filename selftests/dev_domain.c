// SPDX-License-Identifier: GPL-2.0
/*
 * Domains: the profiles of the kernel's own allocators, by ioctl.  At a rate of 1 they have what a
 * client allocates, to the object, and say the same as debugfs.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "dev.h"

#define SLAB	     QUARRY_DEV_DOMAIN_SLAB
#define DEFAULT_RATE (512 << 10)

static const char *const names[QUARRY_DEV_DOMAINS] = { NULL, "slab", "pages", "percpu", "vmalloc" };

/* --- Calls --- */

static int ask(int fd, __u32 domain, struct quarry_dev_domain *d)
{
	*d = (struct quarry_dev_domain){ .domain = domain };
	return ioctl(fd, QUARRY_IOC_DOMAIN, d);
}

static int enable(int fd, __u32 domain, __u32 on, struct quarry_dev_domain *d)
{
	*d = (struct quarry_dev_domain){
		.domain = domain,
		.flags = QUARRY_DEV_DOMAIN_SET,
		.enabled = on,
	};
	return ioctl(fd, QUARRY_IOC_DOMAIN, d);
}

static int set_domain_rate(int fd, __u32 domain, __u32 value)
{
	struct quarry_dev_rate r = {
		.cache = QUARRY_DEV_CACHE_ALL,
		.flags = QUARRY_DEV_RATE_SET,
		.rate = value,
		.domain = domain,
	};

	return ioctl(fd, QUARRY_IOC_RATE, &r);
}

static int profile_of(int fd, unsigned long cmd, __u32 domain, __u32 kind, __u32 format)
{
	struct quarry_dev_snapshot snap = {
		.kind = kind,
		.format = format,
		.cache = QUARRY_DEV_CACHE_ALL,
		.domain = domain,
	};

	return ioctl(fd, cmd, &snap);
}

static int table_of(int fd, unsigned long cmd, __u32 domain)
{
	return profile_of(fd, cmd, domain, QUARRY_DEV_KIND_HEAP, QUARRY_DEV_FORMAT_TOP);
}

static int act(int fd, unsigned long cmd, __u32 domain, __u32 flags)
{
	struct quarry_dev_action action = { .domain = domain, .flags = flags };

	return ioctl(fd, cmd, &action);
}

void forget_domain(int fd, __u32 domain)
{
	struct quarry_dev_domain d;

	if (enable(fd, domain, 0, &d) || set_domain_rate(fd, domain, DEFAULT_RATE))
		die("forgetting a domain");
}

/* --- Tables --- */

/* The number of the column @name, or -1.  The '#' before the first name is a part of it. */
static int find_column(const char *head, const char *name)
{
	char *words = strndup(head, strcspn(head, "\n")), *rest = words, *word;
	int i;

	for (i = 0; (word = strsep(&rest, " "));) {
		if (!*word)
			continue;
		if (!strcmp(word + (*word == '#'), name))
			break;
		i++;
	}
	free(words);
	return word ? i : -1;
}

/* Word number @i of a line.  Names of columns and numbers have no blanks. */
static const char *word_at(const char *line, int i)
{
	line += strspn(line, " ");
	while (i--) {
		line += strcspn(line, "\n ");
		line += strspn(line, " ");
	}
	return line;
}

/* The sum of column @name over the lines of a table whose leaf is the client's kernel_small(). */
static __u64 sum_of(const char *table, const char *name)
{
	static const char leaf[] = "kernel_small+";
	int column = find_column(table, name), path = find_column(table, "path");
	const char *line = table;
	__u64 sum = 0;

	if (column < 0 || path < 0) {
		check(false, "there is a column %s", name);
		return 0;
	}
	while ((line = strchr(line, '\n')) && *++line)
		if (*line != '#' && !strncmp(word_at(line, path), leaf, strlen(leaf)))
			sum += strtoull(word_at(line, column), NULL, 10);
	return sum;
}

static __u64 sum_in(int fd, const char *name)
{
	size_t len;
	char *table = read_all(fd, &len);
	__u64 sum = sum_of(table, name);

	free(table);
	return sum;
}

static void run_client(const char *command)
{
	if (client(command))
		die(command);
}

/* --- Checks --- */

static void check_off(int fd)
{
	static const struct quarry_dev_domain none;
	struct quarry_dev_domain d;
	__u32 i;

	for (i = SLAB; i < QUARRY_DEV_DOMAINS; i++) {
		check(!ask(fd, i, &d) && !strcmp(d.name, names[i]), "domain %u is %s", i, names[i]);
		check(!d.enabled && d.rate == DEFAULT_RATE &&
			      !memcmp(&d.samples, &none.samples,
				      sizeof(d) - offsetof(struct quarry_dev_domain, samples)),
		      "%s is off, and its numbers are 0", names[i]);
	}
	check(!table_of(fd, QUARRY_IOC_SNAPSHOT, SLAB) && !sum_in(fd, "alloc_objs"),
	      "a domain that is off has a profile without rows");
}

static void check_enable(int fd)
{
	struct quarry_dev_rate r = { .cache = QUARRY_DEV_CACHE_ALL, .domain = SLAB };
	struct quarry_dev_domain d;

	check_error(set_domain_rate(fd, SLAB, 1), 0, "a rate is set while it is off");
	check(!ioctl(fd, QUARRY_IOC_RATE, &r) && r.rate == 1 && !r.own, "and is what was set");
	check_equal(get_rate(), 0, "Quarry's own is not changed");
	check(!enable(fd, SLAB, 1, &d) && d.enabled == 1 && d.rate == 1, "slab is switched on");
	check_equal(value_of("quarry/kernel/slab/stats", "enabled"), 1, "debugfs says so too");
	check(!ask(fd, QUARRY_DEV_DOMAIN_PAGES, &d) && !d.enabled, "pages is still off");
	check(!enable(fd, SLAB, 1, &d) && d.enabled == 1, "to switch it on again changes nothing");
}

/* What the client holds, by the device and by debugfs. */
static void check_profiles(int fd, unsigned int held)
{
	static const char *const columns[] = { "inuse_objs", "inuse_bytes", "alloc_objs",
					       "alloc_bytes" };
	int file = open("/sys/kernel/debug/quarry/kernel/slab/top", O_RDONLY);
	unsigned int kind, format, i;
	size_t len, file_len;
	char *text, *again;

	if (file < 0)
		die("top");
	for (kind = 0; kind < QUARRY_DEV_KIND_FRAGMENTATION; kind++)
		for (format = 0; format < QUARRY_DEV_FORMATS; format++)
			check_error(profile_of(fd, QUARRY_IOC_SNAPSHOT, SLAB, kind, format), 0,
				    "slab: kind %u in format %u", kind, format);
	check_error(table_of(fd, QUARRY_IOC_SNAPSHOT, SLAB), 0, "slab: the table");
	text = read_all(fd, &len);
	again = read_all(file, &file_len);
	check_equal(sum_of(text, "inuse_objs"), held, "live objects of the client");
	check_equal(sum_of(text, "alloc_objs"), held, "allocated objects of the client");
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		check_equal(sum_of(text, columns[i]), sum_of(again, columns[i]),
			    "%s is that of debugfs", columns[i]);
	free(text);
	free(again);
	close(file);
	check(!table_of(fd, QUARRY_IOC_SNAPSHOT, QUARRY_DEV_DOMAIN_QUARRY) &&
		      !sum_in(fd, "alloc_objs"),
	      "Quarry's own heap does not have them");
	check(!table_of(fd, QUARRY_IOC_SNAPSHOT, QUARRY_DEV_DOMAIN_PAGES) &&
		      !sum_in(fd, "alloc_objs"),
	      "nor has another domain");
}

static void check_deltas(int fd, unsigned int held)
{
	check_error(table_of(fd, QUARRY_IOC_DELTA, SLAB), ENODATA, "a delta before a mark");
	check_error(act(fd, QUARRY_IOC_MARK, SLAB, 0), 0, "a mark of slab");
	run_client("kernel way=small n=30");
	check_error(table_of(fd, QUARRY_IOC_DELTA, QUARRY_DEV_DOMAIN_PAGES), EINVAL,
		    "a delta of another domain than the mark's");
	check_error(table_of(fd, QUARRY_IOC_DELTA, QUARRY_DEV_DOMAIN_QUARRY), EINVAL,
		    "a delta of Quarry's own heap against it");
	check_error(table_of(fd, QUARRY_IOC_DELTA, SLAB), 0, "a delta");
	check_equal(sum_in(fd, "alloc_objs"), 30, "objects allocated since");
	check_equal(sum_in(fd, "growth_objs"), 30, "growth");
	check_equal(sum_in(fd, "inuse_objs"), held + 30, "objects in use");
	check_error(table_of(fd, QUARRY_IOC_DELTA, SLAB), 0, "another one");
	check_equal(sum_in(fd, "alloc_objs"), 0, "objects allocated since then");
	check_error(act(fd, QUARRY_IOC_MARK, QUARRY_DEV_DOMAIN_QUARRY, 0), 0, "a mark of Quarry's");
	check_error(table_of(fd, QUARRY_IOC_DELTA, SLAB), EINVAL, "a delta of slab against it");
	check_error(act(fd, QUARRY_IOC_RESET, SLAB, 0), 0, "a reset");
	check_error(table_of(fd, QUARRY_IOC_SNAPSHOT, SLAB), 0, "a profile after it");
	check_equal(sum_in(fd, "alloc_objs"), 0, "objects allocated since the reset");
	check_equal(sum_in(fd, "inuse_objs"), held + 30, "objects in use");
}

#define NUMBER(name, member)                                                                       \
	{                                                                                          \
		name, offsetof(struct quarry_dev_domain, member)                                   \
	}

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	NUMBER("samples", samples),
	NUMBER("live_samples", live_samples),
	NUMBER("sampled_live_bytes", live_bytes),
	NUMBER("dropped_samples", dropped_samples),
	NUMBER("dropped_bytes", dropped_bytes),
	NUMBER("other_samples", other_samples),
	NUMBER("missed_frees", missed_frees),
	NUMBER("late_frees", late_frees),
	NUMBER("unknown_frees", unknown_frees),
	NUMBER("missed_calls", missed_calls),
	NUMBER("table_samples", table_samples),
	NUMBER("table_max_samples", table_max_samples),
	NUMBER("profile_sites", sites),
	NUMBER("profile_max_sites", max_sites),
	NUMBER("memory_bytes", memory_bytes),
};

/* At a rate of 0 objects are only freed, so each number changes in one direction. */
static void check_numbers(int fd)
{
	__u64 before[ARRAY_SIZE(numbers)];
	struct quarry_dev_domain d;
	unsigned int i;

	check_error(set_domain_rate(fd, SLAB, 0), 0, "no more samples");
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		before[i] = value_of("quarry/kernel/slab/stats", numbers[i].name);
	check_error(ask(fd, SLAB, &d), 0, "DOMAIN");
	check_equal(d.rate, 0, "rate");
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		__u64 after = value_of("quarry/kernel/slab/stats", numbers[i].name), got;

		memcpy(&got, (char *)&d + numbers[i].at, sizeof(got));
		check((before[i] <= got && got <= after) || (before[i] >= got && got >= after),
		      "%s is that of debugfs: %llu", numbers[i].name, got);
	}
	check(d.samples && d.live_samples && d.live_bytes && d.memory_bytes,
	      "numbers of a domain that is on");
}

/* What does not fit a domain, and what is no domain. */
static void check_errors(int fd)
{
	const struct quarry_dev_snapshot bad[] = {
		{ .cache = QUARRY_DEV_CACHE_ALL, .domain = QUARRY_DEV_DOMAINS },
		{ .cache = QUARRY_DEV_CACHE_ALL, .domain = -1U },
		{ .cache = 0, .domain = SLAB },
		{ .cache = QUARRY_DEV_CACHE_ALL, .domain = SLAB, .flags = QUARRY_DEV_DRAIN },
		{ .cache = QUARRY_DEV_CACHE_ALL,
		  .domain = SLAB,
		  .kind = QUARRY_DEV_KIND_FRAGMENTATION },
	};
	struct quarry_dev_rate r = { .domain = SLAB };
	int reader = open_device(O_RDONLY);
	struct quarry_dev_domain d;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct quarry_dev_snapshot snap = bad[i];

		check_error(ioctl(fd, QUARRY_IOC_SNAPSHOT, &snap), EINVAL, "bad SNAPSHOT %u", i);
		snap = bad[i];
		check_error(ioctl(fd, QUARRY_IOC_DELTA, &snap), EINVAL, "bad DELTA %u", i);
	}
	check_error(act(fd, QUARRY_IOC_MARK, QUARRY_DEV_DOMAINS, 0), EINVAL, "MARK of no domain");
	check_error(act(fd, QUARRY_IOC_MARK, SLAB, QUARRY_DEV_DRAIN), EINVAL, "it drains none");
	check_error(act(fd, QUARRY_IOC_RESET, QUARRY_DEV_DOMAINS, 0), EINVAL, "RESET of none");
	check_error(act(fd, QUARRY_IOC_RESET, SLAB, QUARRY_DEV_DRAIN), EINVAL, "it drains none");
	check_error(act(reader, QUARRY_IOC_RESET, SLAB, 0), EBADF, "a reader may not reset it");
	check_error(act(fd, QUARRY_IOC_DRAIN, SLAB, 0), EINVAL, "DRAIN of a domain");
	check_error(act(fd, QUARRY_IOC_HEAPDUMP, SLAB, 0), EINVAL, "HEAPDUMP of a domain");
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), EINVAL, "the rate of a cache and a domain");
	r.cache = QUARRY_DEV_CACHE_ALL;
	r.flags = QUARRY_DEV_RATE_SET | QUARRY_DEV_RATE_INHERIT;
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), EINVAL, "a domain's rate is not inherited");
	check_error(set_domain_rate(fd, QUARRY_DEV_DOMAINS, 1), EINVAL, "the rate of no domain");
	check_error(set_domain_rate(reader, SLAB, 1), EBADF, "a reader may not set one");
	check_error(ask(fd, QUARRY_DEV_DOMAIN_QUARRY, &d), EINVAL, "DOMAIN of Quarry's own heap");
	check_error(ask(fd, QUARRY_DEV_DOMAINS, &d), EINVAL, "DOMAIN of none");
	check_error(enable(fd, SLAB, 2, &d), EINVAL, "neither on nor off");
	check_error(enable(reader, SLAB, 0, &d), EBADF, "a reader may not switch it");
	d = (struct quarry_dev_domain){ .domain = SLAB, .flags = QUARRY_DEV_DOMAIN_SET << 1 };
	check_error(ioctl(fd, QUARRY_IOC_DOMAIN, &d), EINVAL, "DOMAIN with no flag");
	check(!ask(reader, SLAB, &d) && d.enabled == 1 && !d.rate, "errors change nothing");
	close(reader);
}

/* --- Programs that are older than the member --- */

struct old_snapshot {
	__u32 kind, format, cache, flags;
	__u64 size, time_ns, drained, reserved[3];
};

struct old_action {
	__u32 flags, reserved0;
	__u64 size, time_ns, drained, reserved[2];
};

struct old_rate {
	__u32 cache, flags, rate, own;
	__u64 reserved[2];
};

struct old_info {
	__u32 number[12];
	__u64 time_ns, value[12], reserved[5];
};

static_assert(sizeof(struct old_snapshot) == sizeof(struct quarry_dev_snapshot), "size");
static_assert(sizeof(struct old_action) == sizeof(struct quarry_dev_action), "size");
static_assert(sizeof(struct old_rate) == sizeof(struct quarry_dev_rate), "size");
static_assert(sizeof(struct old_info) == sizeof(struct quarry_dev_info), "size");

/* They see Quarry's own heap, although a domain is on. */
static void check_old_programs(int fd)
{
	struct old_snapshot delta = { .format = QUARRY_DEV_FORMAT_TEXT, .cache = -1U };
	struct old_rate r = { .cache = -1U, .flags = QUARRY_DEV_RATE_SET, .rate = 1 };
	unsigned long long live, live_bytes, objects;
	struct old_action action = {};
	struct old_info info = {};
	size_t len;
	char *text;

	check_error(ioctl(fd, QUARRY_IOC_INFO, &info), 0, "an old INFO");
	check_error(ioctl(fd, QUARRY_IOC_RATE, &r), 0, "an old RATE");
	check_equal(get_rate(), 1, "sets Quarry's own");
	check_error(ioctl(fd, QUARRY_IOC_MARK, &action), 0, "an old MARK");
	hold_objects();
	check_error(ioctl(fd, QUARRY_IOC_DELTA, &delta), 0, "an old DELTA");
	text = read_all(fd, &len);
	check(sscanf(text, "heap profile: %llu: %llu [%llu:", &live, &live_bytes, &objects) == 3,
	      "has sums");
	check_equal(objects, held_objects, "which are of Quarry's own heap");
	free(text);
	action = (struct old_action){};
	check_error(ioctl(fd, QUARRY_IOC_RESET, &action), 0, "an old RESET");
	release_objects();
	set_rate(0);
}

void part_domain(void)
{
	int fd = open_device(O_RDWR), other = open_device(O_RDWR);
	struct quarry_dev_domain d;

	check_off(fd);
	check_enable(fd);
	run_client("kernel way=small n=50");
	check_profiles(fd, 50);
	check_deltas(fd, 50);
	check_numbers(fd);
	check_errors(fd);
	check_old_programs(other);
	check(!ask(other, SLAB, &d) && d.enabled == 1, "slab is still on");
	run_client("unkernel way=small destroy=1");
	check(!enable(fd, SLAB, 0, &d) && !d.enabled && !d.samples && !d.memory_bytes,
	      "slab is switched off");
	check_equal(value_of("quarry/kernel/slab/stats", "enabled"), 0, "debugfs says so too");
	forget_domain(fd, SLAB);
	close(fd);
	close(other);
}
