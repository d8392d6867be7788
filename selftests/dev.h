/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the parts of the program "dev", which tests the character device.  See dev.c. */
#ifndef QUARRY_SELFTESTS_DEV_H
#define QUARRY_SELFTESTS_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <kselftest.h>
#include "../include/uapi/quarry.h"

/*
 * Timeout of poll() for events that come at once.  When it runs out, poll() checks the file
 * once more and may still report the event, so the tests demand it within half of this time.
 */
#define TIMEOUT_MS     20000
#define KERNEL_ADDRESS ((void *)0xffff888000001000UL)

/* Objects that the client's "hold mib=1" allocates. */
extern unsigned long held_objects;
extern unsigned long page_size;
extern unsigned int seconds; /* duration of each part that runs for a given time */

/* --- Results: one line each, numbered by dev.sh --- */

/* Returns @ok. */
__printf(2, 3) bool check(bool ok, const char *fmt, ...);
__printf(1, 2) void note(const char *fmt, ...);
/*
 * @got is what a system call returned; if it is negative, errno has the error.  @want is the
 * error number that is wanted, or 0 for success.
 */
__printf(3, 4) bool check_error(long got, int want, const char *fmt, ...);
__printf(3, 4) bool check_equal(__u64 got, __u64 want, const char *fmt, ...);
__noreturn void die(const char *what);

/* --- The machine --- */

__u64 random_number(void);
unsigned long random_below(unsigned long n);
double now(void);
void sleep_ms(unsigned int ms);

/* The value of @name in @file, a file of "name value" lines below debugfs. */
__u64 value_of(const char *file, const char *name);
__u64 quarry_stat(const char *name);
/* Have the client module run a command.  Returns 0, or -1 with errno set. */
int client(const char *command);
__u64 client_result(const char *name);
/* hold_objects() allocates held_objects objects, release_objects() frees all that are held. */
void hold_objects(void);
void release_objects(void);

/* --- The device --- */

int open_device(int flags); /* ends the program if it fails */
void set_rate(__u32 rate);
__u32 get_rate(void);
int snapshot(int fd, __u32 kind, __u32 format, __u32 cache, __u32 flags,
	     struct quarry_dev_snapshot *snap);
int mark(int fd);
int heapdump(int fd, __u32 flags, struct quarry_dev_action *action);
int make_ring(int fd, __u32 records, __u32 flags, struct quarry_dev_ring *ring);

/* Switch a domain off, and set its rate to the default. */
void forget_domain(int fd, __u32 domain);

/* A flag between threads. */
static inline bool is_set(bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static inline void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

/* The last result of @fd as a string of @len bytes.  The caller frees it. */
char *read_all(int fd, size_t *len);

/* --- The parts --- */

struct part {
	const char *name;
	void (*run)(void);
};

void part_access(void);
void part_info(void);
void part_rate(void);
void part_profiles(void);
void part_delta(void);
void part_domain(void);
void part_misuse(void);
void part_reserved(void);
void part_pointers(void);
void part_numbers(void);
void part_random(void);
void part_read(void);
void part_seek(void);
void part_threads(void);
void part_close(void);
void part_kill(void);
void part_map(void);
void part_events(void);
void part_overruns(void);
void part_tails(void);
void part_poll(void);
void part_fork(void);
void part_faults(void);

#endif /* QUARRY_SELFTESTS_DEV_H */
