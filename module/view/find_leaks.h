/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Live objects that nothing points to: a conservative search, as a garbage collector's.  See
 * find_leaks.c.
 */
#ifndef QR_FIND_LEAKS_H
#define QR_FIND_LEAKS_H

#include "view/snapshot.h"

/**
 * struct qr_leak_search - what a search did
 * @objects: live objects that were judged
 * @reached: of these, objects that something points to, or that were freed meanwhile
 * @leaks: objects that nothing points to, that is, for which the callback was called
 * @rounds: how often all memory was searched
 * @pages: pages of the kernel that were searched for pointers, in all rounds
 * @hidden: pages that could not be read, in all rounds
 */
struct qr_leak_search {
	u64 objects;
	u64 reached;
	u64 leaks;
	u64 rounds;
	u64 pages;
	u64 hidden;
};

/*
 * Search, and then call @fn for each live object that nothing points to.  Objects that were
 * allocated after the search began are not judged.  Meanwhile no cache uses its magazines.
 *
 * Returns 0, what @fn returned if that was not 0, -EBUSY while another search is under way,
 * -ENOMEM, -EINTR if the task is being killed, or -EOPNOTSUPP if the kernel's slabs cannot be told
 * apart.  Process context; sleeps, and takes seconds on a large machine.
 */
int qr_find_leaks(struct qr_leak_search *s, qr_object_fn fn, void *arg);

#endif /* QR_FIND_LEAKS_H */
