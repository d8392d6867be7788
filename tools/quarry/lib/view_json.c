// SPDX-License-Identifier: GPL-2.0
/* A view as JSON, for "quarry top --batch --json" and for the live page of "quarry serve". */
#include <json-c/json.h>
#include "lib/view.h"
#include "lib/warnings.h"

static struct json_object *number_json(int64_t n)
{
	return n == Q_UNKNOWN ? NULL : json_object_new_int64(n);
}

static struct json_object *head_json(const struct q_reading *now, const struct q_head *head)
{
	static const char *const names[] = {
		"sys_bytes",  "inuse_bytes",  "idle_bytes",	  "metadata_bytes",
		"live_bytes", "live_objects", "mallocs",	  "frees",
		"uptime_ns",  "live_samples", "sample_rate_bytes"
	};
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		json_object_object_add(o, names[i],
				       json_object_new_int64(q_value(&now->stats, names[i])));
	json_object_object_add(o, "mallocs_per_second", number_json(head->allocs));
	json_object_object_add(o, "frees_per_second", number_json(head->frees));
	return o;
}

static struct json_object *rows_json(enum q_view view, const struct q_rows *rows, unsigned int most)
{
	const struct q_view_info *info = &q_view_info[view];
	struct q_column columns[Q_VIEW_COLUMNS];
	struct json_object *array;
	struct q_table *table;

	for (unsigned int i = 0; i < info->nr; i++)
		columns[i] = info->column[i].c;
	table = q_table_new(columns, info->nr);
	for (unsigned int i = 0; i < rows->nr && i < most; i++)
		q_table_add(table, rows->row[i].cell);
	array = q_table_json(table, UINT32_MAX);
	q_table_free(table);
	return array;
}

struct json_object *q_view_json(enum q_view view, unsigned int domain, const struct q_reading *now,
				const struct q_head *head, const struct q_rows *rows,
				unsigned int most)
{
	const char *of = view == Q_VIEW_CACHES ? NULL : q_domain_name[domain];
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "time_ns", json_object_new_int64(now->wall_ns));
	json_object_object_add(o, "seconds", json_object_new_double(rows->seconds));
	json_object_object_add(o, "head", head_json(now, head));
	json_object_object_add(o, "warnings", q_warnings(&now->stats, now->domain, now->domains));
	json_object_object_add(o, "view", json_object_new_string(q_view_info[view].name));
	json_object_object_add(o, "domain", of ? json_object_new_string(of) : NULL);
	json_object_object_add(o, "rows", json_object_new_int64(rows->nr));
	json_object_object_add(o, q_view_info[view].name, rows_json(view, rows, most));
	return o;
}
