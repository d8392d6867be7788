// SPDX-License-Identifier: GPL-2.0
/*
 * A bound on the rows of a profile.  Programs that collect profiles have one: Pyroscope refuses a
 * profile of more than 16,000 samples.  The smallest rows are merged into one, so all sums stay
 * what they are.
 *
 * A row is as large as its shares of the profile's sums together: a site that allocates much and
 * holds nothing matters as well as one that holds much.  To compare shares without a division
 * that needs more than 64 bits, each sum is rounded up to a power of two.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "compat.h"
#include "core/exposure.h"
#include "core/metadata.h"
#include "report/profile_report.h"

unsigned int qr_profile_rows = 16000;
EXPORT_SYMBOL_QUARRY_TEST(qr_profile_rows);
module_param_cb(profile_rows, &qr_uint_param_ops, &qr_profile_rows, 0600);
MODULE_PARM_DESC(profile_rows,
		 "most samples in a profile.proto; the smallest are merged (0: no bound)");

const struct quarry_site qr_merged_site = { .cache_name = "(merged)" };

/* Two shares of at most 1 << SHARE_BITS add up in 64 bits. */
#define SHARE_BITS 62

static bool is_bytes(const struct qr_report *r, unsigned int v)
{
	return !strcmp(r->type[v].unit, "bytes");
}

static u64 size_of_row(const struct qr_report *r, const struct qr_row *row)
{
	u64 size = 0;
	unsigned int v;

	for (v = 0; v < r->nr; v++)
		if (is_bytes(r, v))
			size += (u64)row->value[v] << r->bound.shift[v];
	return size;
}

/* Sets the shifts that make shares of values.  Returns the number of rows. */
static size_t measure(struct qr_report *r)
{
	u64 sum[QR_VALUES] = {};
	struct qr_row row;
	unsigned int v;
	size_t n = 0;

	for (qr_report_rewind(r); qr_report_next(r, &row); n++)
		for (v = 0; v < r->nr; v++)
			sum[v] += row.value[v];
	for (v = 0; v < r->nr; v++)
		r->bound.shift[v] = SHARE_BITS - min(fls64(sum[v]), SHARE_BITS);
	return n;
}

static int by_size(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	cond_resched();
	return x > y ? -1 : x < y;
}

int qr_report_bound(struct qr_report *r, u32 most)
{
	size_t n = measure(r), i = 0;
	struct qr_row row;
	u64 *size;

	if (!most || n <= most) {
		qr_report_rewind(r);
		return 0;
	}
	size = qr_meta_valloc(n * sizeof(*size));
	if (!size)
		return -ENOMEM;
	for (qr_report_rewind(r); i < n && qr_report_next(r, &row);)
		size[i++] = size_of_row(r, &row);
	sort(size, n, sizeof(*size), by_size, NULL);
	/* One row is for those that are merged. */
	r->bound.merged = n - (most - 1);
	r->bound.least = most > 1 ? size[most - 2] : U64_MAX;
	for (i = most - 1; i && size[i - 1] == r->bound.least; i--)
		r->bound.equal++;
	qr_meta_vfree(size, n * sizeof(*size));
	qr_report_rewind(r);
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_report_bound);

void qr_bound_rewind(struct qr_report *r)
{
	r->bound.equal_left = r->bound.equal;
	r->bound.rest = (struct qr_row){ .site = &qr_merged_site };
}

bool qr_bound_merges(struct qr_report *r, const struct qr_row *row)
{
	struct qr_row *rest = &r->bound.rest;
	unsigned int v;
	u64 size;

	if (!r->bound.merged)
		return false;
	size = size_of_row(r, row);
	if (size > r->bound.least)
		return false;
	if (size == r->bound.least && r->bound.equal_left) {
		r->bound.equal_left--;
		return false;
	}
	for (v = 0; v < r->nr; v++) {
		rest->value[v] += row->value[v];
		rest->var[v] += row->var[v];
	}
	rest->samples += row->samples;
	rest->merged++;
	return true;
}

bool qr_bound_rest(struct qr_report *r, struct qr_row *row)
{
	if (!r->bound.rest.merged)
		return false;
	*row = r->bound.rest;
	r->bound.rest.merged = 0;
	return true;
}
