// SPDX-License-Identifier: GPL-2.0
/* Memory for the arrays of heads. */
#include "magazine/array.h"

#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include "compat.h"
#include "core/metadata.h"
#include "slab/geometry.h"

/*
 * Bytes of an array.  Beside its own members it has 10, 26, 42, 74, 106, 138 or 154 places: for a
 * magazine of 8, 16, 32, 64, 96 or 128 objects, and the room for those of other nodes.
 */
#define MOST 1280
static const unsigned int bytes[] = { 128, 256, 384, 640, 896, 1152, MOST };

atomic64_t qr_array_bytes = ATOMIC64_INIT(0);

static struct kmem_cache *arrays[ARRAY_SIZE(bytes)];

static unsigned int places_in(unsigned int size)
{
	return (bytes[size] - sizeof(struct qr_array)) / sizeof(void *);
}

static unsigned int size_for(unsigned int places)
{
	unsigned int size;

	for (size = 0; size < ARRAY_SIZE(bytes) - 1; size++)
		if (places <= places_in(size))
			break;
	return size;
}

struct qr_array *qr_array_new(unsigned int places)
{
	unsigned int size = size_for(places);
	struct qr_array *a;

	if (in_nmi() || in_hardirq())
		return NULL;
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())
		return NULL;
	a = qr_meta_cache_alloc(arrays[size], GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC,
				numa_mem_id());
	if (a) {
		a->size = size;
		a->total = places_in(size);
		atomic64_add(bytes[size], &qr_array_bytes);
	}
	return a;
}

static void array_free_rcu(struct rcu_head *rcu)
{
	struct qr_array *a = container_of(rcu, struct qr_array, rcu);

	atomic64_sub(bytes[a->size], &qr_array_bytes);
	qr_meta_cache_free(arrays[a->size], a);
}

void qr_array_free(struct qr_array *a)
{
	if (a)
		call_rcu(&a->rcu, array_free_rcu);
}

bool qr_array_is_larger(const struct qr_array *a, unsigned int places)
{
	return size_for(places) < a->size;
}

int qr_arrays_init(void)
{
	unsigned int i;

	BUILD_BUG_ON(struct_size_t(struct qr_array, obj, QR_MAGAZINE_MAX + QR_REMOTE_MAX) > MOST);
	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		char name[32];

		snprintf(name, sizeof(name), "quarry_array_%u", bytes[i]);
		arrays[i] = qr_meta_cache_create(name, bytes[i], true);
		if (!arrays[i]) {
			qr_arrays_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void qr_arrays_exit(void)
{
	unsigned int i;

	rcu_barrier();
	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		kmem_cache_destroy(arrays[i]);
		arrays[i] = NULL;
	}
}
