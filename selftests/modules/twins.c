// SPDX-License-Identifier: GPL-2.0
/*
 * Objects from two calls in one function ("twins"), which a profile must tell apart, held until
 * "untwins".
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include "client.h"

struct twin {
	struct twin *next;
};

static struct twin *twins;

static int keep(struct twin *t)
{
	if (!t)
		return -ENOMEM;
	t->next = twins;
	twins = t;
	return 0;
}

static noinline __noclone int make_twins(u64 first, u64 second, size_t size)
{
	int err = 0;

	for (; !err && first; first--)
		err = keep(quarry_malloc(size, GFP_KERNEL));
	for (; !err && second; second--)
		err = keep(quarry_malloc(size, GFP_KERNEL));
	return err;
}

enum { TWINS_FIRST, TWINS_SECOND, TWINS_SIZE };

static int twins_run(const u64 *v)
{
	int err;

	if (v[TWINS_SIZE] < sizeof(struct twin))
		return -EINVAL;
	err = make_twins(v[TWINS_FIRST], v[TWINS_SECOND], v[TWINS_SIZE]);
	client_say("err %d\n", err);
	return err;
}

const struct client_command client_twins = {
	"twins",
	twins_run,
	{
		[TWINS_FIRST] = { .name = "first", .value = 1, .max = 1000000 },
		[TWINS_SECOND] = { .name = "second", .value = 1, .max = 1000000 },
		[TWINS_SIZE] = { .name = "size", .value = 64, .max = SZ_1M },
	},
};

static int untwins_run(const u64 *v)
{
	while (twins) {
		struct twin *t = twins;

		twins = t->next;
		quarry_free(t);
	}
	return 0;
}

const struct client_command client_untwins = { "untwins", untwins_run };

void client_untwins_all(void)
{
	untwins_run(NULL);
}
