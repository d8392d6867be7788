// SPDX-License-Identifier: GPL-2.0
/* The page /metrics: every name of the module's has its help, and both formats are as they should. */
#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>
#include "lib/metrics.h"
#include "lib/table.h"

/* --- Names --- */

/* The names of a list in selftests/, in order, are those of the table. */
static void names(const char *file, const struct q_metric *table)
{
	FILE *f = fopen(file, "re");
	char line[128];

	ok(f != NULL, file);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#')
			continue;
		same_text(table->name, line, line);
		if (table->name)
			table++;
	}
	ok(!table->name, "no name is left");
	if (f)
		fclose(f);
}

static void helps(const struct q_metric *m)
{
	for (; m->name; m++) {
		size_t len = strlen(m->help);

		ok(len > 5 && m->help[len - 1] == '.' && !strpbrk(m->help, "\"\\\n") &&
			   (m->kind == Q_GAUGE || m->kind == Q_COUNTER),
		   m->name);
	}
}

/* --- The page --- */

static struct q_metrics input(const char *stats, const char *caches, const char *slab)
{
	struct q_metrics m = { 0 };

	q_values_parse(&m.stats, q_strdup(stats));
	q_lines_parse(&m.caches, q_strdup(caches));
	q_values_parse(&m.domain[1], q_strdup(slab));
	return m;
}

static void release(struct q_metrics *m)
{
	q_values_free(&m->stats);
	q_values_free(&m->domain[1]);
	q_lines_free(&m->caches);
}

static void has(const char *page, const char *line, bool want)
{
	const char *at = page;
	size_t len = strlen(line);
	bool found = false;

	while (!found && (at = strstr(at, line))) {
		found = (at == page || at[-1] == '\n') && at[len] == '\n';
		at++;
	}
	ok(found == want, line);
}

static const char stats[] = "sys_bytes 123\n"
			    "mallocs 18446744073709551615\n"
			    "taken_bytes 77\n"
			    "soft_limit_bytes max\n"
			    "fragmentation_permille 7\n"
			    "uptime_ns 1234567890123\n"
			    "scavenger_ns 5\n"
			    "new_things 3\n"
			    "live_objects many\n"
			    "Odd{name} 1\n";
static const char caches[] = "#name id size inuse_bytes waste_pct live_objs cached mallocs state\n"
			     "malloc-64 7 64 8192 3.5 100 20 999 active\n";
static const char slab[] = "enabled 1\nsamples 4\nsampled_live_bytes 4096\n";

static void both_formats(void)
{
	struct q_metrics m = input(stats, caches, slab);
	size_t size;
	char *page;

	m.serve = (struct q_serve_numbers){ .status = { 200, 503 }, .answers = { 9, 1 } };
	page = q_metrics_render(&m, &size);
	same((int64_t)size, (int64_t)strlen(page), "the text's size");
	has(page, "# TYPE quarry_sys_bytes gauge", true);
	has(page, "quarry_sys_bytes 123", true);
	has(page, "# TYPE quarry_mallocs_total counter", true);
	has(page, "quarry_mallocs_total 18446744073709551615", true);
	has(page, "quarry_taken_bytes_total 77", true);
	has(page, "quarry_soft_limit_bytes +Inf", true);
	has(page, "quarry_fragmentation_ratio 0.007", true);
	has(page, "quarry_uptime_seconds 1234.567890123", true);
	has(page, "quarry_scavenger_seconds_total 0.000000005", true);
	has(page, "# TYPE quarry_new_things untyped", true);
	has(page, "quarry_new_things 3", true);
	has(page, "quarry_cache_inuse_bytes{cache=\"malloc-64\",id=\"7\"} 8192", true);
	has(page, "quarry_cache_live_bytes{cache=\"malloc-64\",id=\"7\"} 6400", true);
	has(page, "quarry_cache_live_objects{cache=\"malloc-64\",id=\"7\"} 100", true);
	has(page, "quarry_cache_cached_objects{cache=\"malloc-64\",id=\"7\"} 20", true);
	has(page, "quarry_cache_mallocs_total{cache=\"malloc-64\",id=\"7\"} 999", true);
	has(page, "quarry_kernel_enabled{domain=\"slab\"} 1", true);
	has(page, "quarry_kernel_samples_total{domain=\"slab\"} 4", true);
	has(page, "quarry_kernel_sampled_live_bytes{domain=\"slab\"} 4096", true);
	has(page, "quarry_serve_answers_total{code=\"503\"} 1", true);
	ok(!strstr(page, "many"), "what is no number is left out");
	ok(!strstr(page, "Odd"), "what cannot be a name is left out");
	ok(!strstr(page, "(other)"), "few caches have no sum of others");
	ok(!strstr(page, "# EOF") && !strstr(page, "# UNIT"), "no line of OpenMetrics");
	free(page);

	m.openmetrics = true;
	page = q_metrics_render(&m, &size);
	has(page, "# TYPE quarry_mallocs counter", true);
	has(page, "# TYPE quarry_mallocs_total counter", false);
	has(page, "quarry_mallocs_total 18446744073709551615", true);
	has(page, "# UNIT quarry_taken_bytes bytes", true);
	has(page, "# UNIT quarry_uptime_seconds seconds", true);
	has(page, "# UNIT quarry_fragmentation_ratio ratio", true);
	has(page, "# TYPE quarry_new_things unknown", true);
	ok(size > 6 && !strcmp(page + size - 6, "# EOF\n"), "the end mark is the end");
	free(page);
	release(&m);
}

static void escapes(void)
{
	struct q_metrics m = input("",
				   "#name id size inuse_bytes live_objs cached mallocs\n"
				   "a\"b\\c 1 8 4096 1 0 1\n",
				   "");
	size_t size;
	char *page = q_metrics_render(&m, &size);

	has(page, "quarry_cache_live_bytes{cache=\"a\\\"b\\\\c\",id=\"1\"} 8", true);
	free(page);
	release(&m);
}

/* The number of series is bounded, and nothing is missing in the sums. */
static void many_caches(void)
{
	char *text = malloc(1 << 20), *at = text, *page, *line;
	unsigned int series = 0;
	unsigned long sum = 0;
	struct q_metrics m;
	size_t size;

	at += sprintf(at, "#name id size inuse_bytes waste_pct live_objs cached mallocs state\n");
	for (int i = 0; i < 5000; i++)
		at += sprintf(at, "c%d %d 10 %d 0.0 2 1 3 active\n", i, i, 5000 - i);
	m = input("", text, "");
	page = q_metrics_render(&m, &size);
	has(page, "quarry_cache_inuse_bytes{cache=\"c99\",id=\"99\"} 4901", true);
	ok(!strstr(page, "\"c100\""), "the hundred largest only");
	has(page, "quarry_cache_live_bytes{cache=\"(other)\",id=\"\"} 98000", true);
	has(page, "quarry_cache_live_objects{cache=\"(other)\",id=\"\"} 9800", true);
	ok(!strstr(page, "mallocs_total{cache=\"(other)\""),
	   "no counter for those whose number changes");
	for (line = strtok(page, "\n"); line; line = strtok(NULL, "\n")) {
		series += *line != '#';
		if (!strncmp(line, "quarry_cache_inuse_bytes{", 25))
			sum += strtoul(strchr(line, ' ') + 1, NULL, 10);
	}
	same((int64_t)sum, 5000L * 5001 / 2, "the sum over all caches");
	ok(series < 600, "few series");
	free(page);
	free(text);
	release(&m);
}

static void no_caches(void)
{
	struct q_metrics m = input("", "", "");
	size_t size;
	char *page = q_metrics_render(&m, &size);

	ok(page && !strstr(page, "quarry_cache_"), "no caches, no families of caches");
	ok(page && !strstr(page, "quarry_kernel_"), "no domains, no families of domains");
	free(page);
	release(&m);
}

int main(void)
{
	names("../../selftests/stats.names", q_stats_metrics);
	names("../../selftests/kernel-stats.names", q_kernel_metrics);
	helps(q_stats_metrics);
	helps(q_kernel_metrics);
	both_formats();
	escapes();
	many_caches();
	no_caches();
	same_text(q_metrics_type(true),
		  "application/openmetrics-text; version=1.0.0; charset=utf-8",
		  "type of OpenMetrics");
	same_text(q_metrics_type(false), "text/plain; version=0.0.4; charset=utf-8",
		  "type of the text format");
	return tap_end();
}
