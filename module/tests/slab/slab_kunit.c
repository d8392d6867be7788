// SPDX-License-Identifier: GPL-2.0
/* The map of a slab and its arithmetic, compared with naive models. */
#include "tests/kunit_util.h"

#include <linux/bitmap.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include "slab/sizeclass.h"

KUNIT_DEFINE_ACTION_WRAPPER(slab_destroy_action, qr_slab_destroy, struct qr_slab *);

static struct qr_slab *new_slab(struct kunit *test, unsigned int size, unsigned int align)
{
	struct qr_geometry geo = qr_geometry(size, align);
	struct qr_slab *slab = qr_slab_create(&geo, 0, first_node(qr_nodes), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, slab_destroy_action, slab));
	return slab;
}

static bool give(struct qr_slab *slab, unsigned int i)
{
	return qr_slab_give(slab, slab->base + i * slab->stride);
}

static void created_full_of_free_objects(struct kunit *test)
{
	unsigned int cls, i;

	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		unsigned int size = qr_class_bytes(cls), set = 0;
		struct qr_geometry geo = qr_geometry(size, qr_class_align(size));
		struct qr_slab *slab = new_slab(test, size, qr_class_align(size));

		KUNIT_EXPECT_EQ(test, slab->nr_objects, geo.objects);
		KUNIT_EXPECT_EQ(test, slab->nr_free, slab->nr_objects);
		KUNIT_EXPECT_EQ(test, 0, (unsigned long)slab->base % qr_class_align(size));
		KUNIT_EXPECT_EQ(test, slab->words, qr_geo_map(slab->stride) / 64);
		for (i = 0; i < slab->words; i++) {
			set += hweight64(slab->free[i]);
			KUNIT_EXPECT_EQ(test, 0, qr_slab_cached(slab)[i]);
		}
		KUNIT_EXPECT_EQ(test, set, slab->nr_objects + qr_slab_spare_bits(slab));
		KUNIT_EXPECT_TRUE(test, qr_slab_is_free(slab, slab->nr_objects - 1));
		KUNIT_EXPECT_PTR_EQ(test, slab, qr_slab_of(slab->base));
		KUNIT_EXPECT_PTR_EQ(test, slab,
				    qr_slab_of(slab->base + slab->run.nr * PAGE_SIZE - 1));
		kunit_release_action(test, slab_destroy_action, slab);
	}
}

static void taken_lowest_address_first(struct kunit *test)
{
	struct qr_slab *slab = new_slab(test, 24, 0);
	void **objs = qt_array(test, slab->nr_objects + 1, sizeof(*objs));
	unsigned int total = slab->nr_objects, n = 0, i;

	/* Take uneven numbers of objects, so that each call ends within a word of the map. */
	for (i = 1; n < total; i++) {
		unsigned int want = min(i * 7 % 90 + 1, total - n);

		KUNIT_ASSERT_EQ(test, want, qr_slab_take(slab, objs + n, want));
		n += want;
		KUNIT_ASSERT_EQ(test, total - n, slab->nr_free);
	}
	for (i = 0; i < total; i++) {
		KUNIT_ASSERT_PTR_EQ(test, objs[i], slab->base + i * slab->stride);
		KUNIT_ASSERT_FALSE(test, qr_slab_is_free(slab, i));
	}
	KUNIT_EXPECT_EQ(test, 0, qr_slab_take(slab, objs, 1));

	/* Objects that were given back are taken by address, not in the order they came. */
	KUNIT_EXPECT_TRUE(test, give(slab, 300));
	KUNIT_EXPECT_TRUE(test, give(slab, 64));
	KUNIT_EXPECT_TRUE(test, give(slab, 63));
	KUNIT_EXPECT_EQ(test, 3, qr_slab_take(slab, objs, 5));
	KUNIT_EXPECT_EQ(test, 63, qr_slab_index(slab, objs[0]));
	KUNIT_EXPECT_EQ(test, 64, qr_slab_index(slab, objs[1]));
	KUNIT_EXPECT_EQ(test, 300, qr_slab_index(slab, objs[2]));
	for (i = 0; i < total; i++)
		KUNIT_ASSERT_TRUE(test, give(slab, i));
	KUNIT_EXPECT_EQ(test, total, slab->nr_free);
}

/*
 * A slab accepts a pointer only if an object begins there that is not free.  Tried at every byte of
 * a slab of every class.
 */
static void refuses_what_it_should(struct kunit *test)
{
	unsigned int cls, offset, wrong = 0;

	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		unsigned int size = qr_class_bytes(cls);
		struct qr_slab *slab = new_slab(test, size, qr_class_align(size));
		void **objs = qt_array(test, slab->nr_objects, sizeof(*objs));
		unsigned int total = slab->nr_objects;

		wrong += give(slab, 0) + give(slab, total - 1);
		KUNIT_ASSERT_EQ(test, total, qr_slab_take(slab, objs, total));
		for (offset = 0; offset < slab->run.nr * PAGE_SIZE; offset++) {
			bool right = offset % size == 0 && offset / size < total;

			wrong += qr_slab_give(slab, slab->base + offset) != right;
			wrong += qr_slab_give(slab, slab->base + offset);
		}
		KUNIT_EXPECT_EQ_MSG(test, 0, wrong, "class of %u bytes", size);
		KUNIT_EXPECT_EQ(test, total, slab->nr_free);
		kunit_release_action(test, slab_destroy_action, slab);
		cond_resched();
	}
}

/* Compare qr_slab_index() with a count of strides, at every byte of the slab. */
static void check_index(struct kunit *test, struct qr_slab *slab)
{
	unsigned int bytes = slab->run.nr * PAGE_SIZE, offset, next = 0, k = 0, wrong = 0;

	for (offset = 0; offset < bytes; offset++) {
		int expected = -1;

		if (offset == next) {
			if (k < slab->nr_objects)
				expected = k++;
			next += slab->stride;
		}
		if (qr_slab_index(slab, slab->base + offset) != expected)
			wrong++;
	}
	KUNIT_EXPECT_EQ_MSG(test, 0, wrong, "stride %u", slab->stride);
	KUNIT_EXPECT_EQ(test, k, slab->nr_objects);
}

static void index_is_exact_for_classes(struct kunit *test)
{
	unsigned int cls;

	for (cls = 1; cls < QR_NR_CLASSES; cls++) {
		unsigned int size = qr_class_bytes(cls);
		struct qr_slab *slab = new_slab(test, size, qr_class_align(size));

		check_index(test, slab);
		kunit_release_action(test, slab_destroy_action, slab);
		cond_resched();
	}
}

static void index_is_exact_for_random_strides(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		unsigned int size = 1 + get_random_u32_below(QR_MAX_OBJECT);
		struct qr_slab *slab = new_slab(test, size, 0);

		check_index(test, slab);
		kunit_release_action(test, slab_destroy_action, slab);
		cond_resched();
	}
}

/*
 * Every stride that a cache or a class can have, at the offsets where the rounded inverse would
 * first give a wrong result: around the beginning of each object.
 */
static void index_is_exact_for_every_stride(struct kunit *test)
{
	unsigned int stride, wrong = 0;

	for (stride = 2; stride <= QR_MAX_OBJECT; stride += stride < QR_MIN_OBJECT ? 2 : 8) {
		struct qr_geometry geo = qr_geometry(stride, stride < QR_MIN_OBJECT ? 2 : 0);
		struct qr_slab slab = {
			.base = (void *)PAGE_OFFSET,
			.stride = geo.stride,
			.inverse = DIV_ROUND_UP_ULL(1ULL << 32, geo.stride),
			.nr_objects = geo.objects,
			.nr_cut = geo.objects,
		};
		unsigned int i;

		for (i = 0; i < geo.objects; i++) {
			void *p = slab.base + i * stride;

			wrong += qr_slab_index(&slab, p) != i;
			wrong += qr_slab_index(&slab, p + 1) != -1;
			wrong += qr_slab_index(&slab, p + stride - 1) != -1;
		}
		wrong += qr_slab_index(&slab, slab.base + geo.objects * stride) != -1;
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
}

static void random_operations_match_model(struct kunit *test)
{
	static const unsigned int sizes[] = { 4, 6, 8, 24, 64, 152, 1000, 7168 };
	void *objs[64];
	unsigned int s, step;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct qr_slab *slab = new_slab(test, sizes[s], qr_class_align(sizes[s]));
		DECLARE_BITMAP(model, QR_SLAB_MAX_OBJECTS);
		unsigned int total = slab->nr_objects, i;

		bitmap_zero(model, QR_SLAB_MAX_OBJECTS);
		bitmap_set(model, 0, total);
		for (step = 0; step < 2000; step++) {
			unsigned int n, want;

			if (get_random_u32_below(2)) {
				want = get_random_u32_below(ARRAY_SIZE(objs)) + 1;
				n = qr_slab_take(slab, objs, want);
				want = min(want, bitmap_weight(model, total));
				KUNIT_ASSERT_EQ(test, n, want);
				for (i = 0; i < n; i++) {
					int k = qr_slab_index(slab, objs[i]);

					KUNIT_ASSERT_EQ(test, k, find_first_bit(model, total));
					__clear_bit(k, model);
				}
			} else {
				for (n = get_random_u32_below(64); n; n--) {
					i = get_random_u32_below(total);
					if (__test_and_set_bit(i, model))
						continue;
					KUNIT_ASSERT_FALSE(test, qr_slab_is_free(slab, i));
					KUNIT_ASSERT_TRUE(test, give(slab, i));
				}
			}
			KUNIT_ASSERT_EQ(test, slab->nr_free, bitmap_weight(model, total));
		}
		for (i = 0; i < total; i++)
			KUNIT_ASSERT_EQ(test, qr_slab_is_free(slab, i), test_bit(i, model));
	}
}

/*
 * A slab of sampled objects has fewer objects than fit on its pages.  A pointer to a place where
 * another object would begin must still find a bit in the map, and be refused.
 */
static void few_objects_on_a_page(struct kunit *test)
{
	static const unsigned int sizes[] = { 4, 6, 8, 16 };
	unsigned int s, i, wrong = 0;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct qr_geometry geo = qr_geometry(sizes[s], qr_class_align(sizes[s]));
		struct qr_slab *slab;

		slab = qr_slab_create_sampled(&geo, 1, first_node(qr_nodes), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, slab);
		KUNIT_ASSERT_EQ(test, 0,
				kunit_add_action_or_reset(test, slab_destroy_action, slab));
		KUNIT_EXPECT_EQ(test, QR_SAMPLED_OBJECTS, slab->nr_objects);
		for (i = slab->nr_objects; i < PAGE_SIZE / sizes[s]; i++) {
			KUNIT_ASSERT_LT(test, i / 64, slab->words);
			wrong += give(slab, i);
			wrong += qr_slab_index(slab, slab->base + i * sizes[s]) != -1;
		}
		KUNIT_EXPECT_EQ(test, 0, wrong);
		kunit_release_action(test, slab_destroy_action, slab);
	}
}

/* Only slabs of the smallest objects have descriptors with long maps. */
static void long_maps_are_for_small_objects(struct kunit *test)
{
	struct qr_slab *slab = qr_slab_create_bare(first_node(qr_nodes), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_EXPECT_EQ(test, 8, slab->words);
	KUNIT_EXPECT_PTR_EQ(test, qr_slab_cached(slab), slab->free + 8);
	qr_slab_destroy_bare(slab);
	slab = new_slab(test, QR_LONG_MAP, 0);
	KUNIT_EXPECT_EQ(test, QR_LONG_MAP, slab->stride);
	KUNIT_EXPECT_EQ(test, 8, slab->words);
}

static void classes_are_told_to_the_chunk(struct kunit *test)
{
	struct qr_geometry geo = qr_geometry(80, 0);
	struct qr_slab *slab;
	struct qr_run run;
	unsigned int i;

	slab = qr_slab_create(&geo, 8, first_node(qr_nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, slab_destroy_action, slab));
	run = slab->run;
	KUNIT_EXPECT_EQ(test, run.nr, geo.pages);
	for (i = 0; i < run.nr; i++)
		KUNIT_EXPECT_EQ(test, run.chunk->class[run.first + i],
				run.chunk->kind == QR_ORDINARY ? 8 : 0);
	kunit_release_action(test, slab_destroy_action, slab);
	/* The heap keeps the pages, so the chunk still exists. */
	if (run.chunk->kind == QR_ORDINARY)
		KUNIT_EXPECT_NULL(test, memchr_inv(run.chunk->class + run.first, 0, run.nr));
}

static struct kunit_case cases[] = { KUNIT_CASE(created_full_of_free_objects),
				     KUNIT_CASE(taken_lowest_address_first),
				     KUNIT_CASE(refuses_what_it_should),
				     KUNIT_CASE(index_is_exact_for_classes),
				     KUNIT_CASE(index_is_exact_for_random_strides),
				     KUNIT_CASE(index_is_exact_for_every_stride),
				     KUNIT_CASE(random_operations_match_model),
				     KUNIT_CASE(few_objects_on_a_page),
				     KUNIT_CASE(long_maps_are_for_small_objects),
				     KUNIT_CASE(classes_are_told_to_the_chunk),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite slab_suite = {
	.name = "quarry_slab",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(slab_suite);
