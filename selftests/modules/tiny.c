// SPDX-License-Identifier: GPL-2.0
/*
 * The whole life of a client in one load and unload.  caches.sh repeats both up
 * to a thousand times, and then checks that nothing is left behind.
 */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/string.h>
#include <quarry/quarry.h>

#define NR_OBJECTS  100
#define OBJECT_SIZE 200

static struct quarry_cache *cache;
static void *objects[NR_OBJECTS];

static void give_back(void)
{
	unsigned int i;

	for (i = 0; i < NR_OBJECTS; i++)
		quarry_cache_free(cache, objects[i]);
	quarry_cache_destroy(cache);
}

static int __init tiny_init(void)
{
	unsigned int i;

	cache = quarry_cache_create("quarry_client_tiny", OBJECT_SIZE, NULL);
	if (!cache)
		return -ENOMEM;
	for (i = 0; i < NR_OBJECTS; i++) {
		objects[i] = quarry_cache_alloc(cache, GFP_KERNEL);
		if (!objects[i]) {
			give_back();
			return -ENOMEM;
		}
		memset(objects[i], i, OBJECT_SIZE);
	}
	return 0;
}

static void __exit tiny_exit(void)
{
	give_back();
}

module_init(tiny_init);
module_exit(tiny_exit);
MODULE_AUTHOR("The Quarry developers");
MODULE_DESCRIPTION("Smallest client of Quarry, for its tests");
MODULE_LICENSE("GPL");
QUARRY_IMPORT_NS;
