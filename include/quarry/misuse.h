/* SPDX-License-Identifier: GPL-2.0 */
/* What clients did wrong with objects, caches and arenas, for observers: the last reports. */
#ifndef QUARRY_MISUSE_H
#define QUARRY_MISUSE_H

#include <linux/sched.h>
#include <linux/types.h>
#include <quarry/stats.h>

#define QUARRY_MISUSE_KEPT   64	 /* reports */
#define QUARRY_MISUSE_CALLER 128 /* bytes of a caller's name, with the zero */

/**
 * struct quarry_misuse - a report
 * @number: how many reports there had been, this one included
 * @times: how often the caller did this, as long as the report is kept
 * @first_ns: when it did so first, monotonic clock
 * @last_ns: when it did so last
 * @what: what was done, as a name: that of the counter misuse_* in struct quarry_stats
 * @text: the same as a sentence says it
 * @result: what became of the object, or of what was asked for
 * @object: the address that Quarry was given
 * @size: bytes from the object's start to the next one's, of a large object its bytes; 0 if @object
 *	is no object's
 * @offset: where in the object @object points to
 * @cache: the cache that the object belongs to; "" if none is known
 * @given: the cache that the caller named, if it is another one; else ""
 * @caller: the client's function, as the log names it
 * @stack: number of the call stack that allocated the object, see qr_misuse_stack(); 0 if it is not
 *	known, because the object is not sampled
 * @freed_stack: number of the call stack that freed it, see qr_misuse_freed_stack(); 0 if it is not
 *	known, because the cache has no check that keeps it, or the object is live
 * @was_free: the object was free, and is known to have been sampled
 * @age_ns: how long the object had been live then, or, with @was_free, free; 0 if it is not known
 * @pid: the task that was running
 * @cpu: on this CPU
 * @interrupt: in an interrupt, so that the task may have nothing to do with it
 * @comm: the task's name
 */
struct quarry_misuse {
	u64 number;
	u64 times;
	u64 first_ns;
	u64 last_ns;
	const char *what;
	const char *text;
	const char *result;
	const void *object;
	size_t size;
	size_t offset;
	char cache[QUARRY_NAME_LEN];
	char given[QUARRY_NAME_LEN];
	char caller[QUARRY_MISUSE_CALLER];
	u32 stack;
	u32 freed_stack;
	bool was_free;
	u64 age_ns;
	pid_t pid;
	unsigned int cpu;
	bool interrupt;
	char comm[TASK_COMM_LEN];
};

/*
 * The kept report with the lowest number above @number, which may be 0.  False if there is none.
 * Process context.
 */
bool qr_misuse_next(u64 number, struct quarry_misuse *m);

/* Set *@entries to the return addresses of @m's stack, leaf first.  Returns how many. */
unsigned int qr_misuse_stack(const struct quarry_misuse *m, unsigned long **entries);
/* The same for the stack that freed the object. */
unsigned int qr_misuse_freed_stack(const struct quarry_misuse *m, unsigned long **entries);

/*
 * quarry_cache_check() for the cache with the number @cache, and the checks that are on.  -ENOENT
 * if there is no such cache.  Process context; they sleep.
 */
int qr_cache_check_get(u32 cache, unsigned int *checks);
int qr_cache_check_set(u32 cache, unsigned int checks);

#endif /* QUARRY_MISUSE_H */
