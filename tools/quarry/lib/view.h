/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What "quarry top" shows: rows of a view, and the lines at its head.  All functions here are pure:
 * they make rows of two readings, and neither read nor draw.
 */
#ifndef Q_VIEW_H
#define Q_VIEW_H

#include "lib/reading.h"
#include "lib/table.h"

enum q_view {
	Q_VIEW_CACHES,
	Q_VIEW_SITES,	  /* call stacks of Quarry's own heap */
	Q_VIEW_KERNEL,	  /* call stacks of a domain of the kernel's */
	Q_VIEW_PROCESSES, /* a domain by the label comm */
	Q_VIEW_CGROUPS,	  /* a domain by the label cgroup */
	Q_VIEWS,
};

#define Q_VIEW_COLUMNS 12

/**
 * struct q_view_column - a column of a view
 * @c: as in a table
 * @width: characters on a screen; of a text, the least
 * @rank: columns with the highest rank are left out first where the screen is narrow; 0: never
 * @sort: rows can be sorted by it
 */
struct q_view_column {
	struct q_column c;
	int width;
	int rank;
	bool sort;
};

/**
 * struct q_view_info - a view
 * @name: its name
 * @what: what its rows are, for a sentence
 * @column: its columns; the last text among them is as wide as there is room
 * @nr: how many
 * @sort: the column that its rows are sorted by at first
 * @label: the label by which the profile is summed, or NULL
 */
struct q_view_info {
	const char *name;
	const char *what;
	const struct q_view_column *column;
	unsigned int nr;
	unsigned int sort;
	const char *label;
};

extern const struct q_view_info q_view_info[Q_VIEWS];

/* The number of a view by its name, or -1. */
int q_view_number(const char *name);

/* The column of a view that a word of the user's names, by its heading or the begin of it; or -1. */
int q_view_sort(enum q_view view, const char *word);

/* What a view needs to be read; @domain: the one that is chosen. */
struct q_want q_view_want(enum q_view view, unsigned int domain);

/**
 * struct q_row - a row of a view
 * @cell: a value for each column; texts belong to the reading
 * @site: of a profile, the site
 * @id: of a cache, its number
 */
struct q_row {
	struct q_cell cell[Q_VIEW_COLUMNS];
	const struct q_site *site;
	int64_t id;
};

/**
 * struct q_rows - the rows of a view, sorted
 * @row: those that the filter lets through
 * @nr: how many
 * @all: how many there are without a filter
 * @seconds: between the two readings; 0: there is one only, and no rates
 */
struct q_rows {
	struct q_row *row;
	unsigned int nr;
	unsigned int all;
	double seconds;
};

/**
 * struct q_view_input - what rows are made of
 * @view: the view
 * @now: the reading that is shown
 * @before: the one before it, or NULL
 * @first: the profile when the view was opened, or NULL
 * @sort: the column
 * @filter: rows without this in one of their texts are left out; "" or NULL: all rows are shown
 */
struct q_view_input {
	enum q_view view;
	const struct q_reading *now;
	const struct q_reading *before;
	const struct q_pprof *first;
	unsigned int sort;
	const char *filter;
};

/* The readings must live as long as the rows. */
void q_rows_make(struct q_rows *rows, const struct q_view_input *in);
void q_rows_free(struct q_rows *rows);

/* Fill in what only a cache's own file has.  NULL: unknown. */
void q_row_detail(struct q_row *row, const struct q_detail *now, const struct q_detail *before,
		  double seconds);

/* Did the module start counting anew between the readings? */
bool q_reading_is_anew(const struct q_reading *now, const struct q_reading *before);

/*
 * How wide each column is on a screen of @width characters, with a blank between two columns; 0: it
 * is left out.
 */
void q_view_layout(enum q_view view, int width, int *widths);

/* A cell's text of at most @width characters, if that is possible: 12,345,678 or 12.3 M. */
#define Q_CELL_LEN 512
const char *q_cell_fit(char *buf, enum q_unit unit, const struct q_cell *cell, int width);

/* --- The head --- */

/**
 * struct q_head - the numbers above a view
 * @allocs: allocations a second, or Q_UNKNOWN
 * @frees: frees a second, or Q_UNKNOWN
 * @slow_permille: time in slow paths, in thousandths of one CPU, or Q_UNKNOWN
 */
struct q_head {
	int64_t allocs;
	int64_t frees;
	int64_t slow_permille;
};

struct q_head q_head_of(const struct q_reading *now, const struct q_reading *before);

/*
 * All of it as JSON, with the first @most rows: what quarry-json(7) says of "quarry top".  @domain: of
 * the view.
 */
struct json_object *q_view_json(enum q_view view, unsigned int domain, const struct q_reading *now,
				const struct q_head *head, const struct q_rows *rows,
				unsigned int most);

#define Q_HEAD_LINES 3
#define Q_HEAD_LEN   512

/* One of the lines, of at most @width characters: memory, calls, profiler. */
const char *q_head_line(char *buf, unsigned int line, int width, const struct q_head *head,
			const struct q_reading *now);

/* All warnings in one line: the first one, and how many more there are; "" if there are none. */
const char *q_head_warning(char *buf, int width, const struct q_reading *now);

#endif
