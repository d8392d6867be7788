/* SPDX-License-Identifier: GPL-2.0 */
/* What q_watch_judge() found, as a table and in words. */
#ifndef Q_WATCH_TEXT_H
#define Q_WATCH_TEXT_H

#include "lib/table.h"
#include "lib/watch.h"

/**
 * enum q_watch_unit - the time that the speed of growth is given for
 * @Q_A_SECOND: for what was watched while somebody waited
 * @Q_AN_HOUR: for recordings
 */
enum q_watch_unit { Q_A_SECOND, Q_AN_HOUR };

/* The first @most sites.  Stacks have their first frames only, unless they are wanted @whole. */
struct q_table *q_watch_table(const struct q_watch *w, enum q_watch_unit unit, unsigned int most,
			      bool whole);

/* How many sites leak.  They come first. */
unsigned int q_watch_leaks(const struct q_watch *w);

/*
 * Write into @buf, of Q_WATCH_SENTENCE characters, what site @number does: "f leaks: ... (2.0 MiB
 * in 60 s).".  @advice is how to learn more of one that only grows.  Returns @buf, or NULL if the
 * site does not grow.
 */
#define Q_WATCH_SENTENCE 512
const char *q_watch_sentence(char *buf, const struct q_watch *w, unsigned int number,
			     const char *advice);

/* Print the sentences of the first sites, or that nothing grew. */
void q_watch_say(const struct q_watch *w, const char *advice);

#endif
