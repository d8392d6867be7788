/* SPDX-License-Identifier: GPL-2.0 */
/* Give up rights that a process does not need any more. */
#ifndef Q_CONFINE_H
#define Q_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

#define Q_CAP(number) (UINT64_C(1) << (number))

/*
 * Become the user @uid and the group @gid if this process is root, keep only those capabilities of
 * @keep that it has, and forbid that a new program gains any.  Ends with an error if anything of
 * that is not so afterwards.  Returns an exit status.
 */
int q_confine(uid_t uid, gid_t gid, uint64_t keep);

#endif
