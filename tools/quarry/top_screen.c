// SPDX-License-Identifier: GPL-2.0
/* The screen of "quarry top". */
#include <curses.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include "lib/options.h"
#include "lib/problem.h"
#include "top.h"

/* Lines: the head, warnings, the views, headings; rows; what keys do. */
#define WARNING_LINE Q_HEAD_LINES
#define VIEWS_LINE   (Q_HEAD_LINES + 1)
#define HEADING_LINE (Q_HEAD_LINES + 2)
#define FIRST_ROW    (Q_HEAD_LINES + 3)
#define LEAST_LINES  10
#define LEAST_WIDTH  40
#define TEXT_INDENT  8 /* of the second line of a text that is too long */

enum { GREEN = 1, YELLOW, BLUE, MAGENTA, RED, COLOURS };

static SCREEN *terminal;
static bool colours;

static void at_exit(void)
{
	screen_close();
}

int screen_open(void)
{
	static const short colour[COLOURS] = { 0,	   COLOR_GREEN,	  COLOR_YELLOW,
					       COLOR_BLUE, COLOR_MAGENTA, COLOR_RED };
	static bool registered;

	setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return q_problem(Q_FAILED,
				 "this terminal (TERM=%s) cannot be used; --batch N prints instead",
				 getenv("TERM") ?: "");
	/* For a program that ends in the middle, for want of memory. */
	if (!registered)
		atexit(at_exit);
	registered = true;
	q_problem_hold(true);
	colours = q_options.colour && has_colors() && start_color() == OK;
	if (colours) {
		use_default_colors();
		for (short i = 1; i < COLOURS; i++)
			init_pair(i, colour[i], -1);
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	return Q_OK;
}

void screen_close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
	q_problem_hold(false);
}

static void paint(int colour, bool on)
{
	if (colours && on)
		attron(COLOR_PAIR(colour));
	else if (colours)
		attroff(COLOR_PAIR(colour));
}

/* --- Texts --- */

/* What stands for the end of a text that is cut. */
static wchar_t cut_mark(void)
{
	return MB_CUR_MAX > 1 ? L'\u2026' : L'+';
}

/*
 * Add @text in @width columns of the screen, cut or filled up with blanks.  What cannot be printed
 * becomes "?".
 */
static void add_fit(const char *text, int width, bool right)
{
	size_t left = strlen(text);
	int used = 0, columns = 0;
	wchar_t wide[1024];
	mbstate_t state = { 0 };

	while (left && used < (int)(sizeof(wide) / sizeof(*wide)) - 1) {
		size_t n = mbrtowc(&wide[used], text, left, &state);
		int w;

		if (n == (size_t)-1 || n == (size_t)-2) {
			state = (mbstate_t){ 0 };
			wide[used] = L'?';
			n = 1;
		}
		w = wcwidth(wide[used]);
		if (w < 0) {
			wide[used] = L'?';
			w = 1;
		}
		if (columns + w > width)
			break;
		columns += w;
		used++;
		text += n;
		left -= n;
	}
	/* Not where half of a wide character would stay. */
	if (left && used && width > 1 && wcwidth(wide[used - 1]) == 1)
		wide[used - 1] = cut_mark();
	if (right && columns < width)
		printw("%*s", width - columns, "");
	addnwstr(wide, used);
	if (!right && columns < width)
		printw("%*s", width - columns, "");
}

static void line_at(int y, const char *text)
{
	move(y, 0);
	clrtoeol();
	add_fit(text, COLS, false);
}

/* The line of memory, with the parts of its bar in colours. */
static void memory_at(int y, const char *text)
{
	const char *bar = strchr(text, '['), *end = bar ? strchr(bar, ']') : NULL;

	line_at(y, text);
	if (!end)
		return;
	for (const char *s = bar + 1; s < end; s++) {
		int colour = *s == '#' ? GREEN :
			     *s == '+' ? YELLOW :
			     *s == '.' ? BLUE :
			     *s == 'm' ? MAGENTA :
					 0;

		if (!colour)
			continue;
		paint(colour, true);
		mvaddch(y, (int)(s - text), (chtype)*s);
		paint(colour, false);
	}
}

/* --- Parts of the screen --- */

static void draw_head(struct top *t)
{
	char buf[Q_HEAD_LEN];

	memory_at(0, q_head_line(buf, 0, COLS, &t->head, &t->now));
	for (unsigned int i = 1; i < Q_HEAD_LINES; i++)
		line_at((int)i, q_head_line(buf, i, COLS, &t->head, &t->now));
	q_head_warning(buf, COLS, &t->now);
	paint(RED, true);
	line_at(WARNING_LINE, buf);
	paint(RED, false);
}

/*
 * What stands right of the views: the domain, how many rows, and when.  With fewer @parts it is
 * shorter.
 */
static int views_right(char *buf, size_t size, const struct top *t, int parts)
{
	time_t when = (time_t)(t->now.wall_ns / 1000000000);
	char time[32], rows[48] = "";
	const char *domain = "";

	if (t->view == Q_VIEW_KERNEL || t->view == Q_VIEW_PROCESSES || t->view == Q_VIEW_CGROUPS)
		domain = q_domain_name[top_domain(t)];
	if (parts > 1 && t->rows.nr != t->rows.all)
		snprintf(rows, sizeof(rows), "  %u of %u%s", t->rows.nr, t->rows.all,
			 parts > 2 ? " rows" : "");
	else if (parts > 2)
		snprintf(rows, sizeof(rows), "  %u rows", t->rows.nr);
	if (q_options.recording)
		strftime(time, sizeof(time), parts > 2 ? "  %m-%d %H:%M:%S" : "  %H:%M:%S",
			 localtime(&when));
	else
		snprintf(time, sizeof(time), t->paused ? "" : "  every %g s",
			 (double)t->interval_ns / 1e9);
	return snprintf(buf, size, "%s%s%s%s", domain, rows, time,
			t->ended  ? "  end" :
			t->paused ? "  paused" :
				    "");
}

static void draw_views(const struct top *t)
{
	char right[128];
	int x;

	move(VIEWS_LINE, 0);
	clrtoeol();
	for (int i = 0; i < Q_VIEWS; i++) {
		attrset(i == (int)t->view ? A_REVERSE | A_BOLD : A_NORMAL);
		printw(" %d %s ", i + 1, q_view_info[i].name);
		attrset(A_NORMAL);
	}
	x = getcurx(stdscr);
	for (int parts = 3; parts; parts--) {
		if (x + views_right(right, sizeof(right), t, parts) >= COLS)
			continue;
		mvaddstr(VIEWS_LINE, COLS - (int)strlen(right), right);
		break;
	}
}

static void draw_headings(const struct top *t, const int *widths)
{
	const struct q_view_info *info = &q_view_info[t->view];

	move(HEADING_LINE, 0);
	clrtoeol();
	for (unsigned int i = 0; i < info->nr; i++) {
		const struct q_view_column *c = &info->column[i];
		char head[64];

		if (!widths[i])
			continue;
		snprintf(head, sizeof(head), "%s", c->c.head);
		attrset(i == t->sort[t->view] ? A_REVERSE : A_UNDERLINE);
		add_fit(head, widths[i], c->c.unit != Q_TEXT);
		attrset(A_UNDERLINE);
		if (getcurx(stdscr) < COLS && getcury(stdscr) == HEADING_LINE)
			addch(' ');
		attrset(A_NORMAL);
	}
}

unsigned int screen_room(void)
{
	return LINES > FIRST_ROW + 1 ? (unsigned int)(LINES - FIRST_ROW - 1) : 1;
}

static void draw_row(const struct top *t, struct q_row *row, int y, const int *widths,
		     bool selected)
{
	const struct q_view_info *info = &q_view_info[t->view];
	char buf[Q_CELL_LEN];

	move(y, 0);
	attrset(selected ? A_REVERSE : A_NORMAL);
	for (unsigned int i = 0; i < info->nr; i++) {
		enum q_unit unit = info->column[i].c.unit;

		if (!widths[i])
			continue;
		add_fit(q_cell_fit(buf, unit, &row->cell[i], widths[i]), widths[i], unit != Q_TEXT);
		if (getcury(stdscr) == y && getcurx(stdscr) < COLS)
			addch(' ');
	}
	attrset(A_NORMAL);
}

/* What stands in place of rows when there are none. */
static void draw_why_empty(const struct top *t)
{
	const char *domain = q_domain_name[top_domain(t)];

	move(FIRST_ROW + 1, 2);
	if (t->rows.all)
		printw("None of %u %s has \"%s\" in it.", t->rows.all, q_view_info[t->view].what,
		       t->filter);
	else if (t->view == Q_VIEW_CACHES || t->now.has_profile)
		printw("There are no %s.", q_view_info[t->view].what);
	else if (q_options.recording)
		printw("Domain %s was not recorded at this moment; d shows another one.", domain);
	else
		printw("Domain %s is off: \"quarry kernel on %s\"; d shows another one.", domain,
		       domain);
}

/* The row that was chosen may be elsewhere now. */
static void follow(struct screen *s, const struct top *t)
{
	unsigned int room = screen_room();

	for (unsigned int i = 0; s->key && i < t->rows.nr; i++) {
		char key[1024];

		if (!strcmp(s->key, screen_key_of(key, sizeof(key), &t->rows.row[i]))) {
			s->selected = i;
			break;
		}
	}
	if (s->selected >= t->rows.nr)
		s->selected = t->rows.nr ? t->rows.nr - 1 : 0;
	if (s->selected < s->top)
		s->top = s->selected;
	if (s->selected >= s->top + room)
		s->top = s->selected - room + 1;
	if (s->top + room > t->rows.nr)
		s->top = t->rows.nr > room ? t->rows.nr - room : 0;
}

static void draw_rows(struct screen *s, struct top *t)
{
	int widths[Q_VIEW_COLUMNS], y = FIRST_ROW;

	follow(s, t);
	q_view_layout(t->view, COLS, widths);
	draw_headings(t, widths);
	for (unsigned int i = s->top; i < t->rows.nr && y < LINES - 1; i++, y++) {
		top_detail(t, &t->rows.row[i]);
		draw_row(t, &t->rows.row[i], y, widths, i == s->selected);
	}
	if (!t->rows.nr)
		draw_why_empty(t);
	if (t->view == Q_VIEW_CGROUPS && t->rows.all == 1 && LINES > FIRST_ROW + 4)
		mvprintw(FIRST_ROW + 2, 2,
			 "Samples have the label cgroup after \"echo Y "
			 ">/sys/module/quarry/parameters/kernel_cgroups\".");
}

/* Bytes of @text for a line of @width: all of it, or as far as a blank. */
static size_t line_part(const char *text, int width)
{
	size_t len = strlen(text), at = width > 1 ? (size_t)width : 1;

	if (len <= at)
		return len;
	while (at > strspn(text, " ") && text[at] != ' ')
		at--;
	return at > strspn(text, " ") ? at : (size_t)width;
}

/* Walk over the lines that the text takes on the screen, and draw those that are on it. */
static unsigned int walk_text(const struct screen *s, bool draw)
{
	unsigned int line = 0;

	for (unsigned int i = 0; i < s->text_nr; i++) {
		const char *text = s->text[i];
		int indent = 0;

		do {
			size_t part = line_part(text, COLS - indent);
			char buf[1024];

			snprintf(buf, sizeof(buf), "%*s%.*s", indent, "", (int)part, text);
			if (draw && line >= s->text_top && line - s->text_top + 1 < LINES)
				line_at((int)(line - s->text_top), buf);
			line++;
			text += part;
			text += strspn(text, " ");
			indent = TEXT_INDENT;
		} while (*text);
	}
	return line;
}

unsigned int screen_text_lines(const struct screen *s)
{
	return walk_text(s, false);
}

static void draw_keys(const struct screen *s, const struct top *t)
{
	static const char *const keys[] = {
		[SCREEN_ROWS] = "q quit  ? help  1-5 view  s sort  / filter  d domain  p pause  "
				"Enter whole row",
		[SCREEN_HELP] = "any key: back",
		[SCREEN_ROW] = "q back  arrows: scroll",
	};
	char buf[128];

	if (s->mode == SCREEN_FILTER || (s->mode == SCREEN_ROWS && *t->filter)) {
		snprintf(buf, sizeof(buf), "/%s%s", t->filter,
			 s->mode == SCREEN_FILTER ? "_   Enter keeps it, Esc shows all" :
						    "   (/ changes it, Esc shows all)");
		line_at(LINES - 1, buf);
		return;
	}
	attrset(A_DIM);
	line_at(LINES - 1, keys[s->mode]);
	attrset(A_NORMAL);
}

void screen_draw(struct screen *s, struct top *t)
{
	erase();
	if (LINES < LEAST_LINES || COLS < LEAST_WIDTH) {
		mvaddnstr(0, 0, "The window is too small.", COLS);
		refresh();
		return;
	}
	if (s->mode == SCREEN_HELP || s->mode == SCREEN_ROW) {
		walk_text(s, true);
	} else {
		draw_head(t);
		draw_views(t);
		draw_rows(s, t);
	}
	draw_keys(s, t);
	refresh();
}
