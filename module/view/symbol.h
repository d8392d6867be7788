/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the call stacks of a profile lead: every address once, in order, with the
 * function and the mapping that it lies in.
 */
#ifndef QR_SYMBOL_H
#define QR_SYMBOL_H

#include <linux/types.h>
#include "view/code_mapping.h"

/* What stands for a stack that is not known: no call is there. */
#define QR_NO_ADDRESS 0UL

#define QR_NO_FUNCTION U32_MAX

/* What people read instead of a function. */
#define QR_NO_STACK "[stack not recorded]"
#define QR_NO_NAME  "[unknown]"

/**
 * struct qr_place - an address
 * @addr: within the call instruction: one less than the return address
 * @function: index of the function, or QR_NO_FUNCTION
 * @mapping: index of the mapping, or -1: nobody's, or that of a module that has gone
 */
struct qr_place {
	unsigned long addr;
	u32 function;
	s32 mapping;
};

/**
 * struct qr_lost - an address in a module that has gone
 * @addr: what it was
 * @name: the function and module that were there, not terminated
 * @len: length of @name; 0 if that is not known
 */
struct qr_lost {
	unsigned long addr;
	const char *name;
	size_t len;
};

/**
 * struct qr_function - a function that was found
 * @start: its first byte; 0 if it has gone
 * @size: its length
 * @name: its name
 * @module: its module's, or NULL
 */
struct qr_function {
	unsigned long start;
	unsigned long size;
	const char *name;
	const char *module;
};

/**
 * struct qr_symbols - all addresses
 * @err: memory was short
 * @addr: return addresses less one, as they are added
 * @nr_addr: how many
 * @room: how many there is room for
 * @lost: the same for those in modules that have gone
 * @nr_lost: how many
 * @room_lost: how many there is room for
 * @place: the addresses, each once, in order; then the lost ones
 * @nr: how many of both
 * @function: their functions, in the order of their first use
 * @nr_functions: how many
 * @maps: who may own them
 * @names: memory of the functions' names
 * @names_left: bytes left in the last page of it
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
	struct qr_names *names;
	size_t names_left;
};

/* Collect, then resolve, then look up.  All but the last sleep. */
void qr_symbols_init(struct qr_symbols *s);
/*
 * Add return addresses, and @names as &struct quarry_site has them, which must stay.
 * Errors are kept until qr_symbols_resolve(), which returns 0 or -ENOMEM.
 */
void qr_symbols_add(struct qr_symbols *s, const unsigned long *entries, unsigned int nr,
		    const char *names);
int qr_symbols_resolve(struct qr_symbols *s);
void qr_symbols_exit(struct qr_symbols *s);

/* The indices of places for addresses that were added in the same way. */
void qr_symbols_find(const struct qr_symbols *s, const unsigned long *entries, unsigned int nr,
		     const char *names, u32 *place);

/* A place's function, or NULL. */
const struct qr_function *qr_symbols_function(const struct qr_symbols *s, u32 place);

#endif /* QR_SYMBOL_H */
