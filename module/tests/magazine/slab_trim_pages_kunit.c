// SPDX-License-Identifier: GPL-2.0
/* Trimming one slab, compared with a model that has no bitmaps and no multiplicative inverses. */
#include "tests/kunit_util.h"

#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/string.h>
#include "slab/sizeclass.h"

enum state { FREE, HELD, LOST };

struct slab_model {
	struct qr_slab *slab;
	enum state object[QR_SLAB_MAX_OBJECTS];
	bool gone[QR_SLAB_MAX_PAGES];
	struct rnd_state rnd;
	void *taken[QR_SLAB_MAX_OBJECTS];
};

KUNIT_DEFINE_ACTION_WRAPPER(slab_destroy_action, qr_slab_destroy, struct qr_slab *);

static bool lies_on(const struct slab_model *m, unsigned int i, unsigned int page)
{
	size_t from = (size_t)i * m->slab->stride, to = from + m->slab->stride;

	return from < (page + 1) * PAGE_SIZE && to > page * PAGE_SIZE;
}

static unsigned int model_count(const struct slab_model *m, enum state state)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->slab->nr_cut; i++)
		n += m->object[i] == state;
	return n;
}

/* Trim the model; returns the pages that leave. */
static u32 model_trim(struct slab_model *m)
{
	unsigned int page, i;
	u32 pages = 0;

	for (page = 0; page < m->slab->run.nr; page++) {
		bool held = false;

		for (i = 0; i < m->slab->nr_cut; i++)
			held |= m->object[i] == HELD && lies_on(m, i, page);
		if (held || m->gone[page])
			continue;
		m->gone[page] = true;
		pages |= BIT(page);
		for (i = 0; i < m->slab->nr_cut; i++)
			if (lies_on(m, i, page))
				m->object[i] = LOST;
	}
	return pages;
}

static void model_agrees(struct kunit *test, struct slab_model *m)
{
	struct qr_slab *slab = m->slab;
	unsigned int step = slab->stride < QR_MIN_OBJECT ? 2 : QR_MIN_OBJECT;
	unsigned int i, offset, wrong = 0;

	KUNIT_ASSERT_EQ(test, slab->nr_free, model_count(m, FREE));
	KUNIT_ASSERT_EQ(test, slab->nr_objects, slab->nr_cut - model_count(m, LOST));
	for (i = 0; i < slab->nr_cut; i++) {
		wrong += qr_slab_is_free(slab, i) != (m->object[i] != HELD);
		wrong += qr_slab_has_lost(slab, i) != (m->object[i] == LOST);
	}
	KUNIT_ASSERT_EQ(test, 0, wrong);
	/* For every address in the slab: its object number, and whether it may be given. */
	for (offset = 0; offset < slab->run.nr * PAGE_SIZE; offset += step) {
		void *p = slab->base + offset;
		bool starts = !(offset % slab->stride) && offset / slab->stride < slab->nr_cut;

		i = offset / slab->stride;
		if (m->gone[offset >> PAGE_SHIFT]) {
			wrong += qr_slab_of(p) == slab;
			continue;
		}
		wrong += qr_slab_of(p) != slab;
		wrong += qr_slab_index(slab, p) != (starts ? (int)i : -1);
		wrong += qr_slab_index(slab, p + 1) != -1;
		wrong += qr_slab_give(slab, p + 1);
		if (!starts || m->object[i] != HELD)
			wrong += qr_slab_give(slab, p);
	}
	KUNIT_ASSERT_EQ(test, 0, wrong);
	KUNIT_ASSERT_EQ(test, slab->nr_free, model_count(m, FREE));
}

static void model_take(struct kunit *test, struct slab_model *m, unsigned int want)
{
	unsigned int n = qr_slab_take(m->slab, m->taken, want), i, k;

	KUNIT_ASSERT_EQ(test, n, min(want, model_count(m, FREE)));
	for (i = 0; i < n; i++) {
		k = (m->taken[i] - m->slab->base) / m->slab->stride;
		KUNIT_ASSERT_EQ(test, FREE, m->object[k]);
		m->object[k] = HELD;
	}
}

/* Give back all but @keep of the held objects, chosen at random. */
static void model_give(struct kunit *test, struct slab_model *m, unsigned int keep)
{
	unsigned int n = model_count(m, HELD);

	while (n > keep) {
		unsigned int i = prandom_u32_state(&m->rnd) % m->slab->nr_cut;

		if (m->object[i] != HELD)
			continue;
		KUNIT_ASSERT_TRUE(test, qr_slab_give(m->slab, m->slab->base + i * m->slab->stride));
		m->object[i] = FREE;
		n--;
	}
}

static void slab_rounds(struct kunit *test, struct slab_model *m, unsigned int size,
			unsigned int align)
{
	struct qr_geometry geo = qr_geometry(size, align);
	unsigned int round, page;
	u32 pages;

	memset(m->object, 0, sizeof(m->object));
	memset(m->gone, 0, sizeof(m->gone));
	m->slab = qr_slab_create(&geo, 0, first_node(qr_nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->slab);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, slab_destroy_action, m->slab));
	model_take(test, m, geo.objects);
	for (round = 0; round < 6; round++) {
		unsigned int held = model_count(m, HELD);

		model_give(test, m, 1 + prandom_u32_state(&m->rnd) % held);
		pages = model_trim(m);
		KUNIT_ASSERT_EQ(test, pages, qr_slab_trim(m->slab));
		/* Pages that left no longer lead to the slab, even before the heap has them. */
		for (page = 0; page < m->slab->run.nr; page++)
			KUNIT_ASSERT_EQ(test, m->gone[page],
					qr_slab_of(m->slab->base + page * PAGE_SIZE) != m->slab);
		qr_slab_put_pages(&m->slab->run, pages);
		KUNIT_ASSERT_EQ(test, 0, qr_slab_trim(m->slab));
		model_agrees(test, m);
		model_take(test, m, prandom_u32_state(&m->rnd) % (m->slab->nr_free + 1));
		model_agrees(test, m);
	}
	model_give(test, m, 0);
	model_agrees(test, m);
	kunit_release_action(test, slab_destroy_action, m->slab);
}

static void slabs_match_model(struct kunit *test)
{
	struct slab_model *m = qt_array(test, 1, sizeof(*m));
	u64 seed = get_random_u64(), inuse = qt_stats(test)->inuse_bytes;
	unsigned int i;

	kunit_info(test, "seed %llu\n", seed);
	prandom_seed_state(&m->rnd, seed);
	for (i = 1; i < QR_NR_CLASSES; i++) {
		slab_rounds(test, m, qr_class_bytes(i), qr_class_align(qr_class_bytes(i)));
		cond_resched();
	}
	for (i = 0; i < 100; i++) {
		slab_rounds(test, m, 1 + prandom_u32_state(&m->rnd) % QR_MAX_OBJECT, 0);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, inuse, qt_stats(test)->inuse_bytes);
}

static struct kunit_case cases[] = { KUNIT_CASE_SLOW(slabs_match_model),
				     KUNIT_CASE(qt_books_balance),
				     {} };

static struct kunit_suite trim_slab_suite = {
	.name = "quarry_slab_trim_pages",
	.suite_init = qt_suite_init,
	.exit = qt_exit,
	.test_cases = cases,
};

kunit_test_suite(trim_slab_suite);
