/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/quarry: the profiler for programs, the topmost layer.
 *
 *	chardev.c		system calls: checks their arguments, passes them on
 *	reader_session.c	the profiles of one open file: marks, deltas, rendered text
 *	event_ring.c		the ring of sample events of one open file
 *	dev_misuse.c		reports of misuse
 *	dev_abi.c		compares <uapi/quarry.h> with the module's own names
 *
 * reader_session.c also serves the files of debugfs, through <quarry/profile.h>.  This layer
 * uses report/ for profiles, qr_watch() of profile/ for events, and core/ for memory.
 * <uapi/quarry.h> documents what programs see.
 *
 * The mutex of a session is outside of all other locks; it is held while user memory
 * is written, so nothing that holds mmap_lock takes it.  The mutex of a ring is held
 * only while the ring is made.  Events arrive under the lock of the profiler's table
 * and take no lock.
 * All else runs in the context of a system call, and may sleep.
 *
 * main.c makes the device after everything that it uses, and removes it first.
 */
#ifndef QR_CHARDEV_H
#define QR_CHARDEV_H

#include <linux/string.h>
#include <uapi/quarry.h>

/* Members that programs must leave zero. */
#define IS_ZERO(member) (!memchr_inv(&(member), 0, sizeof(member)))

/* Read the next report behind @d->after.  Returns 0, -EINVAL or -ENOMEM. */
int qr_dev_misuse(struct quarry_dev_misuse *d);

int qr_chardev_init(void);
void qr_chardev_exit(void);

#endif /* QR_CHARDEV_H */
