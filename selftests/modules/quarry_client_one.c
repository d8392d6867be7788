// SPDX-License-Identifier: GPL-2.0
/*
 * A client of one file, which allocates where another function is inlined.  A write to the
 * parameter "leak" makes so many objects.  scripts/check finds their lines in a profile.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <quarry/quarry.h>

#define OBJECT_SIZE 4096

struct object {
	struct object *next;
};

static struct object *objects;

static __always_inline struct object *make_one(void)
{
	return quarry_malloc(OBJECT_SIZE, GFP_KERNEL); /* the leaf */
}

static noinline int leak_here(unsigned int n)
{
	struct object *o;

	for (; n; n--) {
		o = make_one(); /* the caller of the leaf */
		if (!o)
			return -ENOMEM;
		o->next = objects;
		objects = o;
	}
	return 0;
}

/* Under the lock of all parameters of this module. */
static int leak_set(const char *text, const struct kernel_param *param)
{
	unsigned int n;
	int err = kstrtouint(text, 10, &n);

	return err ?: leak_here(min(n, 100000U));
}

static const struct kernel_param_ops leak_ops = { .set = leak_set };

module_param_cb(leak, &leak_ops, NULL, 0200);
MODULE_PARM_DESC(leak, "write a number of objects to be made");

static int __init one_init(void)
{
	return 0;
}

static void __exit one_exit(void)
{
	struct object *o;

	while ((o = objects)) {
		objects = o->next;
		quarry_free(o);
	}
}

module_init(one_init);
module_exit(one_exit);
MODULE_AUTHOR("The Quarry developers");
MODULE_DESCRIPTION("Client of one file, for the tests of source lines");
MODULE_LICENSE("GPL");
QUARRY_IMPORT_NS;
