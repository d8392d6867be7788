// SPDX-License-Identifier: GPL-2.0
/* The texts of views: widths of columns, cells, and the lines above them. */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lib/clamp.h"
#include "lib/view.h"
#include "lib/warnings.h"

#define NAME_WIDTH 47

void q_view_layout(enum q_view view, int width, int *widths)
{
	const struct q_view_info *info = &q_view_info[view];
	int worst = 9, used, flexible = 0;

	do {
		used = -1;
		for (unsigned int i = 0; i < info->nr; i++) {
			const struct q_view_column *c = &info->column[i];

			widths[i] = c->c.head && c->rank < worst ? c->width : 0;
			used += widths[i] ? widths[i] + 1 : 0;
			if (widths[i] && c->c.unit == Q_TEXT)
				flexible = (int)i;
		}
	} while (used > width && worst-- > 1);
	widths[flexible] += width - used;
	if (widths[flexible] < 1)
		widths[flexible] = 1;
	/* No name is longer, and numbers far from it are hard to read. */
	if (!flexible && widths[0] > NAME_WIDTH)
		widths[0] = NAME_WIDTH;
	/* Half of what is left over from a stack is for the cache's name, which is short. */
	for (int i = 0; i < flexible; i++) {
		int more = (widths[flexible] - info->column[flexible].width) / 4;

		if (!widths[i] || info->column[i].c.unit != Q_TEXT || more <= 0)
			continue;
		more = more < 16 ? more : 16;
		widths[i] += more;
		widths[flexible] -= more;
	}
}

/* Four characters and a letter, of what is too wide otherwise. */
static void shorten(char *buf, int64_t value)
{
	static const char letter[] = " kMGTPE";
	double n = (double)value;
	int i = 0;

	for (; fabs(n) >= 999.5 && i < 6; i++)
		n /= 1000;
	snprintf(buf, Q_HUMAN_LEN, "%.*f %c", fabs(n) < 99.95, n, letter[i]);
}

const char *q_cell_fit(char *buf, enum q_unit unit, const struct q_cell *cell, int width)
{
	if (unit == Q_TEXT)
		return cell->text;
	if (cell->number == Q_UNKNOWN)
		return strcpy(buf, "-");
	q_human(buf, unit, cell->number);
	if ((int)strlen(buf) > width && unit == Q_COUNT)
		shorten(buf, cell->number);
	return buf;
}

/* --- The head --- */

static int64_t rate(const struct q_reading *now, const struct q_reading *before, const char *name,
		    double scale)
{
	double seconds = before ? (double)q_sub(now->time_ns, before->time_ns) / 1e9 : 0;

	if (seconds <= 0 || q_reading_is_anew(now, before))
		return Q_UNKNOWN;
	return q_whole(
		round((double)q_sub(q_value(&now->stats, name), q_value(&before->stats, name)) *
		      scale / seconds));
}

struct q_head q_head_of(const struct q_reading *now, const struct q_reading *before)
{
	return (struct q_head){
		.allocs = rate(now, before, "mallocs", 1),
		.frees = rate(now, before, "frees", 1),
		.slow_permille = rate(now, before, "slow_path_ns", 1e-6),
	};
}

static const char *human(enum q_unit unit, int64_t value)
{
	static char buf[8][Q_HUMAN_LEN];
	static unsigned int next;
	char *to = buf[next++ % 8];

	return value == Q_UNKNOWN ? "-" : q_human(to, unit, value);
}

static const char *named(const struct q_reading *r, const char *name, enum q_unit unit)
{
	return human(unit, q_value(&r->stats, name));
}

static void memory_line(char *buf, int width, const struct q_reading *now)
{
	char text[256], bar[128];
	int64_t limit = q_value(&now->stats, "hard_limit_bytes");
	int room;

	snprintf(text, sizeof(text), "%s in use, %s idle, %s metadata%s%s",
		 named(now, "inuse_bytes", Q_BYTES), named(now, "idle_bytes", Q_BYTES),
		 named(now, "metadata_bytes", Q_BYTES), limit == INT64_MAX ? "" : ", limit ",
		 limit == INT64_MAX ? "" : human(Q_BYTES, limit));
	/* "Memory", the number, the brackets and the blanks. */
	room = width - (int)strlen(text) - 9 - (int)strlen(named(now, "sys_bytes", Q_BYTES)) - 4;
	room = room > 100 ? 100 : room;
	if (room < 4) {
		snprintf(buf, Q_HEAD_LEN, "Memory   %s: %s", named(now, "sys_bytes", Q_BYTES),
			 text);
		return;
	}
	q_memory_bar(bar, room, &now->stats);
	snprintf(buf, Q_HEAD_LEN, "Memory   %s [%s] %s", named(now, "sys_bytes", Q_BYTES), bar,
		 text);
}

static void calls_line(char *buf, const struct q_head *head, const struct q_reading *now)
{
	char text[3][Q_HUMAN_LEN];

	snprintf(buf, Q_HEAD_LEN, "Calls    %s allocs/s, %s frees/s; %s live (%s); slow %s",
		 q_cell_fit(text[0], Q_COUNT, &Q_N(head->allocs), 7),
		 q_cell_fit(text[1], Q_COUNT, &Q_N(head->frees), 7),
		 q_cell_fit(text[2], Q_COUNT, &Q_N(q_value(&now->stats, "live_objects")), 7),
		 named(now, "live_bytes", Q_BYTES), human(Q_PERCENT, head->slow_permille));
}

static void profiler_line(char *buf, const struct q_reading *now)
{
	int64_t every = q_value(&now->stats, "sample_rate_bytes");
	int n, on = 0;

	if (every)
		n = snprintf(buf, Q_HEAD_LEN, "Profiler one in %s, %s samples",
			     human(Q_BYTES, every), named(now, "live_samples", Q_COUNT));
	else
		n = snprintf(buf, Q_HEAD_LEN, "Profiler off");
	n += snprintf(buf + n, Q_HEAD_LEN - n, "; kernel: ");
	for (unsigned int i = 1; i < now->domains; i++) {
		if (!now->domain[i].enabled)
			continue;
		n += snprintf(buf + n, Q_HEAD_LEN - n, "%s%s %s", on++ ? ", " : "",
			      now->domain[i].name,
			      human(Q_BYTES, (int64_t)now->domain[i].live_bytes));
	}
	if (!on)
		snprintf(buf + n, Q_HEAD_LEN - n, "not profiled");
}

const char *q_head_line(char *buf, unsigned int line, int width, const struct q_head *head,
			const struct q_reading *now)
{
	switch (line) {
	case 0:
		memory_line(buf, width, now);
		break;
	case 1:
		calls_line(buf, head, now);
		break;
	default:
		profiler_line(buf, now);
		break;
	}
	if (width < Q_HEAD_LEN)
		buf[width] = '\0';
	return buf;
}

const char *q_head_warning(char *buf, int width, const struct q_reading *now)
{
	struct json_object *all = q_warnings(&now->stats, now->domain, now->domains);
	size_t nr = json_object_array_length(all);
	char more[32] = "";
	int room;

	*buf = '\0';
	if (nr > 1)
		snprintf(more, sizeof(more), " (%zu more)", nr - 1);
	room = width - 2 - (int)strlen(more);
	if (nr)
		snprintf(buf, Q_HEAD_LEN, "! %.*s%s",
			 room < 0   ? 0 :
			 room > 400 ? 400 :
				      room,
			 json_object_get_string(json_object_array_get_idx(all, 0)), more);
	json_object_put(all);
	return buf;
}
