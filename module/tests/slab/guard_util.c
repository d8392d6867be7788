// SPDX-License-Identifier: GPL-2.0
#include "tests/slab/guard_util.h"

#include <linux/string.h>

const struct quarry_cache_args qt_poison_and_red_zone = {
	.flags = QUARRY_POISON | QUARRY_RED_ZONE,
};

struct qt_seen qt_seen(struct kunit *test)
{
	const struct quarry_stats *st = qt_stats(test);

	return (struct qt_seen){
		.red_zone = st->misuse_red_zone,
		.poison = st->misuse_poison,
		.leaked = st->leaked_objects,
	};
}

void qt_expect_seen(struct kunit *test, struct qt_seen before, u64 red, u64 poisoned, u64 leaked)
{
	struct qt_seen now = qt_seen(test);

	KUNIT_EXPECT_EQ(test, before.red_zone + red, now.red_zone);
	KUNIT_EXPECT_EQ(test, before.poison + poisoned, now.poison);
	KUNIT_EXPECT_EQ(test, before.leaked + leaked, now.leaked);
}

bool qt_is_all(const void *p, u8 byte, size_t n)
{
	return !memchr_inv(p, byte, n);
}

bool qt_is_poisoned(const void *p, size_t n)
{
	return qt_is_all(p, POISON_FREE, n - 1) && ((const u8 *)p)[n - 1] == POISON_END;
}

void qt_free_leaked(struct quarry_cache *cache, void *p)
{
	struct qr_cache *c = qr_cache_of(cache);

	qr_guard_cut(&c->guard, p);
	qr_guard_take(&c->guard, p);
	quarry_cache_free(cache, p);
}
