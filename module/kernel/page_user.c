// SPDX-License-Identifier: GPL-2.0
#include "kernel/page_user.h"

#include <linux/kernel.h>
#include "probe/stack_user.h"

static const struct qr_user_function functions[] = {
	{ "alloc_slab_page", "slab" },	{ "allocate_slab", "slab" },
	{ "new_slab", "slab" },		{ "slab_alloc", "slab" },
	{ "kmalloc_large", "slab" },	{ "kmalloc_order", "slab" },
	{ "vm_area_alloc", "vmalloc" }, { "vmalloc_area", "vmalloc" },
	{ "vmalloc_node", "vmalloc" },	{ "pcpu_", "percpu" },
};

static struct qr_stack_users users = {
	.function = functions,
	.nr = ARRAY_SIZE(functions),
	/* A user's functions are not far from the page allocator. */
	.callers = 6,
	.other = "other",
};

const char *qr_page_user(u32 stack)
{
	return qr_stack_user(&users, stack);
}
