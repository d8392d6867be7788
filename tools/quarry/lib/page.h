/* SPDX-License-Identifier: GPL-2.0 */
/* A page to click in one file: flame graph and tables of one profile, of two, or of a recording. */
#ifndef Q_PAGE_H
#define Q_PAGE_H

#include <stdbool.h>
#include <stdio.h>
#include "lib/occupancy.h"
#include "lib/pprof.h"

/* What page/build made, from the first byte to the end. */
extern const char q_page_html[], q_page_html_end[];

/**
 * struct q_page - what a page shows
 * @title: its heading
 * @moment: profiles of one kind, the oldest first, each after q_pprof_join()
 * @name: of each of them, such as its file
 * @moments: how many: one is a profile, two a comparison, more a recording
 * @caches: how full caches are, or NULL
 */
struct q_page {
	const char *title;
	const struct q_pprof *moment;
	const char *const *name;
	unsigned int moments;
	const struct q_occupancies *caches;
};

/* Make the page: *@html is to be freed.  An exit status. */
int q_page_make(const struct q_page *page, char **html, size_t *size);

/* The last part of a path: what a title says of a file. */
const char *q_page_file(const char *path);

/* Write @text into @f as a string of JSON that HTML cannot take for anything else. */
void q_page_string(FILE *f, const char *text);

#endif
