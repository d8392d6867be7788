// SPDX-License-Identifier: GPL-2.0
#include "lib/warnings.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/clamp.h"
#include "lib/human.h"

__attribute__((format(printf, 2, 3))) static void warn(struct json_object *to, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_object_array_add(to, json_object_new_string(text));
}

/* Names of "stats" that should be 0, and what it means if one is not. */
static const struct trouble {
	const char *name;
	const char *text;
} troubles[] = {
	{ "misuse_foreign", "frees of pointers that are not Quarry's" },
	{ "misuse_interior", "frees of pointers into an object" },
	{ "misuse_wrong_cache", "frees to the wrong cache" },
	{ "misuse_double_free", "double frees" },
	{ "misuse_busy_destroy", "caches destroyed while they had live objects" },
	{ "misuse_stale_mark", "releases of an arena to a mark that is not valid any more" },
	{ "misuse_red_zone", "red zones written to" },
	{ "misuse_poison", "free objects written to" },
	{ "misuse_kernel_free", "frees by the kernel that could not be handed to Quarry" },
};

struct json_object *q_warnings(const struct q_values *v, const struct quarry_dev_domain *domain,
			       unsigned int domains)
{
	struct json_object *to = json_object_new_array();
	char bytes[Q_HUMAN_LEN];
	int64_t mixed = q_value(v, "mixed_bytes"), n;

	for (size_t i = 0; i < sizeof(troubles) / sizeof(*troubles); i++) {
		n = q_value(v, troubles[i].name);
		if (n)
			warn(to, "Misuse: %" PRId64 " %s. The kernel's log names the callers.", n,
			     troubles[i].text);
	}
	n = q_value(v, "hard_limit_hits");
	if (n)
		warn(to,
		     "A hard limit refused memory %" PRId64 " times. \"quarry limit\" shows it.",
		     n);
	n = q_value(v, "failed_allocs");
	if (n)
		warn(to, "%" PRId64 " allocations failed.", n);
	n = q_value(v, "zombie_caches");
	if (n)
		warn(to, "%" PRId64 " destroyed caches wait for the frees of their last objects.",
		     n);
	if (mixed)
		warn(to, "%s are in mixed chunks: frees there are slower.",
		     q_human(bytes, Q_BYTES, mixed));
	n = q_value(v, "dropped_samples");
	if (n)
		warn(to,
		     "The profile lacks %" PRId64 " samples, for want of memory (profile_kib=).",
		     n);
	if (!q_value(v, "sample_rate_bytes"))
		warn(to, "The profiler is off. \"quarry rate default\" switches it on.");
	for (unsigned int i = 1; i < domains; i++) {
		const struct quarry_dev_domain *d = &domain[i];

		if (d->missed_frees)
			warn(to, "Domain %s missed %" PRIu64 " frees.", d->name,
			     (uint64_t)d->missed_frees);
		if (d->dropped_samples)
			warn(to, "Domain %s dropped %" PRIu64 " samples, for want of room.",
			     d->name, (uint64_t)d->dropped_samples);
	}
	return to;
}

/* --- Memory --- */

const char q_memory_legend[] = "# live objects  + in use, but free  . idle pages  m metadata";

void q_memory_bar(char *buf, int width, const struct q_values *v)
{
	const int64_t sys = q_value(v, "sys_bytes"), inuse = q_value(v, "inuse_bytes");
	const int64_t live = q_value(v, "live_bytes") < inuse ? q_value(v, "live_bytes") : inuse;
	const struct {
		char mark;
		int64_t bytes;
	} part[] = { { '#', live },
		     { '+', q_sub(inuse, live) },
		     { '.', q_value(v, "idle_bytes") },
		     { 'm', q_value(v, "metadata_bytes") } };
	double before = 0;
	int written = 0;

	memset(buf, ' ', width);
	buf[width] = '\0';
	for (size_t i = 0; sys > 0 && i < sizeof(part) / sizeof(*part); i++)
		for (before += part[i].bytes; written < width && written < before * width / sys;
		     written++)
			buf[written] = part[i].mark;
}
