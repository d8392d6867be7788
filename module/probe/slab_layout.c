// SPDX-License-Identifier: GPL-2.0
/*
 * Two caches with different names and sizes are made.  A member is at the lowest offset at which
 * both caches have the value that they should:
 *
 *	name	a pointer to a string that is equal to the cache's name
 *	size	the least distance between two objects of the cache.  The caches are aligned
 *		such that it differs from the size that was asked for
 *	cache	in the page of an object, the address of its cache
 *
 * Memory is read with copy_from_kernel_nofault(), since a word may be no pointer.  What was found
 * is checked on caches of the kernel's own, with kmalloc().
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "probe/slab_layout.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "compat.h"

#define LOOK	256 /* bytes of a kmem_cache that are looked at */
#define OBJECTS 64  /* objects that are allocated to measure their distance */

struct qr_slab_layout qr_slab_layout;
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_layout);

/**
 * struct probe - a cache of our own
 * @name: its name
 * @size: bytes of an object, as asked for
 * @align: alignment of an object, so that @size is no multiple of it
 * @cache: the cache
 * @object: objects of it
 * @distance: from one object to the next
 */
struct probe {
	const char *name;
	unsigned int size;
	unsigned int align;
	struct kmem_cache *cache;
	void *object[OBJECTS];
	u32 distance;
};

/* Copies what can be read of @size bytes; the rest is all ones. */
static void words_of(const void *from, void *buf, size_t size)
{
	size_t i;

	memset(buf, 0xff, size);
	for (i = 0; i < size; i += sizeof(long))
		if (copy_from_kernel_nofault(buf + i, from + i, sizeof(long)))
			break;
}

/* --- What is looked for --- */

static bool is_name(const struct probe *p, const void *word)
{
	const char *const *name = word;
	char buf[32];

	return !copy_from_kernel_nofault(buf, *name, strlen(p->name) + 1) && !strcmp(buf, p->name);
}

static bool is_size(const struct probe *p, const void *word)
{
	return *(const u32 *)word == p->distance;
}

static bool is_cache(const struct probe *p, const void *word)
{
	return *(const struct kmem_cache *const *)word == p->cache;
}

/* The lowest offset below @end, in @step bytes, at which both have what they should; or -1. */
static int find_both(const struct probe p[2], const u8 *const memory[2], unsigned int end,
		     unsigned int step, bool (*is)(const struct probe *p, const void *word))
{
	unsigned int i;

	for (i = 0; i + step <= end; i += step)
		if (is(&p[0], memory[0] + i) && is(&p[1], memory[1] + i))
			return i;
	return -1;
}

static int unknown(const char *type, const char *member)
{
	pr_err("kernel=slab: struct %s of this kernel has no %s that is known\n", type, member);
	return -EOPNOTSUPP;
}

static int find_members(const struct probe p[2])
{
	u8 cache[2][LOOK] __aligned(8), page[2][sizeof(struct page)] __aligned(8);
	const u8 *const caches[] = { cache[0], cache[1] }, *const pages[] = { page[0], page[1] };
	unsigned int i;
	int at;

	for (i = 0; i < 2; i++) {
		words_of(p[i].cache, cache[i], sizeof(cache[i]));
		words_of(virt_to_head_page(p[i].object[0]), page[i], sizeof(page[i]));
	}
	at = find_both(p, caches, LOOK, sizeof(long), is_name);
	if (at < 0)
		return unknown("kmem_cache", "name");

	qr_slab_layout.name = at;
	at = find_both(p, caches, LOOK, sizeof(u32), is_size);
	if (at < 0)
		return unknown("kmem_cache", "size");

	qr_slab_layout.size = at;
	at = find_both(p, pages, sizeof(struct page), sizeof(long), is_cache);
	if (at < 0)
		return unknown("slab", "cache");

	qr_slab_layout.cache = at;
	return 0;
}

/* --- Our caches --- */

static void probe_exit(struct probe *p)
{
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		if (p->object[i])
			kmem_cache_free(p->cache, p->object[i]);
	kmem_cache_destroy(p->cache);
}

static int probe_init(struct probe *p)
{
	unsigned int i, k;

	/* SLAB_TYPESAFE_BY_RCU keeps the kernel from merging it with a cache of another name. */
	p->cache = kmem_cache_create(p->name, p->size, p->align, SLAB_TYPESAFE_BY_RCU, NULL);
	if (!p->cache)
		return -ENOMEM;
	for (i = 0; i < OBJECTS; i++) {
		p->object[i] = kmem_cache_alloc(p->cache, GFP_KERNEL);
		if (!p->object[i])
			return -ENOMEM;
	}
	p->distance = U32_MAX;
	for (i = 0; i < OBJECTS; i++)
		for (k = 0; k < OBJECTS; k++)
			if (p->object[i] > p->object[k])
				p->distance = min_t(u64, p->distance, p->object[i] - p->object[k]);
	return 0;
}

/* --- The check --- */

/* Objects of kmalloc(@size) must be in a cache of a name and a size that fit. */
static int check_kmalloc(size_t size)
{
	void *p = kmalloc(size, GFP_KERNEL);
	const struct kmem_cache *s;
	char name[8] = "";
	int err = -EOPNOTSUPP;

	if (!p)
		return -ENOMEM;
	s = qr_kernel_cache_of(p);
	if (s && !copy_from_kernel_nofault(name, qr_kernel_cache_name(s), sizeof(name) - 1) &&
	    !strcmp(name, "kmalloc") && qr_kernel_cache_size(s) >= ksize(p))
		err = 0;
	else
		pr_err("kernel=slab: an object of kmalloc(%zu) is in a cache \"%*pE\"\n", size,
		       (int)strlen(name), name);
	kfree(p);
	return err;
}

static int learn(void)
{
	struct probe *p = kcalloc(2, sizeof(*p), GFP_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	p[0] = (struct probe){ .name = "quarry_layout_1", .size = 1000, .align = 128 };
	p[1] = (struct probe){ .name = "quarry_layout_two", .size = 488, .align = 64 };
	err = probe_init(&p[0]) ?: probe_init(&p[1]) ?: find_members(p);
	probe_exit(&p[0]);
	probe_exit(&p[1]);
	kfree(p);
	return err ?: check_kmalloc(96) ?: check_kmalloc(2000);
}

int qr_slab_layout_learn(void)
{
	/* No two caches may have one name. */
	static DEFINE_MUTEX(lock);
	int err = 0;

	mutex_lock(&lock);
	if (!qr_slab_layout.known)
		err = learn();
	qr_slab_layout.known = !err;
	mutex_unlock(&lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_layout_learn);
