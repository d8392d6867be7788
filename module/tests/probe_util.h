/* SPDX-License-Identifier: GPL-2.0 */
/* Kprobes on the instructions of a function, for suites that nest into it there. */
#ifndef QR_TESTS_PROBE_UTIL_H
#define QR_TESTS_PROBE_UTIL_H

#include <kunit/test.h>
#include <linux/kprobes.h>

/*
 * Probes that come and go together, for each going takes a grace period.  All of them
 * are stepped over while one is at work, so more of them are not faster.
 */
#define QT_PROBES 16

/**
 * struct qt_probes - some probes
 * @kp: their places
 * @there: those that are set
 * @nr: how many are
 */
struct qt_probes {
	struct kprobe kp[QT_PROBES];
	struct kprobe *there[QT_PROBES];
	unsigned int nr;
};

/* Where the function that has @at in it begins and ends. */
void qt_function_ends(struct kunit *test, unsigned long at, unsigned long *from, unsigned long *to);

/*
 * One out of @every instructions gets a probe, from @at to before @to, as many as there
 * is room for.  Returns where to go on.
 */
unsigned long qt_probe(struct qt_probes *p, unsigned long at, unsigned long to, unsigned int every,
		       kprobe_pre_handler_t handler);
/* Of a struct qt_probes; fit to be an action. */
void qt_unprobe(void *probes);

/* Call @fn once from a kprobe's handler, which is as good as an NMI. */
void qt_in_nmi(struct kunit *test, void (*fn)(void *arg), void *arg);

#endif /* QR_TESTS_PROBE_UTIL_H */
