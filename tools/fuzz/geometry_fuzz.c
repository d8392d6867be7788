// SPDX-License-Identifier: GPL-2.0
/* How objects lie in a slab: they fit, are aligned, and waste no more than a larger slab would. */
#include "fuzz.h"
#undef __KERNEL__
#include "slab/geometry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	u32 bytes = 1 + take(&in, 2) % QR_MAX_OBJECT, align = 0, i, least;
	struct qr_geometry g;

	if (take(&in, 1) & 1)
		align = 8u << take(&in, 1) % 13; /* up to QR_MAX_ALIGN */
	if (((bytes + align - 1) & -align) > QR_MAX_OBJECT && align)
		return 0;
	g = qr_geometry(bytes, align);
	expect(g.stride >= bytes && !(g.stride % (align ?: QR_MIN_OBJECT)));
	expect(g.stride - bytes < (align ?: QR_MIN_OBJECT));
	expect(g.pages >= 1 && g.pages <= QR_SLAB_MAX_PAGES);
	expect(g.objects >= QR_SLAB_MIN_OBJECTS && g.objects <= qr_geo_map(g.stride));
	expect(g.objects * g.stride + g.tail == g.pages * QR_GEO_PAGE);
	expect(g.align == max(align / QR_GEO_PAGE, 1u));
	/* A smaller slab that is large enough as well wastes more than an eighth. */
	for (i = 1; i < g.pages; i++) {
		u32 n = qr_geo_objects(i, g.stride), tail = i * QR_GEO_PAGE - n * g.stride;

		least = QR_SLAB_GOOD_BYTES / QR_GEO_PAGE;
		if (n >= QR_SLAB_MIN_OBJECTS && (n >= QR_SLAB_GOOD_OBJECTS || i >= least))
			expect(tail > i * QR_GEO_PAGE >> QR_WASTE_SHIFT);
	}
	expect(qr_magazine_capacity(g.stride) >= QR_MAGAZINE_MIN &&
	       qr_magazine_capacity(g.stride) <= QR_MAGAZINE_MAX);
	expect(qr_depot_batches(g.stride) >= QR_DEPOT_MIN &&
	       qr_depot_batches(g.stride) <= QR_DEPOT_MAX);
	return 0;
}
