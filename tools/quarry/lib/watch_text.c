// SPDX-License-Identifier: GPL-2.0
#include "lib/watch_text.h"

#include <stdio.h>
#include <string.h>
#include "lib/clamp.h"
#include "lib/human.h"
#include "lib/options.h"

#define FRAMES	  5 /* of a stack that is not wanted whole */
#define SENTENCES 3
#define HOUR	  3600.0

/* --- The table --- */

enum { VERDICT, GROWTH, ERROR, SPEED, LIVE, ALLOCATED, KEPT, CACHE, STACK, COLUMNS };

#define OTHER_COLUMNS                                                                              \
	[VERDICT] = { "verdict", "verdict", Q_TEXT },                                              \
	[GROWTH] = { "growth_bytes", "growth", Q_BYTES },                                          \
	[ERROR] = { "error_bytes", "+/-", Q_BYTES }, [LIVE] = { "live_bytes", "live", Q_BYTES },   \
	[ALLOCATED] = { "allocated_bytes", "allocated", Q_BYTES },                                 \
	[KEPT] = { "kept_percent", "kept", Q_PERCENT }, [CACHE] = { "cache", "cache", Q_TEXT },    \
	[STACK] = { "stack", "stack", Q_TEXT }

static const struct q_column columns[][COLUMNS] = {
	[Q_A_SECOND] = { OTHER_COLUMNS, [SPEED] = { "growth_bytes_per_second", "a second",
						    Q_SECOND } },
	[Q_AN_HOUR] = { OTHER_COLUMNS, [SPEED] = { "growth_bytes_per_hour", "an hour", Q_BYTES } },
};

static double seconds_of(const struct q_watch *w)
{
	return (double)q_sub(w->to_ns, w->from_ns) / 1e9;
}

static const char *shortened(const char *stack)
{
	static char buf[512];
	const char *end = stack;

	for (int frames = 0; frames < FRAMES && end; frames++) {
		end = strstr(end, " < ");
		if (end)
			end += 3;
	}
	if (!end)
		return stack;
	snprintf(buf, sizeof(buf), "%.*s...", (int)(end - stack > 500 ? 500 : end - stack), stack);
	return buf;
}

struct q_table *q_watch_table(const struct q_watch *w, enum q_watch_unit unit, unsigned int most,
			      bool whole)
{
	double seconds = seconds_of(w), times = unit == Q_AN_HOUR ? HOUR : 1;
	struct q_table *t = q_table_new(columns[unit], COLUMNS);

	for (unsigned int i = 0; i < w->nr && i < most; i++) {
		const struct q_watched *site = &w->site[i];
		const struct q_growth *g = &site->growth;

		q_table_add(t, (struct q_cell[COLUMNS]){
				       [VERDICT] = Q_S(q_verdict_name[g->verdict]),
				       [GROWTH] = Q_N(g->growth),
				       [ERROR] = Q_N(g->error),
				       [SPEED] = Q_N(seconds > 0 ? q_whole((double)g->growth *
									   times / seconds) :
								   0),
				       [LIVE] = Q_N(q_watched_live(site)),
				       [ALLOCATED] = Q_N(g->allocated),
				       [KEPT] = Q_N(q_growth_kept(g)),
				       [CACHE] = Q_S(site->cache),
				       [STACK] = Q_S(whole ? site->stack : shortened(site->stack)),
			       });
	}
	return t;
}

unsigned int q_watch_leaks(const struct q_watch *w)
{
	unsigned int n = 0;

	while (n < w->nr && w->site[n].growth.verdict == Q_LEAK)
		n++;
	return n;
}

/* --- Words --- */

/* How long it was watched.  Also with --bytes in seconds: the command was told a number of them. */
static const char *time_text(char *buf, const struct q_watch *w)
{
	double seconds = seconds_of(w);

	if (seconds >= 120 && !q_options.exact)
		return q_human(buf, Q_NS, q_sub(w->to_ns, w->from_ns));
	snprintf(buf, Q_HUMAN_LEN, "%.0f s", seconds);
	return buf;
}

const char *q_watch_sentence(char *buf, const struct q_watch *w, unsigned int number,
			     const char *advice)
{
	const struct q_watched *site = &w->site[number];
	char bytes[Q_HUMAN_LEN], time[Q_HUMAN_LEN], text[128];
	const char *end = strstr(site->stack, " < ");

	switch (site->growth.verdict) {
	case Q_LEAK:
		snprintf(text, sizeof(text),
			 "leaks: what it keeps grows as it allocates, and does not slow down");
		break;
	case Q_GROWS:
		snprintf(text, sizeof(text), "grows; %s", advice);
		break;
	case Q_FILLS:
		snprintf(text, sizeof(text), "filled, and has stopped growing");
		break;
	default:
		return NULL;
	}
	snprintf(buf, Q_WATCH_SENTENCE, "%.*s %s (%s in %s).",
		 end ? (int)(end - site->stack) : (int)strnlen(site->stack, 256), site->stack, text,
		 q_human(bytes, Q_BYTES, site->growth.growth), time_text(time, w));
	return buf;
}

void q_watch_say(const struct q_watch *w, const char *advice)
{
	char sentence[Q_WATCH_SENTENCE], time[Q_HUMAN_LEN];
	unsigned int said = 0;

	while (said < w->nr && said < SENTENCES && q_watch_sentence(sentence, w, said, advice)) {
		puts(sentence);
		said++;
	}
	if (!said)
		printf("Nothing grew by more than its error in %s.\n", time_text(time, w));
}
