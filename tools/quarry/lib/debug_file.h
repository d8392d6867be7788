/* SPDX-License-Identifier: GPL-2.0 */
/* Files with debug information, by build id, on this machine: no server is asked. */
#ifndef Q_DEBUG_FILE_H
#define Q_DEBUG_FILE_H

#include <stdbool.h>

/* How much a reason for no file says; the one that says most is kept. */
enum q_debug_reason {
	Q_DEBUG_NONE,
	Q_DEBUG_STRIPPED, /* a file has no debug information */
	Q_DEBUG_OTHER,	  /* a file of that name has another build id */
	Q_DEBUG_DAMAGED,
};

/**
 * struct q_debug_want - a file that is looked for
 * @name: of the module, or "vmlinux"
 * @build_id: in lower-case hexadecimal digits
 * @path: the file, or NULL while none is found
 * @reason: why there is none
 * @text: a sentence on it, or NULL
 */
struct q_debug_want {
	const char *name;
	const char *build_id;
	char *path;
	enum q_debug_reason reason;
	char *text;
};

/**
 * struct q_debug_places - where to look
 * @dir: folders, or single files, that the user names
 * @dirs: how many
 * @no_system: do not look where distributions keep such files
 */
struct q_debug_places {
	const char **dir;
	unsigned int dirs;
	bool no_system;
};

/* Find files for those of @want that have a build id. */
void q_debug_find(struct q_debug_want *want, unsigned int nr, const struct q_debug_places *places);

/* Note a reason for @want, unless one that says more is known.  @text is copied. */
void q_debug_note(struct q_debug_want *want, enum q_debug_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
