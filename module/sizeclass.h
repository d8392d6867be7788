/* SPDX-License-Identifier: GPL-2.0 */
/* Size classes at run time. */
#ifndef QR_SIZECLASS_H
#define QR_SIZECLASS_H

#include <linux/types.h>
#include <quarry/sizeclass.h>
#include "geometry.h"

/* Bytes that an object of @class offers; @class is 1 to QR_NR_CLASSES - 1. */
unsigned int qr_class_bytes(unsigned int class);

/*
 * The class for @size bytes at a multiple of @align, a power of two; neither is more
 * than QUARRY_MAX_SMALL.
 */
unsigned int qr_class_aligned(size_t align, size_t size);

/* The alignment that quarry_malloc() promises for an object of @size bytes. */
static inline unsigned int qr_class_align(unsigned int size)
{
	return size & (size - 1) ? QR_MIN_OBJECT : size;
}

void qr_sizeclass_init(void);

#endif /* QR_SIZECLASS_H */
