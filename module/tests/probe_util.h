/* SPDX-License-Identifier: GPL-2.0 */
/* Kprobes on the instructions of a function, for suites that run code in the middle of it. */
#ifndef QR_TESTS_PROBE_UTIL_H
#define QR_TESTS_PROBE_UTIL_H

#include <kunit/test.h>
#include <linux/kprobes.h>

/*
 * Probes that are set and removed together, because each removal takes a grace period.  All set
 * probes are hit while only one of them is in use, so a larger number would not be faster.
 */
#define QT_PROBES 16

/**
 * struct qt_probes - a group of probes
 * @kp: storage for the probes
 * @there: pointers to those that are set
 * @nr: how many are set
 */
struct qt_probes {
	struct kprobe kp[QT_PROBES];
	struct kprobe *there[QT_PROBES];
	unsigned int nr;
};

/* Set @from and @to to the begin and end of the function that contains the address @at. */
void qt_function_ends(struct kunit *test, unsigned long at, unsigned long *from, unsigned long *to);

/*
 * Set a probe on one out of @every instructions from @at to before @to, up to QT_PROBES of them.
 * Returns the address to go on from.
 */
unsigned long qt_probe(struct qt_probes *p, unsigned long at, unsigned long to, unsigned int every,
		       kprobe_pre_handler_t handler);
/* Remove all probes of a struct qt_probes; can be used as a KUnit action. */
void qt_unprobe(void *probes);

/* Did the probe interrupt code that had interrupts on? */
static inline bool qt_irqs_were_on(const struct pt_regs *regs)
{
#ifdef CONFIG_X86
	return !irqs_disabled_flags(regs->flags);
#else
	return interrupts_enabled(regs);
#endif
}

/* Skip a case where a probe's handler is no NMI: everywhere but on x86. */
void qt_skip_without_nmi(struct kunit *test);
/* Call @fn once from a probe's handler, where in_nmi() is true; or skip the case. */
void qt_in_nmi(struct kunit *test, void (*fn)(void *arg), void *arg);

#endif /* QR_TESTS_PROBE_UTIL_H */
