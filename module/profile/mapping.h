/* SPDX-License-Identifier: GPL-2.0 */
/* Where the code of the kernel and of a module is, and the build id of its file. */
#ifndef QR_MAPPING_H
#define QR_MAPPING_H

#include <linux/module.h>
#include <linux/types.h>

#define QR_BUILD_ID 20 /* bytes; longer build ids are cut */

/**
 * struct qr_mapping - the code of the kernel or of a module
 * @start: its first byte: where pprof expects _stext, or a module's .text
 * @end: the byte after its last
 * @shown: where profiles show @start; module/report/ chooses it
 * @name: the module's name; empty for the kernel
 * @build_id: from its ELF note, see qr_mapping_identify()
 * @build_id_len: bytes of @build_id; 0 if it is not known
 * @identified: the build id was looked up
 */
struct qr_mapping {
	unsigned long start;
	unsigned long end;
	unsigned long shown;
	char name[MODULE_NAME_LEN];
	u8 build_id[QR_BUILD_ID];
	u8 build_id_len;
	bool identified;
};

/*
 * Look up the build id, once.  The module cannot be unloaded meanwhile, which people might
 * notice, so this is done only for mappings that a profile needs.  Sleeps.
 */
void qr_mapping_identify(struct qr_mapping *map);

/*
 * Find the module whose text @addr lies in, with its build id.  @kept is a module that the
 * caller keeps from going away, or NULL; it may be going.  False if @addr is in no module's
 * text.  Sleeps.
 */
bool qr_mapping_of(struct qr_mapping *map, unsigned long addr, struct module *kept);

/* Is it the same code, maybe at another place?  Both have been identified. */
bool qr_mapping_same(const struct qr_mapping *a, const struct qr_mapping *b);

/* Fill in up to @room modules that are loaded.  Returns how many there are. */
unsigned int qr_mappings_list(struct qr_mapping *map, unsigned int room);

#endif /* QR_MAPPING_H */
