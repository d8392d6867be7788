// SPDX-License-Identifier: GPL-2.0
#include "tests/probe_util.h"

#include <linux/kallsyms.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/string.h>

/* Modules cannot call kallsyms_lookup(), but the text of a symbol has its size. */
void qt_function_ends(struct kunit *test, unsigned long at, unsigned long *from, unsigned long *to)
{
	char text[KSYM_SYMBOL_LEN], *plus;
	unsigned int offset, size;
	int found;

	sprint_symbol(text, at);
	plus = strrchr(text, '+');
	KUNIT_ASSERT_NOT_NULL(test, plus);
	found = sscanf(plus, "+0x%x/0x%x", &offset, &size);
	KUNIT_ASSERT_EQ_MSG(test, 2, found, "%s", text);
	*from = at - offset;
	*to = *from + size;
}

/* A probe with a post handler is not optimised into a jump. */
static void after(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

unsigned long qt_probe(struct qt_probes *p, unsigned long at, unsigned long to, unsigned int every,
		       kprobe_pre_handler_t handler)
{
	/* Where an instruction may begin. */
	const unsigned int least = IS_ENABLED(CONFIG_X86) ? 1 : 4;
	unsigned int step;

	for (; at < to && p->nr < QT_PROBES; at += step) {
		struct kprobe *kp = &p->kp[p->nr];

		step = least;
		if (every > 1 && get_random_u32_below(every))
			continue;
		memset(kp, 0, sizeof(*kp));
		kp->addr = (void *)at;
		kp->pre_handler = handler;
		kp->post_handler = after;
		/* The kernel refuses addresses where no instruction starts, and jump labels. */
		if (register_kprobe(kp))
			continue;
		p->there[p->nr++] = kp;
#ifdef CONFIG_X86
		if (kp->ainsn.size)
			step = kp->ainsn.size;
#endif
	}
	return at;
}

void qt_unprobe(void *probes)
{
	struct qt_probes *p = probes;

	if (p->nr)
		unregister_kprobes(p->there, p->nr);
	p->nr = 0;
}

static struct {
	struct kprobe kp;
	struct task_struct *task;
	void (*fn)(void *arg);
	void *arg;
	unsigned int calls;
} nmi;

/* Not traced, or its probe would be a call of ftrace's, which is no NMI. */
static noinline notrace void enter_nmi(void)
{
	barrier();
}

static int nmi_handler(struct kprobe *kp, struct pt_regs *regs)
{
	if (current == nmi.task) {
		nmi.calls++;
		nmi.fn(nmi.arg);
	}
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(unprobe_action, unregister_kprobe, struct kprobe *);

void qt_skip_without_nmi(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_X86))
		kunit_skip(test, "the handler of a probe is no NMI here");
}

void qt_in_nmi(struct kunit *test, void (*fn)(void *arg), void *arg)
{
	qt_skip_without_nmi(test);
	memset(&nmi, 0, sizeof(nmi));
	nmi.task = current;
	nmi.fn = fn;
	nmi.arg = arg;
	nmi.kp.addr = (void *)enter_nmi;
	nmi.kp.pre_handler = nmi_handler;
	nmi.kp.post_handler = after;
	KUNIT_ASSERT_EQ(test, 0, register_kprobe(&nmi.kp));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unprobe_action, &nmi.kp));
	enter_nmi();
	kunit_release_action(test, unprobe_action, &nmi.kp);
	KUNIT_ASSERT_EQ(test, 1, nmi.calls);
}
