/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What goes wrong, in one sentence, with the command that helps.
 *
 * A function that can fail returns one of these numbers after it has printed the sentence.  They
 * are the program's exit statuses.
 */
#ifndef Q_PROBLEM_H
#define Q_PROBLEM_H

#include <stdbool.h>

enum q_exit {
	Q_OK = 0,
	Q_FAILED = 1,	 /* the command could not be carried out */
	Q_USAGE = 2,	 /* the command line is wrong */
	Q_NO_MODULE = 3, /* the module is not loaded */
	Q_NO_PERMISSION = 4,
	Q_OTHER_ABI = 5, /* module and program do not fit together */
	Q_FOUND = 6,	 /* "doctor" or "leaks --check" found something */
};

/* Print "quarry: TEXT" and return @status. */
int q_problem(enum q_exit status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * While a program has the whole screen: keep the sentence (the first one) instead of printing it, and
 * print what was kept when @hold is false.
 */
void q_problem_hold(int hold);

/*
 * Say why the file @what could not be opened or read, by errno, and what helps if it is one of the
 * module's.  Returns the exit status.
 */
int q_cannot_open(const char *what);

/* Is the kernel locked down, as under Secure Boot?  False where that cannot be seen. */
bool q_locked_down(void);

/* Is debugfs mounted where it belongs? */
bool q_debugfs_mounted(void);

/* Is the module loaded?  Also true where that cannot be seen. */
int q_module_loaded(void);

#endif
