// SPDX-License-Identifier: GPL-2.0
/* The stream of stream_pieces.h, from the kernel's own allocator. */
#include <linux/kernel.h>
#include <linux/slab.h>

typedef struct kmem_cache side_cache;

#define side_malloc	      kmalloc
#define side_zalloc	      kzalloc
#define side_usable_size      ksize
#define side_free	      kfree
#define side_cache_destroy    kmem_cache_destroy
#define side_cache_alloc_node kmem_cache_alloc_node
#define side_cache_free	      kmem_cache_free
#define side_bulk_alloc	      kmem_cache_alloc_bulk
#define side_bulk_free	      kmem_cache_free_bulk

/* The kernel wants each cache to have a name of its own. */
static side_cache *side_cache_create(const char *name, size_t size)
{
	char full[32];

	snprintf(full, sizeof(full), "%s_%zu", name, size);
	return kmem_cache_create(full, size, 0, 0, NULL);
}

#include "stream_pieces.h"

const struct client_command client_kstream = { "kstream", stream_run, STREAM_ARGS };
const struct client_command client_unkstream = { "unkstream", unstream_run };

void client_unkstream_all(void)
{
	unstream_all();
}
