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

/* The kernel's file name as perf writes it, with the symbol that its mapping begins with. */
#define QR_KERNEL_FILE "[kernel.kallsyms]_stext"

#define QR_BUILD_ID 20 /* bytes; longer build ids are cut */

/**
 * struct qr_mapping - the code of the kernel or of a module
 * @start: its first byte: where pprof expects _stext, or a module's .text
 * @end: the byte after its last
 * @name: the module's name; empty for the kernel
 * @build_id: from its ELF note, see qr_mapping_identify()
 * @build_id_len: bytes of @build_id; 0 if it is not known
 */
struct qr_mapping {
	unsigned long start;
	unsigned long end;
	char name[MODULE_NAME_LEN];
	u8 build_id[QR_BUILD_ID];
	u8 build_id_len;
};

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

/*
 * Look up the build id.  The module cannot be unloaded meanwhile, which people might
 * notice, so this is done only for mappings that a profile needs.
 */
void qr_mapping_identify(struct qr_mapping *map);

/* The index of the mapping that @addr lies in, or -1. */
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

/* Find the function at @addr.  False if the kernel has no name for the address. */
bool qr_symbol_find(struct qr_symbol *sym, unsigned long addr);

#endif /* QR_CODE_MAPPING_H */
