/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The addresses in the call stacks of a profile: each once, in order, with the function
 * and the mapping that it lies in.
 */
#ifndef QR_SYMBOL_H
#define QR_SYMBOL_H

#include <linux/types.h>
#include "report/code_mapping.h"

/* The only address of a stack that is not known, and of merged rows; no code is there. */
#define QR_NO_ADDRESS	  0UL
#define QR_MERGED_ADDRESS 1UL

#define QR_NO_FUNCTION U32_MAX

/* What profiles show in place of a function's name. */
#define QR_NO_STACK "[stack not recorded]"
#define QR_NO_NAME  "[unknown]"
#define QR_MERGED   "[smallest rows, merged]"

/**
 * struct qr_place - an address
 * @addr: within the call instruction: one less than the return address
 * @function: index of the function, or QR_NO_FUNCTION
 * @mapping: index of the mapping, see qr_symbols_mapping(); -1 if the address is in none
 */
struct qr_place {
	unsigned long addr;
	u32 function;
	s32 mapping;
};

/**
 * struct qr_lost - an address in a module that has been unloaded
 * @addr: the address
 * @name: the names of the function and module that were there, not zero-terminated
 * @len: length of @name; 0 if the address had no name
 * @map: the mapping that the module had, or NULL if that is not known
 */
struct qr_lost {
	unsigned long addr;
	const char *name;
	size_t len;
	const struct qr_mapping *map;
};

/**
 * struct qr_function - a function that was found
 * @start: its first byte; 0 if its module has been unloaded
 * @size: its length in bytes
 * @name: its name
 * @module: its module's name, or NULL
 */
struct qr_function {
	unsigned long start;
	unsigned long size;
	const char *name;
	const char *module;
};

/**
 * struct qr_symbols - all addresses of a profile
 * @err: -ENOMEM if memory was short
 * @addr: return addresses less one, in the order in which they are added
 * @nr_addr: length of @addr
 * @room: addresses that @addr has room for
 * @lost: addresses in modules that have been unloaded
 * @nr_lost: length of @lost
 * @room_lost: addresses that @lost has room for
 * @place: the addresses of @addr, each once, in order; then those of @lost
 * @nr: length of @place
 * @function: functions of @place, in the order of their first use
 * @nr_functions: length of @function
 * @maps: the mappings that addresses may lie in
 * @gone: the mappings of unloaded modules that addresses of @lost lie in
 * @nr_gone: length of @gone
 * @room_gone: mappings that @gone has room for
 * @names: memory for the functions' names
 * @names_left: bytes left in the first page of @names
 */
struct qr_symbols {
	int err;
	unsigned long *addr;
	size_t nr_addr;
	size_t room;
	struct qr_lost *lost;
	size_t nr_lost;
	size_t room_lost;
	struct qr_place *place;
	size_t nr;
	struct qr_function *function;
	size_t nr_functions;
	struct qr_mappings *maps;
	struct qr_mapping *gone;
	unsigned int nr_gone;
	unsigned int room_gone;
	struct qr_names *names;
	size_t names_left;
};

/* First add all addresses, then resolve them, then look them up.  All but the last sleep. */
void qr_symbols_init(struct qr_symbols *s);
/*
 * Add return addresses.  @names is that of &struct quarry_site, and must exist as long as @s.
 * Errors are kept until qr_symbols_resolve(), which returns 0 or -ENOMEM.
 */
void qr_symbols_add(struct qr_symbols *s, const unsigned long *entries, unsigned int nr,
		    const char *names);
int qr_symbols_resolve(struct qr_symbols *s);
void qr_symbols_exit(struct qr_symbols *s);

/* Find the indices of the places of addresses that were added with the same arguments. */
void qr_symbols_find(const struct qr_symbols *s, const unsigned long *entries, unsigned int nr,
		     const char *names, u32 *place);

/* Mapping number @mapping: first those of @maps, then those of @gone. */
struct qr_mapping *qr_symbols_mapping(const struct qr_symbols *s, u32 mapping);

static inline u32 qr_symbols_nr_mappings(const struct qr_symbols *s)
{
	return s->maps->nr + s->nr_gone;
}

/* What a profile shows for the address of a place, see qr_mapping_shown(). */
unsigned long qr_symbols_shown(const struct qr_symbols *s, u32 place);

/* A place's function, or NULL. */
const struct qr_function *qr_symbols_function(const struct qr_symbols *s, u32 place);

#endif /* QR_SYMBOL_H */
