/* SPDX-License-Identifier: GPL-2.0 */
/* Labels of the samples that a task's allocations make.  Included by quarry/quarry.h. */
#ifndef QUARRY_LABEL_H
#define QUARRY_LABEL_H

#include <linux/compiler.h>
#include <linux/types.h>

/**
 * struct quarry_label_scope - a handle of a label of the current task, from
 *	quarry_label_begin() until quarry_label_end()
 * @index: private
 * @generation: private
 *
 * Quarry never looks at the structure after quarry_label_begin() has returned, and checks it in
 * quarry_label_end().  So a scope that is forgotten does no harm but a wrong label.
 */
struct quarry_label_scope {
	u32 index;
	u32 generation;
};

int quarry_label_begin(struct quarry_label_scope *scope, const char *key, const char *value);
void quarry_label_end(struct quarry_label_scope *scope);

static inline struct quarry_label_scope qr_label_scope(const char *key, const char *value)
{
	struct quarry_label_scope scope;

	quarry_label_begin(&scope, key, value);
	return scope;
}

/**
 * QUARRY_LABEL() - label what this task allocates until the end of the block
 * @key: as for quarry_label_begin()
 * @value: as for quarry_label_begin()
 *
 * Stands among the declarations of a block.  The label ends however the block is left, also by
 * return, break or goto, so it cannot be forgotten.
 */
#define QUARRY_LABEL(key, value)                                                                   \
	struct quarry_label_scope __UNIQUE_ID(quarry_label) __maybe_unused                         \
		__attribute__((__cleanup__(quarry_label_end))) = qr_label_scope(key, value)

#endif /* QUARRY_LABEL_H */
