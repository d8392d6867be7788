/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The values and rows of each kind of profile, independent of the format.  Every
 * format is written from here, so all formats agree.
 */
#ifndef QR_PROFILE_REPORT_H
#define QR_PROFILE_REPORT_H

#include <quarry/profile.h>
#include "report/symbol.h"

#define QR_VALUES	6   /* the most values of a row */
#define QR_FIRST_GROWTH 4   /* index of the first of the two values that only a delta has */
#define QR_FEW		10  /* samples; estimates from fewer are marked */
#define QR_COMMENT	192 /* the most bytes of a comment */

/**
 * struct qr_value_type - what a value counts
 * @type: pprof's name for it
 * @unit: pprof's unit
 * @column: its name in tables
 */
struct qr_value_type {
	const char *type;
	const char *unit;
	const char *column;
};

/**
 * struct qr_row - one row of a report
 * @site: the site that it is about
 * @value: whole objects and bytes
 * @var: the variances of @value, with 2 * QR_OBJECTS_SHIFT fractional bits; see qr_error()
 * @samples: samples that the value that matters most comes from; an estimate for parts of
 *	a site.  Of growth: samples that are in use now, less those at the base
 * @key: key of one more label, or NULL
 * @label: value of that label
 * @merged: rows that were merged into this one, which then has no labels; otherwise 0
 */
struct qr_row {
	const struct quarry_site *site;
	s64 value[QR_VALUES];
	qr_u128 var[QR_VALUES];
	s64 samples;
	const char *key;
	const char *label;
	u32 merged;
};

/**
 * struct qr_bound - a bound on the rows of a report, see qr_report_bound()
 * @shift: for each value the shift that makes a share of the whole of it
 * @merged: rows that are merged; 0: none
 * @least: a row of a smaller size is merged
 * @equal: so many of the rows of size @least are not merged
 * @equal_left: of these, how many are to come
 * @rest: the sum of the merged rows so far
 */
struct qr_bound {
	unsigned int shift[QR_VALUES];
	u32 merged;
	u64 least;
	u32 equal;
	u32 equal_left;
	struct qr_row rest;
};

/**
 * struct qr_report - the rows of a profile of one kind
 * @p: the profile
 * @kind: the kind
 * @nr: values of a row.  Values 0 and 1 are a pair, and so are 2 and 3, and 4 and 5: each is
 *	the counterpart of the other
 * @first: index of the value that matters most
 * @type: the types of the values
 * @comment: what a profile of this kind shows
 * @pinned: for a fragmentation profile, each site's share of the bytes that its cache pins
 * @next: index of the site whose row comes next
 * @age: age class of the row that comes next
 * @carry: for each pair of values, the fraction of an object that rounding has left over
 *	so far; see whole_next()
 * @bound: the bound on its rows
 */
struct qr_report {
	const struct quarry_profile *p;
	enum quarry_profile_kind kind;
	unsigned int nr;
	unsigned int first;
	const struct qr_value_type *type;
	const char *comment;
	u64 *pinned;
	u32 next;
	unsigned int age;
	u32 carry[QR_VALUES / 2];
	struct qr_bound bound;
};

/* 0 or -ENOMEM.  Sleeps. */
int qr_report_init(struct qr_report *r, const struct quarry_profile *p,
		   enum quarry_profile_kind kind);
void qr_report_exit(struct qr_report *r);

/*
 * Let the rows of a delta have their growth too: what is in use now, less what was in use at the
 * base.  In a heap profile it is then the value that matters most.  Other profiles stay the same.
 */
void qr_report_show_growth(struct qr_report *r);

/* Get the rows in which a value is not 0, in the profile's order.  False at the end. */
void qr_report_rewind(struct qr_report *r);
bool qr_report_next(struct qr_report *r, struct qr_row *row);

/* The site of a row that stands for merged rows. */
extern const struct quarry_site qr_merged_site;

/* The most rows of a profile.proto, a module parameter; 0: no bound. */
extern unsigned int qr_profile_rows;

/*
 * Let the report have at most @most rows, unless that is 0: the smallest rows are merged into one,
 * which comes last.  Not for reports with growth.  0 or -ENOMEM.  Sleeps.
 */
int qr_report_bound(struct qr_report *r, u32 most);

/* For qr_report_next(): begin anew; is @row merged?; get the row of those that were merged. */
void qr_bound_rewind(struct qr_report *r);
bool qr_bound_merges(struct qr_report *r, const struct qr_row *row);
bool qr_bound_rest(struct qr_report *r, struct qr_row *row);

/* The standard error, in whole units, of a variance as in struct qr_row. */
u64 qr_error(qr_u128 var);

/* Add the stacks of all rows to @s. */
void qr_report_collect(struct qr_report *r, struct qr_symbols *s);

/**
 * struct qr_frames - a row's stack
 * @nr: frames; 0 if the stack is not known, and then place[0] stands for it
 * @ret: their return addresses, leaf first
 * @place: indices of their places
 */
struct qr_frames {
	unsigned int nr;
	const unsigned long *ret;
	u32 place[QUARRY_STACK_MAX];
};

/* Look up the stack of a site that qr_report_collect() has added. */
void qr_report_frames(struct qr_frames *f, const struct qr_symbols *s,
		      const struct quarry_site *site);

/* Write comment number @i on the profile to @buf.  Returns its length; 0 after the last. */
int qr_report_comment(const struct qr_report *r, unsigned int i, char *buf, size_t size);

#endif /* QR_PROFILE_REPORT_H */
