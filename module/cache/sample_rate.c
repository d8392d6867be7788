// SPDX-License-Identifier: GPL-2.0
/*
 * The sampling rate, of all caches or of one.  A new rate takes effect at once, because every
 * magazine draws a new countdown.  Samples taken before keep the weight that they were drawn with,
 * so that sums over both rates stay unbiased.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "cache/sample_rate.h"

#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include <quarry/profile.h>
#include <trace/events/quarry.h>
#include "cache/cache.h"
#include "compat.h"
#include "core/parse_size.h"
#include "slab/large.h"

static u32 wanted = QUARRY_RATE_DEFAULT; /* the module parameter, until qr_rate_init() */
static bool ready;			 /* with kernel_param_lock() */

u32 qr_rate_get(void)
{
	return READ_ONCE(qr_default_rate);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rate_get);

void qr_rate_set(u32 rate)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	WRITE_ONCE(qr_default_rate, rate);
	WRITE_ONCE(qr_large_rate, rate);
	list_for_each_entry(c, &qr_caches, link)
		if (!c->own_rate && !c->no_sample)
			WRITE_ONCE(c->rate, rate);
	mutex_unlock(&qr_caches_lock);
	qr_visit_magazines(0, qr_magazine_redraw);
	trace_rate(0, rate);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rate_set);

struct redraw {
	struct qr_cache *cache;
	atomic_t missed; /* CPUs whose head was claimed */
};

static void redraw_here(void *arg)
{
	struct redraw *r = arg;

	if (qr_magazine_redraw(r->cache, smp_processor_id()))
		atomic_inc(&r->missed);
}

/*
 * Have all CPUs draw new countdowns for one cache, by interrupts.  A visit would not do:
 * quarry_cache_destroy() waits for writers of the cache's files, and may do so in a callback of CPU
 * hotplug, which a visit waits for.  A CPU that is offline draws when it comes (cpu_prepare()).
 */
static void redraw_one(struct qr_cache *c)
{
	struct redraw r = { .cache = c };

	do {
		atomic_set(&r.missed, 0);
		on_each_cpu(redraw_here, &r, true);
	} while (atomic_read(&r.missed));
}

int qr_cache_rate_get(u32 cache, u32 *rate, bool *own)
{
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(cache);
	if (c) {
		*rate = c->rate;
		*own = c->own_rate || c->no_sample;
	}
	mutex_unlock(&qr_caches_lock);
	return c ? 0 : -ENOENT;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_rate_get);

int qr_cache_rate_set(u32 cache, u32 rate, bool own)
{
	struct qr_cache *c;
	int err = 0;

	mutex_lock(&qr_caches_lock);
	c = qr_cache_find(cache);
	if (!c) {
		err = -ENOENT;
	} else if (c->no_sample) {
		err = -EOPNOTSUPP;
	} else {
		c->own_rate = own;
		WRITE_ONCE(c->rate, own ? rate : qr_default_rate);
		redraw_one(c);
		trace_rate(cache, c->rate);
	}
	mutex_unlock(&qr_caches_lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_rate_set);

int qr_rate_parse(const char *text, u32 *rate)
{
	u64 value;
	int err;

	text = skip_spaces(text);
	if (sysfs_streq(text, "off") || sysfs_streq(text, "default")) {
		*rate = *text == 'o' ? 0 : QUARRY_RATE_DEFAULT;
		return 0;
	}
	err = qr_size_parse(text, U32_MAX, &value);
	if (err)
		return err;
	*rate = value;
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_rate_parse);

static int param_set(const char *text, const struct kernel_param *kp)
{
	u32 rate;
	int err = qr_may_set_parameter();

	if (err)
		return err;
	err = qr_rate_parse(text, &rate);
	if (err) {
		pr_err("rate \"%s\" is no number of bytes below 4 GiB, \"off\" or \"default\"\n",
		       text);
		return err;
	}
	if (ready)
		qr_rate_set(rate);
	else
		wanted = rate;
	return 0;
}

static int param_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%u\n", ready ? qr_rate_get() : wanted);
}

static const struct kernel_param_ops rate_ops = { .set = param_set, .get = param_get };

module_param_cb(rate, &rate_ops, NULL, 0600);
/* clang-format off */
MODULE_PARM_DESC(rate,
		 "bytes between two samples of the heap profiler, on average; 1 samples every allocation, 0 none; suffixes K, M, G (default 512K)");
/* clang-format on */

void qr_rate_init(void)
{
	kernel_param_lock(THIS_MODULE);
	qr_rate_set(wanted);
	ready = true;
	kernel_param_unlock(THIS_MODULE);
}

/* Parameters can be written until the module is gone.  From now on they change no cache. */
void qr_rate_exit(void)
{
	kernel_param_lock(THIS_MODULE);
	ready = false;
	wanted = qr_rate_get();
	kernel_param_unlock(THIS_MODULE);
}
