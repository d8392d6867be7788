// SPDX-License-Identifier: GPL-2.0
/* status: one screen that says how Quarry is, and warns in words. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "command.h"
#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/pprof.h"
#include "lib/table.h"
#include "lib/warnings.h"

#define BAR	60
#define LARGEST 5

/**
 * struct state - what the screen is made of
 * @v: the file stats
 * @caches: the file caches/table
 * @domain: the kernel's domains
 * @domains: how many
 * @heap: the profile, sites joined
 * @warnings: what is not as it should be, as an array of texts
 */
struct state {
	struct q_values v;
	struct q_lines caches;
	struct quarry_dev_domain domain[QUARRY_DEV_DOMAINS];
	unsigned int domains;
	struct q_pprof heap;
	struct json_object *warnings;
};

static const char *human(enum q_unit unit, int64_t value)
{
	static char buf[8][Q_HUMAN_LEN];
	static unsigned int next;

	return q_human(buf[next++ % 8], unit, value);
}

static const char *named(const struct state *s, const char *name, enum q_unit unit)
{
	return human(unit, q_value(&s->v, name));
}

/* --- Reading --- */

static int read_profile(struct state *s, struct q_device *d)
{
	static const struct q_what what = {
		.kind = QUARRY_DEV_KIND_HEAP,
		.format = QUARRY_DEV_FORMAT_PPROF,
		.cache = QUARRY_DEV_CACHE_ALL,
	};
	const char *why;
	size_t size;
	char *data;
	int status = q_device_profile(d, &what, &data, &size);

	if (status)
		return status;
	why = q_pprof_parse(&s->heap, data, size);
	free(data);
	if (why)
		return q_problem(Q_OTHER_ABI, "the module's profile cannot be read: %s", why);
	q_pprof_join(&s->heap, false);
	return Q_OK;
}

static int read_state(struct state *s)
{
	struct q_device d;
	int status = q_device_open(&d, false);

	*s = (struct state){ 0 };
	if (status)
		return status;
	s->domains = d.info.domains < QUARRY_DEV_DOMAINS ? d.info.domains : QUARRY_DEV_DOMAINS;
	for (unsigned int i = 1; !status && i < s->domains; i++)
		status = q_device_domain(&d, i, -1, &s->domain[i]);
	if (!status)
		status = read_profile(s, &d);
	q_device_close(&d);
	if (!status)
		status = q_values_read(&s->v, "stats");
	if (!status)
		status = q_lines_read(&s->caches, "caches/table");
	if (!status)
		s->warnings = q_warnings(&s->v, s->domain, s->domains);
	return status;
}

static void free_state(struct state *s)
{
	q_values_free(&s->v);
	q_lines_free(&s->caches);
	q_pprof_free(&s->heap);
	json_object_put(s->warnings);
}

/* --- Text --- */

static int by_live(const void *a, const void *b)
{
	int64_t x = ((const struct q_site *)a)->value[0], y = ((const struct q_site *)b)->value[0];

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Sites with the most live bytes come first; their live bytes are value 0 afterwards. */
static void sort_sites(struct q_pprof *p)
{
	int type = q_pprof_type(p, "inuse_space");

	for (unsigned int i = 0; type > 0 && i < p->sites; i++)
		p->site[i].value[0] = p->site[i].value[type];
	if (p->sites)
		qsort(p->site, p->sites, sizeof(*p->site), by_live);
}

static void show_largest(struct state *s)
{
	if (s->caches.nr)
		printf("\nLargest caches\n");
	for (unsigned int i = 0; i < s->caches.nr && i < LARGEST; i++)
		printf("%10s  %-30s %s live, %s of it wasted\n",
		       human(Q_BYTES, q_line_number(&s->caches, i, "inuse_bytes")),
		       q_line_text(&s->caches, i, "name"),
		       human(Q_COUNT, q_line_number(&s->caches, i, "live_objs")),
		       human(Q_PERCENT, q_line_permille(&s->caches, i, "waste_pct")));
	sort_sites(&s->heap);
	if (s->heap.sites)
		printf("\nWho holds most (an estimate from samples)\n");
	for (unsigned int i = 0; i < s->heap.sites && i < LARGEST && s->heap.site[i].value[0]; i++)
		printf("%10s  %.100s\n", human(Q_BYTES, s->heap.site[i].value[0]),
		       s->heap.site[i].stack);
}

static void show_domains(const struct state *s)
{
	bool any = false;

	fputs("Kernel    ", stdout);
	for (unsigned int i = 1; i < s->domains; i++) {
		if (!s->domain[i].enabled)
			continue;
		printf("%s%s: %s live", any ? ", " : "", s->domain[i].name,
		       human(Q_BYTES, (int64_t)s->domain[i].live_bytes));
		any = true;
	}
	puts(any ? "" : "its own memory is not profiled (\"quarry kernel on slab\")");
}

static void show(struct state *s)
{
	const int64_t uptime = q_value(&s->v, "uptime_ns");
	const int64_t limit = q_value(&s->v, "hard_limit_bytes");
	char bar[BAR + 1];
	struct utsname u;

	uname(&u);
	printf("Quarry    loaded for %s, on Linux %s\n", human(Q_NS, uptime), u.release);
	printf("Memory    %s: %s in use, %s idle, %s metadata; limit %s\n",
	       named(s, "sys_bytes", Q_BYTES), named(s, "inuse_bytes", Q_BYTES),
	       named(s, "idle_bytes", Q_BYTES), named(s, "metadata_bytes", Q_BYTES),
	       limit == INT64_MAX ? "none" : human(Q_BYTES, limit));
	q_memory_bar(bar, BAR, &s->v);
	printf("          [%s]\n          %s\n", bar, q_memory_legend);
	printf("Objects   %s live (%s), %s kept ready\n", named(s, "live_objects", Q_COUNT),
	       named(s, "live_bytes", Q_BYTES), named(s, "cached_objects", Q_COUNT));
	printf("Calls     %s allocations, %s frees\n", named(s, "mallocs", Q_COUNT),
	       named(s, "frees", Q_COUNT));
	printf("Profiler  one sample in %s, %s samples so far, needs %s\n",
	       named(s, "sample_rate_bytes", Q_BYTES), named(s, "samples", Q_COUNT),
	       named(s, "profile_bytes", Q_BYTES));
	printf("Cost      slow paths %s, scavenger %s, shrinker %s\n",
	       named(s, "slow_path_ns", Q_NS), named(s, "scavenger_ns", Q_NS),
	       named(s, "shrinker_ns", Q_NS));
	show_domains(s);
	show_largest(s);
	if (json_object_array_length(s->warnings))
		putchar('\n');
	for (size_t i = 0; i < json_object_array_length(s->warnings); i++)
		printf("%s!%s %s\n", q_options.colour ? "\033[31m" : "",
		       q_options.colour ? "\033[0m" : "",
		       json_object_get_string(json_object_array_get_idx(s->warnings, i)));
}

/* --- JSON --- */

static struct json_object *sites_json(struct state *s)
{
	struct json_object *sites = json_object_new_array(), *o;

	sort_sites(&s->heap);
	for (unsigned int i = 0; i < s->heap.sites && i < LARGEST && s->heap.site[i].value[0];
	     i++) {
		o = json_object_new_object();
		json_object_object_add(o, "live_bytes",
				       json_object_new_int64(s->heap.site[i].value[0]));
		json_object_object_add(o, "cache", json_object_new_string(s->heap.site[i].cache));
		json_object_object_add(o, "stack", json_object_new_string(s->heap.site[i].stack));
		json_object_array_add(sites, o);
	}
	return sites;
}

static void show_json(struct state *s)
{
	struct json_object *o = json_object_new_object(), *stats = json_object_new_object();
	struct json_object *domains = json_object_new_object();
	struct utsname u;

	uname(&u);
	for (unsigned int i = 0; i < s->v.nr; i++) {
		int64_t n = q_value(&s->v, s->v.name[i]);

		json_object_object_add(stats, s->v.name[i],
				       n == INT64_MAX ? NULL : json_object_new_int64(n));
	}
	for (unsigned int i = 1; i < s->domains; i++)
		json_object_object_add(domains, s->domain[i].name,
				       json_object_new_boolean((int)s->domain[i].enabled));
	json_object_object_add(o, "kernel_release", json_object_new_string(u.release));
	json_object_object_add(o, "stats", stats);
	json_object_object_add(o, "domains", domains);
	json_object_object_add(o, "largest_sites", sites_json(s));
	json_object_object_add(o, "warnings", json_object_get(s->warnings));
	q_json_print(o, "status");
}

int q_status(int argc, char **argv)
{
	struct state s;
	int status;

	q_parse_common(argc, argv,
		       "One screen: memory, largest caches and sites, and warnings in words.");
	status = read_state(&s);
	if (!status && q_options.json)
		show_json(&s);
	else if (!status)
		show(&s);
	free_state(&s);
	return status;
}
