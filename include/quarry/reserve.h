/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reserves: objects that a client sets aside where it may sleep, and takes where it may neither
 * sleep nor fail.  Included by quarry/quarry.h.
 */
#ifndef QUARRY_RESERVE_H
#define QUARRY_RESERVE_H

struct qr_reserve_block;

#define QUARRY_RESERVE_MAX 65536U /* most objects that a reserve holds */

/**
 * struct quarry_reserve - objects that were set aside
 * @blocks: private
 *
 * A zeroed struct is an empty reserve.  The client owns it: it calls quarry_reserve_fill() and,
 * at the end, quarry_reserve_return().
 */
struct quarry_reserve {
	struct qr_reserve_block *blocks;
};

int quarry_reserve_fill(struct quarry_reserve *r, struct quarry_cache *cache, unsigned int n,
			gfp_t gfp);
int quarry_reserve_fill_size(struct quarry_reserve *r, size_t size, unsigned int n, gfp_t gfp);
void *quarry_reserve_alloc(struct quarry_reserve *r) __malloc;
unsigned int quarry_reserve_left(const struct quarry_reserve *r);
void quarry_reserve_return(struct quarry_reserve *r);

#endif /* QUARRY_RESERVE_H */
