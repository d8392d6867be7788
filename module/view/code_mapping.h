/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who the code at an address belongs to: the kernel, or a module that is loaded
 * at this moment.
 */
#ifndef QR_CODE_MAPPING_H
#define QR_CODE_MAPPING_H

#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/types.h>

/* Which symbol the kernel's mapping begins with, in the manner of perf. */
#define QR_KERNEL_FILE "[kernel.kallsyms]_stext"

#define QR_BUILD_ID 20 /* bytes; longer ones are cut */

/**
 * struct qr_mapping - one of them
 * @start: its first byte of code: where pprof expects _stext, or a module's .text
 * @end: the byte after its last
 * @name: the module's; empty for the kernel
 * @build_id: from its ELF note, see qr_mapping_identify()
 * @build_id_len: 0 if it is not known
 */
struct qr_mapping {
	unsigned long start;
	unsigned long end;
	char name[MODULE_NAME_LEN];
	u8 build_id[QR_BUILD_ID];
	u8 build_id_len;
};

/**
 * struct qr_mappings - all of them
 * @nr: how many, the kernel included
 * @room: how many there is room for
 * @map: the kernel, then the modules by address
 */
struct qr_mappings {
	unsigned int nr;
	unsigned int room;
	struct qr_mapping map[];
};

/* NULL without memory.  Process context; sleeps. */
struct qr_mappings *qr_mappings_new(void);
void qr_mappings_free(struct qr_mappings *m);

/*
 * Look up the build id.  Not done for all of them beforehand: meanwhile the module
 * cannot be unloaded, which people notice.
 */
void qr_mapping_identify(struct qr_mapping *map);

/* The index of who owns @addr, or -1 for nobody. */
int qr_mapping_find(const struct qr_mappings *m, unsigned long addr);

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

/* Who is at @addr?  False if the kernel has no name for that. */
bool qr_symbol_find(struct qr_symbol *sym, unsigned long addr);

#endif /* QR_CODE_MAPPING_H */
