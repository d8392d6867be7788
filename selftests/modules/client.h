/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client of Quarry that runs the commands of a test.
 *
 * debugfs quarry_client/run takes one command with its arguments in the form
 * name=value; the write returns the command's error, if it has one.
 * quarry_client/result has the details of the last command, one "name value"
 * per line.
 */
#ifndef QUARRY_CLIENT_H
#define QUARRY_CLIENT_H

#include <linux/prandom.h>
#include <linux/types.h>
#include <quarry/quarry.h>

#define CLIENT_MAX_ARGS 7

/**
 * struct client_arg - one argument that a command takes
 * @name: the word before the "="
 * @value: the default
 * @max: the largest number that is accepted
 * @words: if not NULL, the argument is one of these words, and its value is the word's index
 */
struct client_arg {
	const char *name;
	u64 value;
	u64 max;
	const char *const *words;
};

/**
 * struct client_command - a command of the client
 * @name: the first word of the command
 * @run: runs it; @v has the values of the arguments in the order of @args
 * @args: the arguments; an entry without a name ends the list
 */
struct client_command {
	const char *name;
	int (*run)(const u64 *v);
	struct client_arg args[CLIENT_MAX_ARGS + 1];
};

extern const struct client_command client_stress;
extern const struct client_command client_hold, client_release;
extern const struct client_command client_fragment, client_defragment;
extern const struct client_command client_misuse, client_case, client_uncase;
extern const struct client_command client_lose, client_unlose;
extern const struct client_command client_caches, client_place, client_atomic;
extern const struct client_command client_occupy, client_vacate;
extern const struct client_command client_failnth;
extern const struct client_command client_stream, client_unstream;
extern const struct client_command client_kstream, client_unkstream;
extern const struct client_command client_crowd, client_uncrowd;
extern const struct client_command client_leak, client_unleak;
extern const struct client_command client_twins, client_untwins;
extern const struct client_command client_mixed;
extern const struct client_command client_churn, client_limited;
extern const struct client_command client_arena, client_unarena;
extern const struct client_command client_callbacks, client_uncallbacks, client_reclaimer;
extern const struct client_command client_gap;
extern const struct client_command client_emergency;
extern const struct client_command client_cost, client_touch, client_uncost;
extern const struct client_command client_kernel, client_unkernel;
extern const struct client_command client_pages, client_unpages;
extern const struct client_command client_areas, client_unareas;
extern const struct client_command client_stacks, client_unstacks;
extern const struct client_command client_kcontext, client_unkcontext;
extern const struct client_command client_kleak, client_unkleak;
extern const struct client_command client_sparse, client_thin, client_unsparse;

/* Append to quarry_client/result.  Any context. */
__printf(1, 2) void client_say(const char *fmt, ...);

/**
 * struct client_object - an object and the data that its pattern is made of
 * @p: the object
 * @cache: the cache it is freed to, or NULL: it is freed by quarry_free()
 * @size: bytes that the client may write
 * @seq: a number that gives two objects at one address different patterns
 * @cpu: the CPU that allocated it; not part of the pattern
 */
struct client_object {
	void *p;
	struct quarry_cache *cache;
	u32 size;
	u32 seq;
	u32 cpu;
};

/*
 * client_fill() writes the pattern of @o into the object.  client_check() returns 0, or -EIO if
 * the object no longer has its own pattern.
 */
void client_fill(const struct client_object *o);
int client_check(const struct client_object *o);
bool client_all_zero(const void *p, size_t size);

/* Check the pattern and free the object.  With a wrong pattern leak it, and return -EIO. */
int client_free(const struct client_object *o);

void client_release_all(void);
void client_vacate_all(void);
void client_defragment_all(void);
void client_unstream_all(void);
void client_unkstream_all(void);
void client_unpages_all(void);
void client_unareas_all(void);
void client_unstacks_all(void);
void client_unkleak_all(void);
void client_unkcontext_all(void);
void client_uncrowd_all(void);
void client_unleak_all(void);
void client_untwins_all(void);
void client_mixed_all(void);
void client_limited_all(void);
void client_unsparse_all(void);
void client_uncallbacks_all(void);
void client_uncost_all(void);
void client_uncase_all(void);
void client_unlose_all(void);

#endif /* QUARRY_CLIENT_H */
