/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Label sets: what is known of a sample besides its stack.  The profiler adds some labels by
 * itself: the memory's node, the context, the task's name, and for the kernel's allocators, if it
 * is told to, the number of the task's cgroup.  Clients add others with
 * quarry_label_begin().  A sample carries the number of its label set.
 *
 * There is room for QUARRY_LABEL_SETS sets.  Half of it is for sets with a task's name or cgroup,
 * because there may be any number of these: a set that finds no room there has the name, and the
 * cgroup, "(other)" instead, and keeps the client's labels.  Only if the other half is full too,
 * the set is number 0.
 *
 * A set is kept while a row of the table has it, or a copy of the table that can be rendered.
 * When there is no room for a new set, the one that has been without rows for longest makes
 * room.  Its number is not used again: the upper bits of a number count the sets that were in
 * the same place.
 */
#ifndef QR_LABEL_H
#define QR_LABEL_H

#include <linux/gfp.h>
#include <linux/types.h>
#include <quarry/profile.h>

/**
 * qr_labels_now() - the set of labels of an allocation that is under way
 * @node: the node of its memory
 * @cgroup: the number of the task's cgroup, or 0: then it is no label.  Not used in interrupts
 * @gfp: what may be done to get memory for a new set
 *
 * The set stays valid if a row has it; a new row has to hold it.
 *
 * Context: process, softirq, hardirq; not NMI.
 * Return: the set's number, or 0 if the set is new and there is no room for it.
 */
u32 qr_labels_now(int node, u64 cgroup, gfp_t gfp);

/*
 * Get memory for all sets that there is room for.  From then on qr_labels_now() asks for none.
 * 0 or -ENOMEM.  Sleeps.
 */
int qr_labels_reserve(void);

/*
 * A row gets label set @id: keep the set.  False if the set is gone.  Not in NMI; the
 * table's lock may be held.
 */
bool qr_labels_hold(u32 id);
/* A row has lost the label set, which was held. */
void qr_labels_drop(u32 id);

/*
 * The table is copied.  From the begin to the end no set makes room for another one; then those
 * that are noted in @held, which has a bit for each set, are held until they are released.  Only
 * one copy is made at a time.  To note a set takes no lock, because a row may be copied in NMI.
 */
void qr_labels_copy_begin(void);
void qr_labels_note(unsigned long *held, u32 id);
void qr_labels_copy_end(const unsigned long *held);
void qr_labels_release(unsigned long *held);
/* A copy of a copy holds them, too. */
void qr_labels_hold_sets(const unsigned long *held);

/* The number of sets, without "other". */
unsigned int qr_label_sets(void);

void qr_labels_exit(void);

#endif /* QR_LABEL_H */
