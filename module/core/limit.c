// SPDX-License-Identifier: GPL-2.0
/*
 * Charges pages against a limit, and parses and prints limits.  The page heap charges the
 * module's limit when it gets pages from the kernel; a cache charges its own limit when it
 * gets a slab.  The layers above decide what to do when a limit is near or reached.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "core/limit.h"

#include <linux/errno.h>
#include <linux/instruction_pointer.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <quarry/exposure.h>
#include <quarry/stats.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/caller.h"
#include "core/parse_size.h"

struct qr_limit qr_limit_all = { .soft = ULONG_MAX, .hard = ULONG_MAX };
EXPORT_SYMBOL_QUARRY_TEST(qr_limit_all);
qr_limit_fn qr_limit_watcher;
qr_refusal_fn qr_refusal_watcher;

bool qr_limit_take(struct qr_limit *limit, unsigned long pages, gfp_t gfp)
{
	long held = atomic_long_read(&limit->held);

	/* Compare first, then add: a reader of limit->held never sees more than the limit. */
	do {
		if (unlikely(held + pages > READ_ONCE(limit->hard)) && !(gfp & __GFP_NOFAIL))
			return false;
	} while (!atomic_long_try_cmpxchg(&limit->held, &held, held + pages));
	return true;
}

static void tell(void)
{
	qr_limit_fn watcher = READ_ONCE(qr_limit_watcher);

	if (watcher)
		watcher();
}

void qr_limit_hit_soft(struct qr_limit *limit, const char *name)
{
	atomic64_inc(&limit->soft_hits);
	trace_limit(name, "soft", qr_limit_bytes(READ_ONCE(limit->soft)),
		    qr_limit_bytes(atomic_long_read(&limit->held)));
	tell();
}

void qr_limit_hit_hard(struct qr_limit *limit, const char *name)
{
	atomic64_inc(&limit->hard_hits);
	trace_limit(name, "hard", qr_limit_bytes(READ_ONCE(limit->hard)),
		    qr_limit_bytes(atomic_long_read(&limit->held)));
	tell();
}

unsigned long qr_limit_bytes(unsigned long pages)
{
	return pages == ULONG_MAX ? ULONG_MAX : pages << PAGE_SHIFT;
}

#define LIMIT_TEXT 24

/* A limit as people read it.  @text has LIMIT_TEXT bytes. */
static const char *limit_text(char *text, unsigned long pages)
{
	if (pages == ULONG_MAX)
		return "max";
	snprintf(text, LIMIT_TEXT, "%lu", qr_limit_bytes(pages));
	return text;
}

void qr_limit_refused(const char *what, const char *name, const struct qr_limit *own,
		      unsigned long pages, size_t size, gfp_t gfp)
{
	static DEFINE_RATELIMIT_STATE(often, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	char most[LIMIT_TEXT], own_usage[80] = "";
	bool own_full = own && qr_limit_is_full(own, pages);
	bool all_full = qr_limit_is_full(&qr_limit_all, pages);
	qr_refusal_fn watcher = READ_ONCE(qr_refusal_watcher);
	const char *why = "no memory";
	unsigned long held;

	if (watcher && (own_full || all_full))
		watcher(what, name, own_full);
	if (!__ratelimit(&often))
		return;
	if (own_full)
		why = "its hard limit";
	else if (all_full)
		why = "Quarry's hard limit";
	if (own) {
		held = atomic_long_read(&own->held);
		snprintf(own_usage, sizeof(own_usage), "it holds %lu of %s bytes, ",
			 qr_limit_bytes(held), limit_text(most, READ_ONCE(own->hard)));
	}
	held = atomic_long_read(&qr_limit_all.held);
	pr_warn("refused %zu bytes to %s, %s %s: %s; %sQuarry holds %lu of %s bytes, gfp %pGg\n",
		size, qr_caller_name(0), what, name, why, own_usage, qr_limit_bytes(held),
		limit_text(most, READ_ONCE(qr_limit_all.hard)), &gfp);
}

static unsigned long limit_pages(unsigned long bytes)
{
	return bytes == ULONG_MAX ? ULONG_MAX : bytes >> PAGE_SHIFT;
}

void qr_limit_change(struct qr_limit *limit, bool is_hard, unsigned long bytes)
{
	if (is_hard)
		WRITE_ONCE(limit->hard, limit_pages(bytes));
	else
		WRITE_ONCE(limit->soft, limit_pages(bytes));
	tell();
}

int qr_limit_parse(const char *text, unsigned long *bytes)
{
	u64 value;
	int err;

	if (sysfs_streq(text, "max")) {
		*bytes = ULONG_MAX;
		return 0;
	}
	err = qr_size_parse(text, S64_MAX, &value);
	if (!err)
		*bytes = value;
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_limit_parse);

static int param_set(const char *text, const struct kernel_param *kp)
{
	unsigned long bytes;
	int err = qr_may_set_parameter();

	if (err)
		return err;
	err = qr_limit_parse(text, &bytes);
	if (err) {
		pr_err("%s \"%s\" is no number of bytes and not \"max\"\n", kp->name, text);
		return err;
	}
	WRITE_ONCE(*(unsigned long *)kp->arg, limit_pages(bytes));
	tell();
	return 0;
}

static int param_get(char *buf, const struct kernel_param *kp)
{
	unsigned long pages = READ_ONCE(*(unsigned long *)kp->arg);

	return pages == ULONG_MAX ? sysfs_emit(buf, "max\n") :
				    sysfs_emit(buf, "%lu\n", qr_limit_bytes(pages));
}

static const struct kernel_param_ops limit_ops = { .set = param_set, .get = param_get };

module_param_cb(soft_limit, &limit_ops, &qr_limit_all.soft, 0600);
/* clang-format off */
MODULE_PARM_DESC(soft_limit,
		 "bytes of pages beyond which idle ones go back first; suffixes K, M, G (default max: none)");
/* clang-format on */
module_param_cb(hard_limit, &limit_ops, &qr_limit_all.hard, 0600);
/* clang-format off */
MODULE_PARM_DESC(hard_limit,
		 "bytes of pages beyond which allocations fail; suffixes K, M, G (default max: none)");
/* clang-format on */
