// SPDX-License-Identifier: GPL-2.0
/*
 * Reports name the client's function that called Quarry.  Most paths pass its address down, as ip.
 * Where an error is noticed later, when a magazine is flushed, or where an inline function of
 * Quarry's was not inlined, the call stack tells.
 */
#include "core/caller.h"

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include "compat.h"

#define FRAMES_MAX 24 /* more than Quarry's own functions ever are */

DEFINE_PER_CPU(unsigned long, qr_work_caller);

/*
 * sprint_symbol() ends the name of a function of a module with "[module]".  The stack of an
 * interrupt goes on with what was interrupted, which called nobody; so only the nearest frame
 * is asked.
 */
static noinline bool is_in_module(unsigned long ip)
{
	char text[KSYM_SYMBOL_LEN];

	sprint_symbol(text, ip);
	return strchr(text, '[');
}

static noinline unsigned long by_stack(void)
{
	unsigned long frames[FRAMES_MAX];
	unsigned int i, nr = stack_trace_save(frames, FRAMES_MAX, 0);

	for (i = 0; i < nr; i++)
		if (!within_module(frames[i], THIS_MODULE))
			return is_in_module(frames[i]) ? frames[i] : 0;
	return 0;
}

unsigned long qr_caller(unsigned long ip)
{
	if (ip && !within_module(ip, THIS_MODULE))
		return ip;
	ip = by_stack();
	if (!ip && (current->flags & PF_WQ_WORKER))
		ip = raw_cpu_read(qr_work_caller);
	return ip;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_caller);

const char *qr_caller_text(struct qr_caller_buf *buf, unsigned long ip)
{
	ip = qr_caller(ip);
	if (!ip)
		return "no client's call";
	scnprintf(buf->text, sizeof(buf->text), "%pS", (void *)ip);
	return buf->text;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_caller_text);
