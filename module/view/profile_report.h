/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a kind of profile says: its values and its rows, whatever it is written
 * as.  Every format comes from here, so all say the same.
 */
#ifndef QR_PROFILE_REPORT_H
#define QR_PROFILE_REPORT_H

#include <quarry/profile.h>
#include "view/symbol.h"

#define QR_VALUES  4   /* at most */
#define QR_FEW	   10  /* samples; what is estimated from fewer is marked */
#define QR_COMMENT 192 /* bytes of a comment, at most */

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
 * @site: whose
 * @value: whole objects and bytes
 * @var: their variances, with 2 * QR_OBJECTS_SHIFT binary places; see qr_error()
 * @samples: how many are behind it; an estimate for parts of a site
 * @key: one more label, or NULL
 * @label: what it is
 */
struct qr_row {
	const struct quarry_site *site;
	s64 value[QR_VALUES];
	qr_u128 var[QR_VALUES];
	u64 samples;
	const char *key;
	const char *label;
};

/**
 * struct qr_report - a profile seen as one kind
 * @p: the profile
 * @kind: the kind
 * @nr: values of a row; each has a counterpart, so that 0 and 1 are a pair
 *	and 2 and 3 are another
 * @first: the value that matters most
 * @type: what they are
 * @pinned: of a fragmentation profile, each site's part of what its cache pins
 * @next: the site that comes next
 * @age: and its age class
 * @carry: fractions of objects, for each pair of values, that rows before had less or more
 */
struct qr_report {
	const struct quarry_profile *p;
	enum quarry_profile_kind kind;
	unsigned int nr;
	unsigned int first;
	const struct qr_value_type *type;
	u64 *pinned;
	u32 next;
	unsigned int age;
	u32 carry[QR_VALUES / 2];
};

/* 0 or -ENOMEM.  Sleeps. */
int qr_report_init(struct qr_report *r, const struct quarry_profile *p,
		   enum quarry_profile_kind kind);
void qr_report_exit(struct qr_report *r);

/* Rows that say anything, in the profile's order.  False at the end. */
void qr_report_rewind(struct qr_report *r);
bool qr_report_next(struct qr_report *r, struct qr_row *row);

/* The standard error that a variance means. */
u64 qr_error(qr_u128 var);

/* Add all stacks of all rows. */
void qr_report_collect(struct qr_report *r, struct qr_symbols *s);

/**
 * struct qr_frames - a row's stack
 * @nr: frames; 0 if the stack is not known, which has a place nevertheless
 * @ret: their return addresses, leaf first
 * @place: indices of their places
 */
struct qr_frames {
	unsigned int nr;
	const unsigned long *ret;
	u32 place[QUARRY_STACK_MAX];
};

/* Look up the stack of a row that was collected. */
void qr_report_frames(struct qr_frames *f, const struct qr_symbols *s,
		      const struct quarry_site *site);

/* What else a reader should know: comment number @i.  Its length, 0 when there is none. */
int qr_report_comment(const struct qr_report *r, unsigned int i, char *buf, size_t size);

#endif /* QR_PROFILE_REPORT_H */
