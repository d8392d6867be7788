/* SPDX-License-Identifier: GPL-2.0 */
/* Size classes, for sizes known at run time only. */
#ifndef QR_SIZECLASS_H
#define QR_SIZECLASS_H

#include <quarry/quarry.h>
#include "slab/geometry.h"

/* Bytes that an object of @class offers; @class is 1 to QR_NR_CLASSES - 1. */
unsigned int qr_class_bytes(unsigned int class);

/*
 * The smallest class for @size bytes at a multiple of @align.  @align is a power of two; neither
 * is more than QUARRY_MAX_SMALL.
 */
unsigned int qr_class_aligned(size_t align, size_t size);

/* The class for @size bytes, up to QUARRY_MAX_SMALL.  The table has no tiny classes. */
static __always_inline unsigned int qr_class_for(size_t size)
{
	if (size <= QR_MAX_TINY)
		return qr_class_const(size);
	return qr_size_class[(size + 7) / 8];
}

void qr_sizeclass_init(void);

#endif /* QR_SIZECLASS_H */
