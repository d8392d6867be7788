/* SPDX-License-Identifier: GPL-2.0 */
/* top: what its files share.  top.c reads, top_screen.c draws, top_keys.c is the loop. */
#ifndef Q_TOP_H
#define Q_TOP_H

#include "lib/view.h"

#define TOP_FILTER 64

/**
 * struct top - what is shown
 * @view: the view
 * @kernel: the domain of the view kernel
 * @domain: the domain of the views processes and cgroups
 * @sort: of each view, the column
 * @filter: what the rows must have in one of their texts
 * @interval_ns: between two readings
 * @paused: nothing is read
 * @ended: the recording has no other moment
 * @now: the last reading
 * @before: the one before it
 * @has_before: there is one
 * @first: the profile when the view was opened or growth was reset
 * @has_first: there is one
 * @rows: the rows of the view
 * @head: the numbers above
 */
struct top {
	enum q_view view;
	unsigned int kernel;
	unsigned int domain;
	unsigned int sort[Q_VIEWS];
	char filter[TOP_FILTER];
	int64_t interval_ns;
	bool paused;
	bool ended;
	struct q_reading now;
	struct q_reading before;
	bool has_before;
	struct q_pprof first;
	bool has_first;
	struct q_rows rows;
	struct q_head head;
};

/* The domain that the view shows. */
unsigned int top_domain(const struct top *t);

/* Read and make the rows.  An exit status. */
int top_refresh(struct top *t);

/* Make the rows again: another column, another filter. */
void top_rows(struct top *t);

/* Read another view, or another domain; growth begins anew. */
int top_switch(struct top *t, enum q_view view);

/* Growth counts from now on. */
void top_reset(struct top *t);

/* Fill in what a row of caches needs its own file for. */
void top_detail(struct top *t, struct q_row *row);

/* The program with the whole screen.  An exit status. */
int top_screen(struct top *t);

/* --- top_screen.c --- */

enum screen_mode { SCREEN_ROWS, SCREEN_FILTER, SCREEN_HELP, SCREEN_ROW };

/**
 * struct screen - what is on the screen
 * @mode: the rows, or what covers them
 * @selected: the row that is chosen
 * @top: the first row on the screen
 * @key: which row was chosen with the arrows, so that it stays chosen when rows move; or NULL
 * @text: lines that cover the rows
 * @text_nr: how many
 * @text_top: the first line on the screen; a long one takes several
 */
struct screen {
	enum screen_mode mode;
	unsigned int selected;
	unsigned int top;
	char *key;
	char **text;
	unsigned int text_nr;
	unsigned int text_top;
};

int screen_open(void);
void screen_close(void);
void screen_draw(struct screen *s, struct top *t);

/* Lines of the screen that rows are on. */
unsigned int screen_room(void);

/* Lines of the screen that all of the text takes. */
unsigned int screen_text_lines(const struct screen *s);

/* What tells a row from the others at all moments. */
const char *screen_key_of(char *buf, size_t size, const struct q_row *row);

/* What covers the rows: help, or all of a row. */
void screen_help(struct screen *s);
void screen_row(struct screen *s, struct top *t);
void screen_text_free(struct screen *s);

#endif
