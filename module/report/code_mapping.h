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

/*
 * Where profiles place code if the reader may not see addresses: the kernel where it is linked to
 * begin, and the modules one behind the other.  Offsets into the code stay what they are.
 */
#ifdef __START_KERNEL
#define QR_SHOWN_KERNEL __START_KERNEL
#else
#define QR_SHOWN_KERNEL 0xffffffff81000000UL
#endif
#define QR_SHOWN_MODULES 0xffffffffc0000000UL

/**
 * struct qr_mappings - the kernel and all modules
 * @nr: mappings, the kernel's included
 * @room: mappings that there is room for
 * @bare: profiles show addresses as they are
 * @next_shown: if not, where they show the next module
 * @map: the kernel, then the modules by address
 */
struct qr_mappings {
	unsigned int nr;
	unsigned int room;
	bool bare;
	unsigned long next_shown;
	struct qr_mapping map[];
};

/* List the kernel and all modules.  NULL without memory.  Process context; sleeps. */
struct qr_mappings *qr_mappings_new(void);
void qr_mappings_free(struct qr_mappings *m);

/* Choose where profiles show @map, which is one more module that is not in @m. */
void qr_mapping_place(struct qr_mappings *m, struct qr_mapping *map);

/*
 * What profiles show for @addr, which lies in @map, or in no mapping (NULL): the address, or one
 * that has the same offset into the code, or a number that stands for it.
 */
unsigned long qr_mapping_shown(const struct qr_mappings *m, const struct qr_mapping *map,
			       unsigned long addr);

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
