/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Signals as something to wait for.  They are blocked, so that they interrupt nothing: what is under
 * way is finished first.
 */
#ifndef Q_SIGNALS_H
#define Q_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Block SIGINT, SIGTERM and SIGHUP, and with @resize SIGWINCH.  A file for poll(), or -1. */
int q_signals_open(bool resize);

/* The next signal that has come, or 0. */
int q_signals_next(int fd);

/* Now, by the monotonic clock. */
int64_t q_now_ns(void);

/* Wait until @until_ns.  true: a signal came before. */
bool q_signals_wait(int fd, int64_t until_ns);

#endif
