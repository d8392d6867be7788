// SPDX-License-Identifier: GPL-2.0
/*
 * The slab layer.  Descriptors come from a cache of the kernel's own; they are
 * small, of one size, and their number follows the slabs'.
 */
#include "slab.h"

#include <linux/bitops.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "meta.h"

static struct kmem_cache *descriptors;

unsigned int qr_slab_take(struct qr_slab *slab, void **out, unsigned int want)
{
	unsigned int left = min(want, slab->nr_free), n = left;
	unsigned long stride = slab->stride;
	void *base = slab->base;
	u64 *word;

	slab->nr_free -= left;
	for (word = slab->free; left; word++, base += 64 * stride) {
		unsigned int here = min_t(unsigned int, left, hweight64(*word));
		void **end = out + here;
		u64 map = *word;

		while (out != end) {
			*out++ = base + __ffs(map) * stride;
			map &= map - 1;
		}
		*word = map;
		left -= here;
	}
	return n;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_take);

static struct qr_slab *descriptor_new(gfp_t gfp, int node)
{
	struct qr_slab *slab = qr_meta_cache_alloc(descriptors, gfp, node);

	if (slab)
		INIT_LIST_HEAD(&slab->link);
	return slab;
}

static struct qr_slab *slab_cut(const struct qr_geometry *geo, enum qr_kind kind,
				unsigned int pages, unsigned int most, int node, gfp_t gfp)
{
	unsigned int least = DIV_ROUND_UP(geo->stride, QR_GEO_PAGE);
	struct qr_slab *slab = descriptor_new(gfp, node);

	if (!slab)
		return NULL;
	if (!qr_heap_get(&slab->run, slab, kind, node, pages, least, geo->align, gfp)) {
		qr_meta_cache_free(descriptors, slab);
		return NULL;
	}
	slab->base = qr_chunk_addr(slab->run.chunk, slab->run.first);
	slab->stride = geo->stride;
	slab->inverse = DIV_ROUND_UP_ULL(1ULL << 32, geo->stride);
	slab->nr_objects = min(qr_geo_objects(slab->run.nr, geo->stride), most);
	slab->nr_free = slab->nr_objects;
	memset(slab->free, 0xff, sizeof(slab->free));
	return slab;
}

static void slab_drop(struct qr_slab *slab)
{
	qr_heap_put(&slab->run);
	qr_meta_cache_free(descriptors, slab);
}

struct qr_slab *qr_slab_create(const struct qr_geometry *geo, unsigned int class, int node,
			       gfp_t gfp)
{
	struct qr_slab *slab = slab_cut(geo, QR_ORDINARY, geo->pages, QR_SLAB_MAX_OBJECTS,
					node, gfp);

	if (!slab)
		return NULL;
	if (class && slab->run.chunk->kind == QR_ORDINARY)
		memset(slab->run.chunk->class + slab->run.first, class, slab->run.nr);
	return slab;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_create);

struct qr_slab *qr_slab_create_sampled(const struct qr_geometry *geo, unsigned int pages,
				       int node, gfp_t gfp)
{
	struct qr_slab *slab = slab_cut(geo, QR_SAMPLED, pages, QR_SAMPLED_OBJECTS, node, gfp);

	if (!slab)
		return NULL;
	if (!qr_samples_init(&slab->samples, slab->nr_objects, gfp)) {
		slab_drop(slab);
		return NULL;
	}
	return slab;
}

struct qr_slab *qr_slab_create_large(unsigned int pages, int node, gfp_t gfp)
{
	struct qr_slab *slab = descriptor_new(gfp, node);

	if (!slab)
		return NULL;
	if (!qr_heap_get(&slab->run, slab, QR_LARGE, node, pages, pages, 1, gfp)) {
		qr_meta_cache_free(descriptors, slab);
		return NULL;
	}
	slab->base = qr_chunk_addr(slab->run.chunk, slab->run.first);
	return slab;
}

void qr_slab_destroy(struct qr_slab *slab)
{
	trace_slab_put(slab->base, slab->run.nr, slab->run.chunk->node);
	qr_samples_exit(&slab->samples);
	slab_drop(slab);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_destroy);

int qr_slabs_init(void)
{
	descriptors = qr_meta_cache_create("quarry_slab", sizeof(struct qr_slab));
	return descriptors ? 0 : -ENOMEM;
}

void qr_slabs_exit(void)
{
	kmem_cache_destroy(descriptors);
}
