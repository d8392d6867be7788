// SPDX-License-Identifier: GPL-2.0
/* The loop of "quarry top": keys, signals, and a reading each interval. */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "lib/options.h"
#include "lib/problem.h"
#include "lib/recording.h"
#include "lib/signals.h"
#include "top.h"

#define ESCAPE 27

/* The intervals that + and - go through, in tenths of a second. */
static const int steps[] = { 1, 2, 5, 10, 20, 50, 100, 300, 600, 1800, 3600, 36000 };
#define STEPS ((int)(sizeof(steps) / sizeof(*steps)))

static void change_interval(struct top *t, bool longer)
{
	int i;

	if (longer) {
		for (i = 0; i < STEPS - 1 && steps[i] * 100000000LL <= t->interval_ns; i++)
			;
	} else {
		for (i = STEPS - 1; i > 0 && steps[i] * 100000000LL >= t->interval_ns; i--)
			;
	}
	t->interval_ns = steps[i] * 100000000LL;
}

/* The next column of the view that rows can be sorted by. */
static void change_sort(struct top *t, int step)
{
	const struct q_view_info *info = &q_view_info[t->view];
	unsigned int i = t->sort[t->view];

	do
		i = (i + info->nr + (unsigned int)step) % info->nr;
	while (!info->column[i].sort);
	t->sort[t->view] = i;
	top_rows(t);
}

/* Choose another row; the screen follows it from then on, unless it is the first one. */
static void choose(struct screen *s, const struct top *t, long row)
{
	char key[1024];

	if (!t->rows.nr)
		return;
	if (row < 0)
		row = 0;
	if (row >= (long)t->rows.nr)
		row = (long)t->rows.nr - 1;
	s->selected = (unsigned int)row;
	free(s->key);
	s->key = row ? q_strdup(screen_key_of(key, sizeof(key), &t->rows.row[row])) : NULL;
}

static void forget_row(struct screen *s)
{
	free(s->key);
	s->key = NULL;
	s->selected = s->top = 0;
}

static int another_domain(struct screen *s, struct top *t)
{
	unsigned int *domain = t->view == Q_VIEW_KERNEL ? &t->kernel : &t->domain;
	unsigned int least = t->view == Q_VIEW_KERNEL;

	if (t->view == Q_VIEW_CACHES || t->view == Q_VIEW_SITES)
		return Q_OK;
	*domain = *domain + 1 < t->now.domains ? *domain + 1 : least;
	forget_row(s);
	return top_switch(t, t->view);
}

static int another_view(struct screen *s, struct top *t, enum q_view view)
{
	forget_row(s);
	return top_switch(t, view);
}

/* A key while the rows are shown.  An exit status; *@quit: end. */
static int rows_key(struct screen *s, struct top *t, int key, bool *quit)
{
	long row = s->selected, page = screen_room();

	switch (key) {
	case 'q':
	case 'Q':
		*quit = true;
		break;
	case '1' ... '5':
		return another_view(s, t, (enum q_view)(key - '1'));
	case '\t':
		return another_view(s, t, (t->view + 1) % Q_VIEWS);
	case KEY_BTAB:
		return another_view(s, t, (t->view + Q_VIEWS - 1) % Q_VIEWS);
	case 'd':
		return another_domain(s, t);
	case 's':
	case KEY_RIGHT:
		change_sort(t, 1);
		break;
	case KEY_LEFT:
		change_sort(t, -1);
		break;
	case KEY_UP:
	case 'k':
		choose(s, t, row - 1);
		break;
	case KEY_DOWN:
	case 'j':
		choose(s, t, row + 1);
		break;
	case KEY_PPAGE:
		choose(s, t, row - page);
		break;
	case KEY_NPAGE:
		choose(s, t, row + page);
		break;
	case KEY_HOME:
		choose(s, t, 0);
		break;
	case KEY_END:
		choose(s, t, (long)t->rows.nr - 1);
		break;
	case '/':
		s->mode = SCREEN_FILTER;
		break;
	case ESCAPE:
		*t->filter = '\0';
		top_rows(t);
		break;
	case 'p':
	case ' ':
		t->paused = !t->paused;
		break;
	case 'r':
		top_reset(t);
		break;
	case '+':
	case '-':
		change_interval(t, key == '+');
		break;
	case '?':
	case 'h':
		screen_help(s);
		s->mode = SCREEN_HELP;
		break;
	case '\r':
	case '\n':
	case KEY_ENTER:
		if (t->rows.nr) {
			screen_row(s, t);
			s->mode = SCREEN_ROW;
		}
		break;
	}
	return Q_OK;
}

static void filter_key(struct screen *s, struct top *t, int key)
{
	size_t len = strlen(t->filter);

	if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		s->mode = SCREEN_ROWS;
	} else if (key == ESCAPE) {
		*t->filter = '\0';
		s->mode = SCREEN_ROWS;
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		if (len)
			t->filter[len - 1] = '\0';
	} else if (key >= ' ' && key < 127 && len < TOP_FILTER - 1) {
		t->filter[len] = (char)key;
		t->filter[len + 1] = '\0';
	}
	forget_row(s);
	top_rows(t);
}

static void text_key(struct screen *s, int key)
{
	unsigned int page = LINES > 1 ? (unsigned int)LINES - 1 : 1;
	unsigned int lines = screen_text_lines(s), last = lines > page ? lines - page : 0;

	switch (key) {
	case KEY_DOWN:
	case 'j':
		s->text_top++;
		break;
	case KEY_UP:
	case 'k':
		s->text_top -= s->text_top != 0;
		break;
	case KEY_NPAGE:
	case ' ':
		s->text_top += page;
		break;
	case KEY_PPAGE:
		s->text_top -= s->text_top < page ? s->text_top : page;
		break;
	case 'q':
	case ESCAPE:
	case '\r':
	case '\n':
	case KEY_ENTER:
		s->mode = SCREEN_ROWS;
		return;
	}
	if (s->text_top > last)
		s->text_top = last;
}

static int keys(struct screen *s, struct top *t, bool *quit)
{
	int key, status = Q_OK;

	while (!status && !*quit && (key = getch()) != ERR) {
		if (s->mode == SCREEN_FILTER)
			filter_key(s, t, key);
		else if (s->mode == SCREEN_ROW)
			text_key(s, key);
		else if (s->mode == SCREEN_HELP)
			s->mode = SCREEN_ROWS;
		else
			status = rows_key(s, t, key, quit);
	}
	return status;
}

static void resize(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clear();
}

/* Read again.  At the end of a recording its last moment stays. */
static int next_reading(struct top *t)
{
	if (q_options.recording && !q_recording_next()) {
		t->ended = true;
		return Q_OK;
	}
	return top_refresh(t);
}

static int loop(struct screen *s, struct top *t, int signals)
{
	struct pollfd ready[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				  { .fd = signals, .events = POLLIN } };
	int64_t last = q_now_ns();
	bool quit = false;
	int status = Q_OK, signal;

	while (!status && !quit) {
		bool waits = !t->paused && !t->ended;
		int64_t left = last + t->interval_ns - q_now_ns();
		struct timespec time = { 0 };

		if (waits && left <= 0) {
			last = q_now_ns();
			status = next_reading(t);
			continue;
		}
		screen_draw(s, t);
		if (waits) {
			time.tv_sec = left / 1000000000;
			time.tv_nsec = left % 1000000000;
		}
		if (ppoll(ready, 2, waits ? &time : NULL, NULL) < 0 && errno != EINTR)
			break;
		while ((signal = q_signals_next(signals))) {
			if (signal == SIGWINCH)
				resize();
			else
				quit = true;
		}
		if (!quit)
			status = keys(s, t, &quit);
		/* The terminal is gone. */
		if (ready[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			quit = true;
	}
	return status;
}

int top_screen(struct top *t)
{
	struct screen s = { .mode = SCREEN_ROWS };
	int signals = q_signals_open(true), status;

	if (signals < 0)
		return q_problem(Q_FAILED, "waiting for signals: %s", strerror(errno));
	status = screen_open();
	if (!status)
		status = loop(&s, t, signals);
	screen_close();
	screen_text_free(&s);
	free(s.key);
	close(signals);
	return status;
}
