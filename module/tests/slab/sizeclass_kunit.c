// SPDX-License-Identifier: GPL-2.0
/* Size classes and slab geometry: every size is checked against the promised bounds. */
#include "tests/kunit_util.h"

#include <linux/log2.h>
#include "slab/sizeclass.h"

/* The bound on both kinds of waste, internal and tail: an eighth. */
static bool at_most_an_eighth(unsigned int waste, unsigned int whole)
{
	return waste * 8 <= whole;
}

static void every_size_fits_smallest(struct kunit *test)
{
	unsigned int size;

	for (size = 1; size <= QUARRY_MAX_SMALL; size++) {
		unsigned int cls = qr_class_for(size);

		KUNIT_ASSERT_GT(test, cls, 0);
		KUNIT_ASSERT_LT(test, cls, QR_NR_CLASSES);
		KUNIT_ASSERT_GE(test, qr_class_bytes(cls), size);
		if (cls > 1)
			KUNIT_ASSERT_LT(test, qr_class_bytes(cls - 1), size);
	}
	KUNIT_EXPECT_EQ(test, 1, qr_class_for(0));
}

/* Tiny sizes, for which the table has no classes. */
static void tiny_sizes(struct kunit *test)
{
	static const unsigned int bytes[] = { 4, 4, 4, 4, 4, 6, 6, 8, 8, 16 };
	unsigned int size;

	for (size = 0; size < ARRAY_SIZE(bytes); size++) {
		unsigned int cls = qr_class_for(size);

		KUNIT_EXPECT_EQ(test, bytes[size], qr_class_bytes(cls));
		KUNIT_EXPECT_EQ(test, cls, qr_class_const(size));
		KUNIT_EXPECT_EQ(test, size <= QR_MAX_TINY, bytes[size] < QR_MIN_OBJECT);
	}
	KUNIT_EXPECT_EQ(test, 4, qr_class_align(4));
	KUNIT_EXPECT_EQ(test, 2, qr_class_align(6));
	KUNIT_EXPECT_EQ(test, 8, qr_class_align(24));
	KUNIT_EXPECT_EQ(test, 8, qr_class_align(48));
	BUILD_BUG_ON(qr_class_const(0) != 1);
	BUILD_BUG_ON(qr_class_const_size(qr_class_const(5)) != 6);
	BUILD_BUG_ON(qr_class_const_size(qr_class_const(7)) != 8);
}

static void constant_form_agrees(struct kunit *test)
{
	unsigned int size;

	for (size = 0; size <= QUARRY_MAX_SMALL; size++) {
		unsigned int cls = qr_class_for(size);

		KUNIT_ASSERT_EQ(test, cls, qr_class_const(size));
		KUNIT_ASSERT_EQ(test, qr_class_bytes(cls), qr_class_const_size(cls));
	}
	KUNIT_EXPECT_EQ(test, 0, qr_class_const(QUARRY_MAX_SMALL + 1));
	/* The compiler must fold it to a constant: the fast path relies on that. */
	BUILD_BUG_ON(qr_class_const(1) != 1);
	BUILD_BUG_ON(qr_class_const_size(qr_class_const(QUARRY_MAX_SMALL)) != QUARRY_MAX_SMALL);
}

static void internal_waste_is_bounded(struct kunit *test)
{
	unsigned int size;

	for (size = QR_MAX_TINY + 1; size <= QUARRY_MAX_SMALL; size++) {
		unsigned int bytes = qr_class_bytes(qr_class_for(size));
		unsigned int waste = bytes - round_up(size, QR_MIN_OBJECT);

		KUNIT_ASSERT_TRUE_MSG(test, at_most_an_eighth(waste, bytes),
				      "%u bytes for a request of %u", bytes, size);
	}
}

static void tail_waste_is_bounded(struct kunit *test)
{
	unsigned int cls;

	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		unsigned int size = qr_class_bytes(cls);
		struct qr_geometry geo = qr_geometry(size, qr_class_align(size));
		unsigned int bytes = geo.pages * PAGE_SIZE;

		KUNIT_EXPECT_EQ(test, size, geo.stride);
		KUNIT_EXPECT_EQ(test, geo.tail, bytes - geo.objects * geo.stride);
		KUNIT_EXPECT_TRUE_MSG(test, at_most_an_eighth(geo.tail, bytes),
				      "class of %u bytes: %u of %u", size, geo.tail, bytes);
	}
}

static void classes_are_aligned_and_ordered(struct kunit *test)
{
	unsigned int cls, size;

	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		if (qr_class_bytes(cls) > QR_MAX_TINY)
			KUNIT_EXPECT_EQ(test, 0, qr_class_bytes(cls) % QR_MIN_OBJECT);
		if (cls > 1)
			KUNIT_EXPECT_GT(test, qr_class_bytes(cls), qr_class_bytes(cls - 1));
		KUNIT_EXPECT_EQ(test, qr_class_bytes(cls), qr_class_cache[cls]->size);
	}
	for (size = QR_MIN_OBJECT; size <= QUARRY_MAX_SMALL; size *= 2) {
		KUNIT_EXPECT_EQ(test, size, qr_class_bytes(qr_class_const(size)));
		KUNIT_EXPECT_EQ(test, size, qr_class_align(size));
	}
}

static void any_geometry_is_sound(struct kunit *test)
{
	static const unsigned int aligns[] = { 0, 8, 16, 64, 128, 512, 4096, 8192, 32768 };
	unsigned int i, size;

	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		unsigned int align = max(aligns[i], QR_MIN_OBJECT);

		for (size = 1; size <= QR_MAX_OBJECT; size++) {
			struct qr_geometry geo = qr_geometry(size, aligns[i]);
			bool sound;

			sound = geo.stride >= size && geo.stride % align == 0 &&
				geo.stride - size < max(align, QR_MIN_OBJECT) &&
				geo.objects >= QR_SLAB_MIN_OBJECTS &&
				geo.objects <= qr_geo_map(geo.stride) && geo.pages >= 1 &&
				geo.pages <= QR_SLAB_MAX_PAGES &&
				/* All objects that fit, or the map would lack bits for them. */
				geo.objects == geo.pages * PAGE_SIZE / geo.stride &&
				geo.objects * geo.stride + geo.tail == geo.pages * PAGE_SIZE &&
				is_power_of_2(geo.align) && geo.align * PAGE_SIZE >= align;
			KUNIT_ASSERT_TRUE_MSG(test, sound,
					      "size %u align %u: stride %u, %u in %u pages", size,
					      align, geo.stride, geo.objects, geo.pages);
		}
	}
}

static void magazines_and_depots_are_bounded(struct kunit *test)
{
	unsigned int stride;

	for (stride = QR_MIN_OBJECT; stride <= QR_MAX_OBJECT; stride += QR_MIN_OBJECT) {
		unsigned int capacity = qr_magazine_capacity(stride);

		KUNIT_ASSERT_GE(test, capacity, QR_MAGAZINE_MIN);
		KUNIT_ASSERT_LE(test, capacity, QR_MAGAZINE_MAX);
		if (capacity > QR_MAGAZINE_MIN)
			KUNIT_ASSERT_LE(test, capacity * stride, QR_MAGAZINE_BYTES);
		KUNIT_ASSERT_GE(test, qr_depot_batches(stride), QR_DEPOT_MIN);
		KUNIT_ASSERT_LE(test, qr_depot_batches(stride), QR_DEPOT_MAX);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_size_fits_smallest), KUNIT_CASE(tiny_sizes),
	KUNIT_CASE(constant_form_agrees),     KUNIT_CASE(internal_waste_is_bounded),
	KUNIT_CASE(tail_waste_is_bounded),    KUNIT_CASE(classes_are_aligned_and_ordered),
	KUNIT_CASE(any_geometry_is_sound),    KUNIT_CASE(magazines_and_depots_are_bounded),
	KUNIT_CASE(qt_books_balance),	      {}
};

static struct kunit_suite sizeclass_suite = {
	.name = "quarry_sizeclass",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(sizeclass_suite);
