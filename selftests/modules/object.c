// SPDX-License-Identifier: GPL-2.0
/*
 * The pattern of an object depends on its address, size and number, and fills it.
 * If memory was given to two callers, or something else wrote there, the pattern
 * is wrong when the object is freed.
 */
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "client.h"

#define GOLDEN 0x9e3779b97f4a7c15ULL

static u64 first_word(const struct client_object *o)
{
	return ((unsigned long)o->p ^ ((u64)o->seq << 32 | o->size)) * GOLDEN;
}

void client_fill(const struct client_object *o)
{
	u64 word = first_word(o), *q = o->p;
	unsigned int i;

	for (i = 0; i < o->size / 8; i++, word += GOLDEN)
		q[i] = word;
	memcpy(q + i, &word, o->size % 8);
}

int client_check(const struct client_object *o)
{
	u64 word = first_word(o), *q = o->p;
	unsigned int i;

	for (i = 0; i < o->size / 8; i++, word += GOLDEN)
		if (q[i] != word)
			goto bad;
	if (!memcmp(q + i, &word, o->size % 8))
		return 0;
bad:
	client_say("spoilt object %px size %u seq %u cpu %u offset %u has %llx wants %llx\n", o->p,
		   o->size, o->seq, o->cpu, i * 8, i < o->size / 8 ? q[i] : 0, word);
	return -EIO;
}

bool client_all_zero(const void *p, size_t size)
{
	return !memchr_inv(p, 0, size);
}

int client_free(const struct client_object *o)
{
	int err = client_check(o);

	if (err)
		return err;
	if (o->cache)
		quarry_cache_free(o->cache, o->p);
	else
		quarry_free(o->p);
	return 0;
}
