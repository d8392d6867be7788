/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client of Quarry that does what a test tells it to.
 *
 * debugfs quarry_client/run takes one command with its arguments in the form
 * name=value; the write returns what the command returns.  quarry_client/result
 * has the details of the last one, a "name value" per line.
 */
#ifndef QUARRY_CLIENT_H
#define QUARRY_CLIENT_H

#include <linux/prandom.h>
#include <linux/types.h>
#include <quarry/quarry.h>

#define CLIENT_MAX_ARGS 7

/**
 * struct client_arg - one argument that a command takes
 * @name: before the "="
 * @value: when it is not given
 * @max: the largest number it may be
 * @words: instead of a number: the value is the word's place in this list
 */
struct client_arg {
	const char *name;
	u64 value;
	u64 max;
	const char *const *words;
};

/**
 * struct client_command - something to do
 * @name: the first word
 * @run: does it; @v has the arguments in the order of @args
 * @args: ends with an empty name
 */
struct client_command {
	const char *name;
	int (*run)(const u64 *v);
	struct client_arg args[CLIENT_MAX_ARGS + 1];
};

extern const struct client_command client_stress;
extern const struct client_command client_hold, client_release;
extern const struct client_command client_fragment, client_defragment;
extern const struct client_command client_misuse;
extern const struct client_command client_caches, client_place, client_atomic;
extern const struct client_command client_occupy, client_vacate;
extern const struct client_command client_failnth;
extern const struct client_command client_stream, client_unstream;
extern const struct client_command client_crowd, client_uncrowd;
extern const struct client_command client_leak, client_unleak;
extern const struct client_command client_mixed;
extern const struct client_command client_churn, client_limited;
extern const struct client_command client_arena, client_unarena;
extern const struct client_command client_sparse, client_thin, client_unsparse;

/* Add to the result. */
__printf(1, 2) void client_say(const char *fmt, ...);

/**
 * struct client_object - an object and what is known of it
 * @p: the object
 * @cache: where it goes back to; NULL for quarry_free()
 * @size: bytes that are ours
 * @seq: makes two objects at one address differ
 * @cpu: that allocated it
 */
struct client_object {
	void *p;
	struct quarry_cache *cache;
	u32 size;
	u32 seq;
	u32 cpu;
};

/* Write the pattern of @o into it; 0, or -EIO when it is not its own any more. */
void client_fill(const struct client_object *o);
int client_check(const struct client_object *o);
bool client_all_zero(const void *p, size_t size);

/* Check and free.  The object is leaked when its pattern is gone. */
int client_free(const struct client_object *o);

void client_release_all(void);
void client_vacate_all(void);
void client_defragment_all(void);
void client_unstream_all(void);
void client_uncrowd_all(void);
void client_unleak_all(void);
void client_mixed_all(void);
void client_limited_all(void);
void client_unsparse_all(void);

#endif /* QUARRY_CLIENT_H */
