// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs.  Their descriptors come from two kmem_caches of the kernel.  Slabs of the smallest objects
 * have longer maps and so a cache of their own: a descriptor keeps the length of its maps for life,
 * which a reader that found it by a dangling address relies on.
 */
#include "slab/slab.h"

#include <linux/bitops.h>
#include <linux/string.h>
#include <trace/events/quarry.h>
#include "compat.h"
#include "core/metadata.h"
#include "pages/long_run.h"
#include "pages/release.h"
#include "slab/shadow.h"

static struct kmem_cache *descriptors, *long_descriptors;
static struct kmem_cache *cleanups;

DEFINE_RAW_SPINLOCK(qr_cleanups_lock);
u32 qr_cleanups_mark;

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

/*
 * A free of an object that left the slab must be refused, but the fast way in slab.h looks at the
 * map only, in which that object is not free.  So a slab that pages have left has an inverse
 * of 0, with which the fast way finds no object except the first, and frees of all others
 * come here.  The first object leaves only together with its page; after that, its address no
 * longer leads to the slab.
 *
 * A caller without the depot's lock may read the inverse before or after it changes to 0.  It
 * gets the same number in both cases.
 */
int qr_slab_index_exact(const struct qr_slab *slab, const void *p)
{
	u32 offset = p - slab->base, stride = READ_ONCE(slab->stride), i;

	/* A dangling pointer's slab may be a large object by now. */
	if (!stride)
		return -1;
	i = offset / stride;
	return i * stride == offset && i < slab->nr_cut ? i : -1;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_index_exact);

/* The fast way found no object at @p, or found that it is free already. */
bool qr_slab_give_exact(struct qr_slab *slab, const void *p)
{
	int i = slab->gone ? qr_slab_index_exact(slab, p) : -1;

	if (i < 0 || qr_slab_is_free(slab, i))
		return false;
	slab->free[i / 64] |= BIT_ULL(i % 64);
	slab->nr_free++;
	return true;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_give_exact);

/* The cache of descriptors that have maps of @bits bits. */
static struct kmem_cache *descriptors_of(unsigned int bits)
{
	return bits > QR_SLAB_MAP ? long_descriptors : descriptors;
}

static struct qr_slab *descriptor_new(unsigned int bits, gfp_t gfp, int node)
{
	struct qr_slab *slab = qr_meta_cache_alloc(descriptors_of(bits), gfp, node);

	if (slab) {
		INIT_LIST_HEAD(&slab->link);
		slab->words = bits / 64;
	}
	return slab;
}

static void descriptor_free(struct qr_slab *slab)
{
	qr_meta_cache_free(descriptors_of(slab->words * 64), slab);
}

static size_t descriptor_bytes(unsigned int bits)
{
	return struct_size_t(struct qr_slab, free, 2 * bits / 64);
}

static struct qr_slab *slab_cut(const struct qr_geometry *geo, enum qr_kind kind,
				unsigned int pages, unsigned int most, int node, gfp_t gfp)
{
	unsigned int least = DIV_ROUND_UP(geo->stride, QR_GEO_PAGE);
	struct qr_slab *slab = descriptor_new(qr_geo_map(geo->stride), gfp, node);

	if (!slab)
		return NULL;
	if (!qr_heap_get(&slab->run, slab, kind, node, pages, least, geo->align, gfp)) {
		descriptor_free(slab);
		return NULL;
	}
	slab->base = qr_chunk_addr(slab->run.chunk, slab->run.first);
	slab->stride = geo->stride;
	slab->inverse = DIV_ROUND_UP_ULL(1ULL << 32, geo->stride);
	slab->nr_objects = min(qr_geo_objects(slab->run.nr, geo->stride), most);
	slab->nr_free = slab->nr_objects;
	slab->nr_cut = slab->nr_objects;
	memset(slab->free, 0xff, slab->words * sizeof(*slab->free));
	return slab;
}

/* The first run of pages of @run whose bits are set in @pages.  Clears these bits. */
static struct qr_run split_off(const struct qr_run *run, u32 *pages)
{
	unsigned int first = __ffs(*pages), nr = ffz((unsigned long)*pages >> first);

	*pages &= ~GENMASK(first + nr - 1, first);
	return (struct qr_run){
		.chunk = run->chunk,
		.first = run->first + first,
		.nr = nr,
		.access = run->access,
	};
}

void qr_slab_put_pages(const struct qr_run *run, u32 pages)
{
	while (pages) {
		struct qr_run part = split_off(run, &pages);

		trace_slab_put(qr_chunk_addr(part.chunk, part.first), part.nr, part.chunk->node);
		qr_heap_drop(&part);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_put_pages);

/*
 * Objects from the emergency reserves must not enter magazines, where anyone gets them.  In a mixed
 * chunk no free is fast.  In a hole of an ordinary chunk the slab gets no class, and frees to
 * caches are slow in the whole chunk while the slab is there.
 */
static void slab_set_apart(struct qr_slab *slab, bool apart)
{
	unsigned long flags;

	if (slab->run.chunk->kind != QR_ORDINARY)
		return;
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	slab->apart = apart;
	qr_chunk_set_slow(slab->run.chunk, apart);
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
}

static void slab_drop(struct qr_slab *slab)
{
	if (unlikely(slab->apart))
		slab_set_apart(slab, false);
	qr_heap_put(&slab->run);
	descriptor_free(slab);
}

struct qr_slab *qr_slab_create(const struct qr_geometry *geo, unsigned int class, int node,
			       gfp_t gfp)
{
	struct qr_slab *slab = slab_cut(geo, QR_ORDINARY, geo->pages, geo->objects, node, gfp);

	if (!slab)
		return NULL;
	if (unlikely(slab->run.access)) {
		slab_set_apart(slab, true);
	} else if (class && slab->run.chunk->kind == QR_ORDINARY) {
		slab->class = class;
		memset(slab->run.chunk->class + slab->run.first, class, slab->run.nr);
	}
	return slab;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_create);

struct qr_slab *qr_slab_create_sampled(const struct qr_geometry *geo, unsigned int pages, int node,
				       gfp_t gfp)
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
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_create_sampled);

struct qr_slab *qr_slab_create_large(unsigned int pages, unsigned int align, int node, gfp_t gfp)
{
	struct qr_slab *slab = descriptor_new(QR_SLAB_MAP, gfp, node);

	if (!slab)
		return NULL;
	if (!(pages > QR_CHUNK_PAGES ?
		      align == 1 && qr_heap_get_long(&slab->run, slab, node, pages, gfp) :
		      qr_heap_get(&slab->run, slab, QR_LARGE, node, pages, pages, align, gfp))) {
		descriptor_free(slab);
		return NULL;
	}
	slab->base = qr_chunk_addr(slab->run.chunk, slab->run.first);
	return slab;
}

struct qr_slab *qr_slab_create_block(unsigned int pages, unsigned int least, int node, gfp_t gfp)
{
	struct qr_slab *slab = descriptor_new(QR_SLAB_MAP, gfp, node);

	if (!slab)
		return NULL;
	if (!qr_heap_get(&slab->run, slab, QR_LARGE, node, pages, least, 1, gfp)) {
		descriptor_free(slab);
		return NULL;
	}
	slab->base = qr_chunk_addr(slab->run.chunk, slab->run.first);
	return slab;
}

/* --- Cleanups --- */

struct qr_cleanup *qr_cleanup_new(gfp_t gfp)
{
	return qr_meta_cache_alloc(cleanups, gfp, NUMA_NO_NODE);
}

void qr_cleanup_free(struct qr_cleanup *cleanup)
{
	cleanup->next = NULL; /* a search that is here by mistake goes on to no other list */
	qr_meta_cache_free(cleanups, cleanup);
}

void qr_cleanups_free(struct qr_cleanup *list)
{
	while (list) {
		struct qr_cleanup *next = list->next;

		qr_cleanup_free(list);
		list = next;
	}
}

/*
 * quarry_free() reads the class of the page.  Class 0 sends the frees of this slab, and of no
 * other, to the slow path.  quarry_cache_free() and bulk frees read one byte for the whole
 * chunk, so frees to its other slabs become slow as well.  An object of a size class is in no
 * client's cache, and all other objects have class 0 already: so a slab needs only one of both.
 */
void qr_slab_set_fast(struct qr_slab *slab, bool fast)
{
	struct qr_chunk *chunk = slab->run.chunk;
	unsigned int i;

	if (chunk->kind != QR_ORDINARY)
		return;
	if (!slab->class) {
		qr_chunk_set_slow(chunk, !fast);
		return;
	}
	for (i = 0; i < slab->run.nr; i++)
		if (!(slab->gone & BIT(i)))
			WRITE_ONCE(chunk->class[slab->run.first + i], fast ? slab->class : 0);
}

unsigned int qr_slab_strip(struct qr_slab *slab, struct qr_cleanup **off, unsigned int most)
{
	unsigned int i, n = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	qr_cleanups_change(slab);
	for (i = 0; slab->nr_cleaned && n < most && i < qr_slab_rows(slab); i++) {
		struct qr_cleanup *first = slab->cleanups[i];

		if (!first)
			continue;
		slab->cleanups[i] = NULL;
		if (!--slab->nr_cleaned)
			qr_slab_set_fast(slab, true);
		if (first != QR_CLEANUPS_RUN)
			off[n++] = first;
	}
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	return n;
}

/* The slab has no live object, but a dangling pointer of a client may still lead to it. */
static void cleanups_exit(struct qr_slab *slab)
{
	struct qr_cleanup **rows, *off[16];
	unsigned long flags;
	unsigned int n;

	if (likely(!slab->cleanups))
		return;
	while ((n = qr_slab_strip(slab, off, ARRAY_SIZE(off))))
		while (n)
			qr_cleanups_free(off[--n]);
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	rows = slab->cleanups;
	slab->cleanups = NULL;
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	qr_meta_free(rows, qr_slab_rows(slab) * sizeof(*rows));
}

void qr_slab_destroy(struct qr_slab *slab)
{
	if (unlikely(slab->guard))
		qr_shadow_open(slab->base, qr_slab_bytes(slab));
	cleanups_exit(slab);
	qr_samples_exit(&slab->samples);
	if (unlikely(slab->gone)) {
		qr_slab_put_pages(&slab->run, ~slab->gone & GENMASK(slab->run.nr - 1, 0));
		descriptor_free(slab);
		return;
	}
	trace_slab_put(slab->base, slab->run.nr, slab->run.chunk->node);
	slab_drop(slab);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_destroy);

struct qr_slab *qr_slab_create_bare(int node, gfp_t gfp)
{
	return descriptor_new(QR_SLAB_MAP, gfp, node);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_create_bare);

void qr_slab_destroy_bare(struct qr_slab *slab)
{
	cleanups_exit(slab);
	qr_samples_exit(&slab->samples);
	descriptor_free(slab);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_destroy_bare);

/* The map of free objects, as a kernel bitmap. */
static unsigned long *free_map(const struct qr_slab *slab)
{
	BUILD_BUG_ON(BITS_PER_LONG != 64);
	return (unsigned long *)slab->free;
}

/* The first object of which a part lies on @page or behind it. */
static unsigned int first_on(const struct qr_slab *slab, unsigned int page)
{
	return min((u32)(page << PAGE_SHIFT) / slab->stride, slab->nr_cut);
}

/* The first object that begins on @page or behind it. */
static unsigned int first_behind(const struct qr_slab *slab, unsigned int page)
{
	return min(DIV_ROUND_UP((u32)page << PAGE_SHIFT, slab->stride), slab->nr_cut);
}

/* Does a live or cached object lie on @page?  Objects that left do not count. */
static bool page_is_held(const struct qr_slab *slab, unsigned int page)
{
	unsigned int i = first_on(slab, page), end = first_behind(slab, page + 1);

	for (;; i++) {
		i = find_next_zero_bit(free_map(slab), end, i);
		if (i >= end)
			return false;
		if (!qr_slab_has_lost(slab, i))
			return true;
	}
}

u32 qr_slab_trim(struct qr_slab *slab)
{
	u32 pages = 0, todo;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < slab->run.nr; i++)
		if (!(slab->gone & BIT(i)) && !page_is_held(slab, i))
			pages |= BIT(i);
	if (!pages)
		return 0;
	/* From now on all frees but the first object's take the exact way. */
	WRITE_ONCE(slab->inverse, 0);
	/* qr_slab_set_fast() must not change the classes of these pages any more. */
	raw_spin_lock_irqsave(&qr_cleanups_lock, flags);
	slab->gone |= pages;
	raw_spin_unlock_irqrestore(&qr_cleanups_lock, flags);
	slab->nr_objects -= slab->nr_free;
	for (todo = pages; todo;) {
		struct qr_run part = split_off(&slab->run, &todo);
		unsigned int page = part.first - slab->run.first;
		unsigned int first = first_on(slab, page);

		bitmap_clear(free_map(slab), first, first_behind(slab, page + part.nr) - first);
		qr_chunk_hide(part.chunk, part.first, part.nr);
	}
	slab->nr_free = bitmap_weight(free_map(slab), slab->nr_cut);
	slab->nr_objects += slab->nr_free;
	return pages;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_slab_trim);

int qr_slabs_init(void)
{
	descriptors = qr_meta_cache_create("quarry_slab", descriptor_bytes(QR_SLAB_MAP), true);
	long_descriptors = qr_meta_cache_create("quarry_slab_tiny",
						descriptor_bytes(QR_SLAB_MAX_OBJECTS), true);
	cleanups = qr_meta_cache_create("quarry_cleanup", sizeof(struct qr_cleanup), true);
	if (descriptors && long_descriptors && cleanups)
		return 0;
	qr_slabs_exit();
	return -ENOMEM;
}

void qr_slabs_exit(void)
{
	kmem_cache_destroy(descriptors);
	kmem_cache_destroy(long_descriptors);
	kmem_cache_destroy(cleanups);
}
