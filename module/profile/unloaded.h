/* SPDX-License-Identifier: GPL-2.0 */
/* The functions and mappings of stacks through modules that were unloaded. */
#ifndef QR_UNLOADED_H
#define QR_UNLOADED_H

#include "profile/mapping.h"

/*
 * Save what is known of @n frames.  Returns their names, one per line; "" without memory.  The
 * text lasts until qr_unloaded_exit(), and equal stacks through the same code have the same
 * pointer.  @kept is a module whose code goes now, and that the caller keeps until then, or
 * NULL.  Sleeps.
 */
const char *qr_unloaded_names(const unsigned long *frames, unsigned int n, struct module *kept);

/*
 * The return addresses that belong to such a text, in the mappings that were saved.  Returns how
 * many there are; 0 for another text.
 */
unsigned int qr_unloaded_frames(const char *text, unsigned long **entries);

/* The mapping of each frame, NULL where it has none; or NULL for another text. */
const struct qr_mapping *const *qr_unloaded_mappings(const char *text);

/* No more mappings than these have been saved. */
unsigned int qr_unloaded_nr_mappings(void);

int qr_unloaded_init(void);
void qr_unloaded_exit(void);

#endif /* QR_UNLOADED_H */
