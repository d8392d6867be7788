/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which code an address belongs to: the kernel, or a module that is loaded at this
 * moment; and the function at an address.
 */
#ifndef QR_CODE_MAPPING_H
#define QR_CODE_MAPPING_H

#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/types.h>
#include "profile/mapping.h"

/* The kernel's file name as perf writes it, with the symbol that its mapping begins with. */
#define QR_KERNEL_FILE "[kernel.kallsyms]_stext"

/**
 * struct qr_mappings - the kernel and all modules
 * @nr: mappings, the kernel's included
 * @room: mappings that there is room for
 * @map: the kernel, then the modules by address
 */
struct qr_mappings {
	unsigned int nr;
	unsigned int room;
	struct qr_mapping map[];
};

/* List the kernel and all modules.  NULL without memory.  Process context; sleeps. */
struct qr_mappings *qr_mappings_new(void);
void qr_mappings_free(struct qr_mappings *m);

/* The index of the mapping that @addr lies in, or -1. */
int qr_mapping_find(const struct qr_mappings *m, unsigned long addr);

/* Is @map, which a module had when its names were saved, that of a loaded module?  Sleeps. */
bool qr_mappings_have(struct qr_mappings *m, const struct qr_mapping *map);

/**
 * struct qr_symbol - a function
 * @start: its first byte
 * @size: its length
 * @module: its module's name within @text, or NULL
 * @text: its name
 */
struct qr_symbol {
	unsigned long start;
	unsigned long size;
	const char *module;
	char text[KSYM_SYMBOL_LEN];
};

/* Find the function at @addr.  False if the kernel has no name for the address. */
bool qr_symbol_find(struct qr_symbol *sym, unsigned long addr);

#endif /* QR_CODE_MAPPING_H */
