/* SPDX-License-Identifier: GPL-2.0 */
/* Label scopes: the labels that clients have set for tasks at this moment. */
#ifndef QR_LABEL_SCOPE_H
#define QR_LABEL_SCOPE_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <quarry/profile.h>

#define QR_LABEL_SCOPES	   1024 /* labels that all tasks together can have set; more are dropped */
#define QR_LABEL_TASK_BITS 6	/* of hash_ptr() of a task: which slot its labels are in */
#define QR_LABELS_OWN	   4	/* labels that the profiler adds to a set by itself */
#define QR_LABELS_USER	   (QUARRY_LABELS_MAX - QR_LABELS_OWN)

/* A label of a task; key and value are clean names. */
struct qr_label {
	char key[QUARRY_LABEL_KEY];
	char value[QUARRY_LABEL_VALUE];
};

/* Labels that are set now, and labels that were dropped because too many were set. */
extern atomic_t qr_label_scopes;
extern atomic64_t qr_label_scopes_dropped;

/* The keys that clients cannot use because the profiler sets them: node, context, comm, cgroup. */
extern const char *const qr_labels_own_key[QR_LABELS_OWN];

/*
 * Find this task's labels: the innermost of each key, sorted by key.  Returns how many.  They
 * are valid until the task ends their scopes.  Process context.
 */
unsigned int qr_labels_of_task(const struct qr_label *found[QR_LABELS_USER]);

/* A hash of these @n labels. */
u32 qr_labels_hash(const struct qr_label *const *label, unsigned int n);

/*
 * Remove the labels of tasks that have exited.  A task's labels are never taken for another
 * task's, so this only gives their memory back; it runs every few seconds while labels are set.
 */
void qr_label_scopes_sweep(void);

int qr_label_scopes_init(void);
void qr_label_scopes_exit(void);

#endif /* QR_LABEL_SCOPE_H */
