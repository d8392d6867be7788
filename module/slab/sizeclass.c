// SPDX-License-Identifier: GPL-2.0
/*
 * Size to class for sizes known at run time only: one byte per 8 bytes of
 * size, which says 8 for all up to that; see qr_class_for().  The classes
 * themselves are generated, see scripts/mksizeclasses.c.
 */
#include "slab/sizeclass.h"

#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include "compat.h"
#include "slab/sizeclass_table.h"

u8 qr_size_class[QUARRY_MAX_SMALL / 8 + 1] __ro_after_init;
EXPORT_SYMBOL_QUARRY(qr_size_class);

unsigned int qr_class_bytes(unsigned int cls)
{
	return qr_class_sizes[cls];
}
EXPORT_SYMBOL_QUARRY_TEST(qr_class_bytes);

/*
 * Slabs begin at a page, so what divides the size of a class and a page's is an alignment
 * that all its objects have.  Classes beyond that are aligned to their size if it is a
 * power of two.
 */
unsigned int qr_class_aligned(size_t align, size_t size)
{
	unsigned int cls = qr_class_for(max(size, align));

	while (qr_class_bytes(cls) % align ||
	       (align > PAGE_SIZE && !is_power_of_2(qr_class_bytes(cls))))
		cls++;
	return cls;
}

void qr_sizeclass_init(void)
{
	unsigned int k = qr_class_const(QR_MIN_OBJECT), i;

	BUILD_BUG_ON(QR_GEO_PAGE != PAGE_SIZE);
	BUILD_BUG_ON(ARRAY_SIZE(qr_class_sizes) != QR_NR_CLASSES);
	BUILD_BUG_ON(QR_MAX_OBJECT != QUARRY_MAX_SMALL);
	BUILD_BUG_ON(QR_NR_CLASSES > U8_MAX);
	BUILD_BUG_ON(qr_class_const_size(qr_class_const(QR_MAX_TINY + 1)) != QR_MIN_OBJECT);

	for (i = 0; i < ARRAY_SIZE(qr_size_class); i++) {
		if (i * 8 > qr_class_sizes[k])
			k++;
		qr_size_class[i] = k;
	}
}
