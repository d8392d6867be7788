/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How objects of a size are laid out in a slab.  This is pure arithmetic: the generator of the
 * size classes (scripts/mksizeclasses.c) includes this file in user space, so that its table
 * and the caches created at run time follow the same rule.
 */
#ifndef QR_GEOMETRY_H
#define QR_GEOMETRY_H

/* Bytes of a page.  In user space it is that of x86, unless the compiler's options say another. */
#ifdef __KERNEL__
#include <asm/page.h>
#define QR_GEO_PAGE ((unsigned int)PAGE_SIZE)
#elif !defined(QR_GEO_PAGE)
#define QR_GEO_PAGE 4096u
#endif

#define QR_MIN_OBJECT	  8u	 /* bytes; also the least alignment, except of tiny classes */
#define QR_MAX_OBJECT	  32768u /* bytes; larger objects get whole pages */
#define QR_MAX_ALIGN	  32768u /* bytes */
#define QR_MIN_STRIDE	  4u	 /* bytes; the smallest tiny class */
#define QR_SLAB_MAP	  512u	 /* bits in a slab's map */
#define QR_SLAB_MAX_BYTES 131072u
#define QR_WASTE_SHIFT	  3 /* at most 1/8 of a slab may be waste */

/*
 * A page of objects that are smaller than QR_LONG_MAP bytes has more of them than QR_SLAB_MAP.
 * Their slabs have maps that are long enough for a page of the smallest objects.
 */
#define QR_LONG_MAP	    (QR_GEO_PAGE / QR_SLAB_MAP)
#define QR_SLAB_MAX_OBJECTS (QR_GEO_PAGE / QR_MIN_STRIDE)
#define QR_SLAB_MAX_PAGES   (QR_SLAB_MAX_BYTES / QR_GEO_PAGE)

/* A slab is large enough to be worth its metadata if it has this many objects or bytes. */
#define QR_SLAB_GOOD_OBJECTS 256u
#define QR_SLAB_GOOD_BYTES   32768u
#define QR_SLAB_MIN_OBJECTS  4u

/* A magazine holds at most this many bytes of objects, but within the bounds below. */
#define QR_MAGAZINE_BYTES 65536u
#define QR_MAGAZINE_MAX	  128u /* objects */
#define QR_MAGAZINE_MIN	  4u

/* Objects of other nodes that a CPU collects per cache before it frees them there. */
#define QR_REMOTE_MAX 16u

/* A depot (one per cache and node) holds at most this many bytes in full batches. */
#define QR_DEPOT_BYTES 1048576u
#define QR_DEPOT_MAX   32u /* batches */
#define QR_DEPOT_MIN   4u

struct qr_geometry {
	unsigned int stride;  /* bytes from one object to the next */
	unsigned int pages;   /* pages of a slab */
	unsigned int objects; /* objects in a slab */
	unsigned int align;   /* pages: the slab begins at a multiple of this */
	unsigned int tail;    /* bytes at the end of a slab that hold no object */
};

static inline unsigned int qr_geo_clamp(unsigned int v, unsigned int lo, unsigned int hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* The alignment that quarry_malloc() promises for an object of a class of @size bytes. */
static inline unsigned int qr_class_align(unsigned int size)
{
	unsigned int align = size & -size;

	return align < size && align > QR_MIN_OBJECT ? QR_MIN_OBJECT : align;
}

/* Bits in the map of a slab: at least one for each place where an object can begin. */
static inline unsigned int qr_geo_map(unsigned int stride)
{
	return stride < QR_LONG_MAP ? QR_SLAB_MAX_OBJECTS : QR_SLAB_MAP;
}

static inline unsigned int qr_geo_objects(unsigned int pages, unsigned int stride)
{
	return qr_geo_clamp(pages * QR_GEO_PAGE / stride, 0, qr_geo_map(stride));
}

/*
 * The smallest slab that is large enough and wastes at most 1/8; if there is none, the slab that
 * wastes the smallest share.  @align is a power of two, or 0 for QR_MIN_OBJECT.
 */
static inline struct qr_geometry qr_geometry(unsigned int size, unsigned int align)
{
	struct qr_geometry geo = { 0 };
	unsigned int pages, least = ~0u;

	if (!align)
		align = QR_MIN_OBJECT;
	geo.stride = (size + align - 1) & ~(align - 1);
	geo.align = align > QR_GEO_PAGE ? align / QR_GEO_PAGE : 1;

	for (pages = 1; pages <= QR_SLAB_MAX_PAGES; pages++) {
		unsigned int bytes = pages * QR_GEO_PAGE;
		unsigned int n = qr_geo_objects(pages, geo.stride);
		unsigned int tail = bytes - n * geo.stride, share;

		if (n < QR_SLAB_MIN_OBJECTS)
			continue;
		share = tail * 64 / pages; /* waste per page, in 1/64 bytes */
		if (share < least) {
			least = share;
			geo.pages = pages;
			geo.objects = n;
			geo.tail = tail;
		}
		if (tail <= bytes >> QR_WASTE_SHIFT &&
		    (n >= QR_SLAB_GOOD_OBJECTS || bytes >= QR_SLAB_GOOD_BYTES)) {
			geo.pages = pages;
			geo.objects = n;
			geo.tail = tail;
			break;
		}
	}
	return geo;
}

static inline unsigned int qr_magazine_capacity(unsigned int stride)
{
	return qr_geo_clamp(QR_MAGAZINE_BYTES / stride, QR_MAGAZINE_MIN, QR_MAGAZINE_MAX);
}

/* Batches move between a magazine and its depot half a magazine at a time. */
static inline unsigned int qr_depot_batches(unsigned int stride)
{
	unsigned int batch = qr_magazine_capacity(stride) / 2 * stride;

	return qr_geo_clamp(QR_DEPOT_BYTES / batch, QR_DEPOT_MIN, QR_DEPOT_MAX);
}

#endif /* QR_GEOMETRY_H */
