/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies of tables that are kept for long: what was live when memory ran out.
 *
 * Its memory is taken beforehand, and to make such a copy asks for none.  It keeps its label sets;
 * and when a module is unloaded, the functions of its stacks get names, as those of a table's rows
 * do.
 *
 * One mutex protects all of them.  Whoever holds it asks for no memory, so code that runs because
 * there is none may try it.
 */
#ifndef QR_KEPT_PROFILE_H
#define QR_KEPT_PROFILE_H

#include <linux/list.h>
#include <quarry/profile.h>
#include "profile/largest.h"

struct qr_table;

#define QR_KEPT_ROWS (QR_LARGEST + 1)

/**
 * struct qr_kept - a copy that is kept
 * @link: in the list of all of them
 * @p: the copy; it has no rows while nothing is kept
 */
struct qr_kept {
	struct list_head link;
	struct quarry_profile p;
};

/* False: the mutex is held, and @wait is not set. */
bool qr_kept_lock(bool wait);
void qr_kept_unlock(void);

/* For all that follows, the mutex is held. */

/* Make @k, which is all zero, an empty copy in the QR_KEPT_ROWS rows at @site. */
void qr_kept_init(struct qr_kept *k, struct quarry_site *site);
void qr_kept_exit(struct qr_kept *k);

/* Keep the largest rows of @t.  As qr_profile_copy_largest(), with the lock of copies. */
void qr_kept_take(struct qr_kept *k, struct qr_table *t, const char *only);
void qr_kept_forget(struct qr_kept *k);

/* Copy it to @p, whose rows have QR_KEPT_ROWS elements.  @p then has its label sets, too. */
void qr_kept_read(const struct qr_kept *k, struct quarry_profile *p);

/* Without the mutex: */

/**
 * struct qr_kept_walk - how far a walk over all rows has come; all zero at first
 * @copy: number of the copy that comes next
 * @row: the row of it that comes next
 */
struct qr_kept_walk {
	unsigned int copy;
	u32 row;
};

/* The stack of the next row that has a stack and no names; 0 at the end.  Sleeps. */
u32 qr_kept_next_stack(struct qr_kept_walk *w);
/* A module of that stack goes: from now on rows of it are known by @names.  Sleeps. */
void qr_kept_set_names(u32 stack, const char *names);

#endif /* QR_KEPT_PROFILE_H */
