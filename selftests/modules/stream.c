// SPDX-License-Identifier: GPL-2.0
/* The stream of stream_pieces.h, from Quarry. */
#include <quarry/quarry.h>

typedef struct quarry_cache side_cache;

#define side_malloc	      quarry_malloc
#define side_zalloc	      quarry_zalloc
#define side_usable_size      quarry_usable_size
#define side_free	      quarry_free
#define side_cache_destroy    quarry_cache_destroy
#define side_cache_alloc_node quarry_cache_alloc_node
#define side_cache_free	      quarry_cache_free
#define side_bulk_alloc	      quarry_cache_alloc_bulk
#define side_bulk_free	      quarry_cache_free_bulk

static side_cache *side_cache_create(const char *name, size_t size)
{
	return quarry_cache_create(name, size, NULL);
}

#include "stream_pieces.h"

const struct client_command client_stream = { "stream", stream_run, STREAM_ARGS };
const struct client_command client_unstream = { "unstream", unstream_run };

void client_unstream_all(void)
{
	unstream_all();
}
