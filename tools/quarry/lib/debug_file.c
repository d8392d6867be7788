// SPDX-License-Identifier: GPL-2.0
#include "lib/debug_file.h"

#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "lib/dwarf.h"
#include "lib/problem.h"
#include "lib/table.h"

#define ENTRIES_MAX 1000000 /* of one folder, with all below it */
#define PATH_LEN    4096

void q_debug_note(struct q_debug_want *want, enum q_debug_reason reason, const char *fmt, ...)
{
	va_list args;

	if (reason <= want->reason)
		return;
	free(want->text);
	want->reason = reason;
	va_start(args, fmt);
	if (vasprintf(&want->text, fmt, args) < 0)
		exit(q_problem(Q_FAILED, "out of memory"));
	va_end(args);
}

/* How a file was come by, and so what is worth telling if it does not fit. */
enum how {
	BY_NAME, /* in a folder of the system: many a file there is of no use, and may be */
	BY_ID,	 /* under its build id: it must be readable */
	BY_USER, /* in a place that the user named */
};

static void try_file(struct q_debug_want *want, const char *path, enum how how)
{
	char text[Q_BUILD_ID_LEN];

	switch (q_dwarf_check(path, want->build_id, text)) {
	case Q_DWARF_FITS:
		want->path = q_strdup(path);
		break;
	case Q_DWARF_OTHER:
		if (how == BY_USER)
			q_debug_note(want, Q_DEBUG_OTHER,
				     "%s has the build id %s, but %s was loaded", path, text,
				     want->build_id);
		break;
	case Q_DWARF_STRIPPED:
		if (how == BY_USER)
			q_debug_note(want, Q_DEBUG_STRIPPED, "%s has no debug information", path);
		break;
	case Q_DWARF_DAMAGED:
		if (how != BY_NAME)
			q_debug_note(want, Q_DEBUG_DAMAGED, "%s is damaged: %s", path, text);
		break;
	}
}

/* The file of a build id, by the name that debuggers look for it under. */
static void try_build_id(struct q_debug_want *want, const char *dir, enum how how)
{
	char path[PATH_LEN];

	if (want->path || strlen(want->build_id) < 3)
		return;
	snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", dir, want->build_id,
		 want->build_id + 2);
	if (!access(path, F_OK))
		try_file(want, path, how);
}

/* --- Folders --- */

/* Is @file a name of the module @name, or of the kernel?  Dashes are underscores in a module. */
static bool is_name(const char *file, const char *name)
{
	static const char *const ends[] = { ".ko",    ".ko.debug", ".ko.gz",
					    ".ko.xz", ".ko.zst",   ".debug" };
	size_t len = strlen(name);

	if (!strcmp(name, "vmlinux"))
		return !strncmp(file, name, len) && (!file[len] || strchr("-.", file[len]));
	for (size_t i = 0; i < len; i++)
		if ((file[i] == '-' ? '_' : file[i]) != name[i])
			return false;
	for (unsigned int i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!strcmp(file + len, ends[i]))
			return true;
	return false;
}

/* A single file may have any name: its build id tells which one it is. */
static void try_single(struct q_debug_want *want, unsigned int nr, const char *path, enum how how)
{
	const char *slash = strrchr(path, '/');
	char text[Q_BUILD_ID_LEN];
	bool readable = q_dwarf_check(path, "", text) == Q_DWARF_OTHER;

	for (unsigned int i = 0; i < nr; i++)
		if (want[i].build_id && !want[i].path &&
		    ((readable && !strcmp(text, want[i].build_id)) ||
		     is_name(slash ? slash + 1 : path, want[i].name)))
			try_file(&want[i], path, how);
}

static void search(struct q_debug_want *want, unsigned int nr, const char *dir, enum how how)
{
	char *paths[] = { (char *)dir, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
	unsigned int entries = 0;
	FTSENT *at;

	while (fts && (at = fts_read(fts)) && entries++ < ENTRIES_MAX) {
		if (at->fts_info == FTS_D && !strcmp(at->fts_name, ".build-id"))
			fts_set(fts, at, FTS_SKIP);
		if (at->fts_info != FTS_F && at->fts_info != FTS_SL)
			continue;
		if (!at->fts_level)
			try_single(want, nr, dir, how);
		for (unsigned int i = 0; i < nr && at->fts_level; i++)
			if (!want[i].path && want[i].build_id &&
			    is_name(at->fts_name, want[i].name))
				try_file(&want[i], at->fts_path, how);
	}
	if (fts)
		fts_close(fts);
}

static bool all_found(const struct q_debug_want *want, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (want[i].build_id && !want[i].path)
			return false;
	return true;
}

/* --- Places of distributions --- */

static void try_debuginfod(struct q_debug_want *want)
{
	const char *cache = getenv("DEBUGINFOD_CACHE_PATH"), *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	char path[PATH_LEN];
	struct stat st;

	if (want->path)
		return;
	if (cache)
		snprintf(path, sizeof(path), "%s/%s/debuginfo", cache, want->build_id);
	else if (xdg)
		snprintf(path, sizeof(path), "%s/debuginfod_client/%s/debuginfo", xdg,
			 want->build_id);
	else
		snprintf(path, sizeof(path), "%s/.cache/debuginfod_client/%s/debuginfo",
			 home ?: "/root", want->build_id);
	/* An empty file says that no server has it. */
	if (!stat(path, &st) && st.st_size)
		try_file(want, path, BY_ID);
}

static void search_system(struct q_debug_want *want, unsigned int nr)
{
	static const char *const place[] = { "/lib/modules/%s", "/usr/lib/debug/lib/modules/%s",
					     "/usr/lib/debug/boot/vmlinux-%s", "/boot/vmlinux-%s" };
	struct utsname name;
	char path[PATH_LEN];

	for (unsigned int i = 0; i < nr; i++)
		if (want[i].build_id)
			try_build_id(&want[i], "/usr/lib/debug", BY_ID);
	if (uname(&name))
		return;
	for (unsigned int i = 0; i < sizeof(place) / sizeof(*place) && !all_found(want, nr); i++) {
		snprintf(path, sizeof(path), place[i], name.release);
		if (!access(path, F_OK))
			search(want, nr, path, BY_NAME);
	}
}

void q_debug_find(struct q_debug_want *want, unsigned int nr, const struct q_debug_places *places)
{
	for (unsigned int d = 0; d < places->dirs; d++) {
		for (unsigned int i = 0; i < nr; i++)
			if (want[i].build_id)
				try_build_id(&want[i], places->dir[d], BY_USER);
		if (!all_found(want, nr))
			search(want, nr, places->dir[d], BY_USER);
	}
	for (unsigned int i = 0; i < nr; i++)
		if (want[i].build_id)
			try_debuginfod(&want[i]);
	if (!places->no_system && !all_found(want, nr))
		search_system(want, nr);
}
