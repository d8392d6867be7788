// SPDX-License-Identifier: GPL-2.0
/*
 * Misuse is reported and survived.  The object is leaked and not reused, and Quarry keeps none
 * of its own state in objects.  A caller that repeats the same misuse is logged once and then
 * only counted, so that a loop does not flood the log.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "core/misuse.h"

#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <quarry/quarry.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/caller.h"

#define SEEN_BITS 8

atomic64_t qr_misuse_count[QR_NR_MISUSE];
atomic64_t qr_leaked_objects;

/* Caller plus misuse, of those that were logged.  Two that share a slot may be logged again. */
static unsigned long seen[1 << SEEN_BITS];

static const struct {
	const char *name;
	const char *what;
	const char *result; /* what the log says happened, if the object is not leaked */
} text[QR_NR_MISUSE] = {
	[QR_MISUSE_FOREIGN] = { "foreign", "free of a pointer that is not Quarry's to free",
				"ignored" },
	[QR_MISUSE_INTERIOR] = { "interior",
				 "free of a pointer that is not the start of an object" },
	[QR_MISUSE_WRONG_CACHE] = { "wrong_cache", "free to the wrong cache" },
	[QR_MISUSE_DOUBLE_FREE] = { "double_free", "double free", "ignored" },
	[QR_MISUSE_BUSY_DESTROY] = { "busy_destroy", "cache destroyed with live objects",
				     "cache kept" },
	[QR_MISUSE_STALE_MARK] = { "stale_mark", "arena released to a mark that is not good",
				   "ignored" },
	[QR_MISUSE_RED_ZONE] = { "red_zone", "written to behind its end", "its page goes back" },
	[QR_MISUSE_POISON] = { "poison", "written to while it was free", "its page goes back" },
	[QR_MISUSE_KERNEL_FREE] = { "kernel_free", "freed by the kernel, which cannot do it" },
};

/*
 * Logs one line.  Pointers are hashed, as in all of the kernel's log, unless the kernel was booted
 * with no_hash_pointers.
 */
static void tell(enum qr_misuse what, const void *p, const char *cache, const char *given,
		 unsigned long caller, bool lost)
{
	const char *result = lost ? "object leaked" : text[what].result;
	const char *to = given ? ", given to " : "";

	pr_err("misuse: %s: object %p, cache %s%s%s, seen in %s; %s\n", text[what].what, p,
	       cache ?: "none", to, given ?: "", qr_caller_name(caller), result);
}

bool qr_report_loss(enum qr_misuse what, const void *p, const char *cache, const char *given,
		    unsigned long ip, bool lost)
{
	unsigned long caller = qr_caller(ip);
	unsigned long key = (caller ?: ip) + what;
	unsigned long *slot = &seen[hash_long(key, SEEN_BITS)];

	atomic64_inc(&qr_misuse_count[what]);
	trace_misuse(text[what].name, p, caller ?: ip);
	if (lost)
		atomic64_inc(&qr_leaked_objects);
	if (READ_ONCE(*slot) == key)
		return false;
	WRITE_ONCE(*slot, key);
	tell(what, p, cache, given, caller, lost);
	return true;
}

void *qr_zone_refused(gfp_t gfp)
{
	pr_warn_once("no memory with gfp %pGg, from %s: Quarry cannot choose a zone\n", &gfp,
		     qr_caller_name(_RET_IP_));
	return NULL;
}
EXPORT_SYMBOL_QUARRY(qr_zone_refused);

bool qr_report(enum qr_misuse what, const void *p, const char *cache, const char *given,
	       unsigned long ip)
{
	/* The object was live.  Its owner will not free it properly any more, so it is leaked. */
	return qr_report_loss(what, p, cache, given, ip,
			      what == QR_MISUSE_INTERIOR || what == QR_MISUSE_WRONG_CACHE ||
				      what == QR_MISUSE_KERNEL_FREE);
}
