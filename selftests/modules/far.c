// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a device far up in the address space, as of CXL, persistent memory or a device's BAR:
 * the kernel has page descriptors for it, and it widens the span of its node, but no allocator
 * hands it out.  Nothing reads or writes it, so there need be nothing.
 */
#include <linux/err.h>
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/sizes.h>

static unsigned long gib = 33000;
module_param(gib, ulong, 0400);
MODULE_PARM_DESC(gib, "physical address of the memory in GiB");

static struct dev_pagemap map = { .type = MEMORY_DEVICE_GENERIC, .nr_range = 1 };

static int __init far_init(void)
{
	map.range.start = (u64)gib << 30;
	map.range.end = map.range.start + SZ_128M - 1;
	return PTR_ERR_OR_ZERO(memremap_pages(&map, first_online_node));
}

static void __exit far_exit(void)
{
	memunmap_pages(&map);
}

module_init(far_init);
module_exit(far_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Memory of a device far up in the address space");
