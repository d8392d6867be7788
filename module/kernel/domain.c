// SPDX-License-Identifier: GPL-2.0
/* What all domains have in common: their life, and what observers ask for. */
#define pr_fmt(fmt) "quarry: " fmt

#include "kernel/domain.h"

#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/string.h>
#include "compat.h"
#include "core/metadata.h"
#include "kernel/domain_draw.h"
#include "kernel/oom_snapshot.h"
#include "profile/draw.h"
#include "profile/label.h"

#define SAMPLES_LEAST 1024U
#define SAMPLES_MOST  4194304U
#define ROWS_SHARE    8 /* samples for each row */

static char *kernel;
module_param(kernel, charp, 0444);
MODULE_PARM_DESC(
	kernel,
	"allocators of the kernel to profile from the beginning: slab, pages, percpu, vmalloc");

static unsigned int kernel_samples = 65536;
module_param(kernel_samples, uint, 0444);
MODULE_PARM_DESC(
	kernel_samples,
	"most live samples of each of them (1024 to 4194304; rounded up to a power of two)");

static struct qr_domain *const domains[QUARRY_DOMAINS] = {
	[QUARRY_DOMAIN_SLAB] = &qr_slab_domain,
	[QUARRY_DOMAIN_PAGES] = &qr_page_domain,
	[QUARRY_DOMAIN_PERCPU] = &qr_percpu_domain,
	[QUARRY_DOMAIN_VMALLOC] = &qr_vmalloc_domain,
};

static struct qr_domain *domain_of(enum quarry_domain domain)
{
	return domain < QUARRY_DOMAINS ? domains[domain] : NULL;
}

const char *qr_domain_name(enum quarry_domain domain)
{
	const struct qr_domain *d = domain_of(domain);

	return d ? d->name : "quarry";
}

const char *qr_domain_label(enum quarry_domain domain)
{
	const struct qr_domain *d = domain_of(domain);

	return d ? d->label : "cache";
}

/* --- Samples --- */

void qr_domain_alloced(struct qr_domain *d, struct qr_sampled *what, const char *cache, u32 stack)
{
	what->cache = qr_cache_name_number(d->names, cache, &what->name);
	if (!qr_sample_open(&d->samples, what, stack))
		qr_table_dropped(&d->rows, what->weight, what->size);
}

static void freed(struct qr_domain *d, const void *ptr, bool wait)
{
	unsigned long flags;
	enum qr_close how;

	local_irq_save(flags);
	how = qr_sample_close(&d->samples, ptr, wait);
	if (how == QR_NO_SAMPLE)
		atomic64_inc(&d->unknown);
	else if (how == QR_BUSY)
		atomic64_inc(&d->late);
	local_irq_restore(flags);
}

void qr_domain_freed(struct qr_domain *d, const void *ptr)
{
	freed(d, ptr, false);
}

void qr_domain_freed_by_call(struct qr_domain *d, const void *ptr)
{
	freed(d, ptr, true);
}

/* --- On and off --- */

static DEFINE_MUTEX(domains_mutex);

bool qr_domain_tables_hold(bool wait)
{
	if (!wait)
		return mutex_trylock(&domains_mutex);
	mutex_lock(&domains_mutex);
	return true;
}

void qr_domain_tables_release(void)
{
	mutex_unlock(&domains_mutex);
}

struct qr_domain *qr_domain_if_on(enum quarry_domain domain)
{
	struct qr_domain *d = domain_of(domain);

	return d && d->on ? d : NULL;
}

/* Under the domain's lock. */
static void set_on(struct qr_domain *d, bool on)
{
	qr_domain_tables_hold(true);
	WRITE_ONCE(d->on, on);
	qr_domain_tables_release();
}

static u32 max_samples(void)
{
	return roundup_pow_of_two(clamp(kernel_samples, SAMPLES_LEAST, SAMPLES_MOST));
}

static void free_tables(struct qr_domain *d)
{
	qr_sample_table_exit(&d->samples);
	/* The next table's resets go on from here, so that no delta mixes two tables. */
	if (d->rows.nr) {
		d->resets = d->rows.resets + 1;
		qr_table_exit(&d->rows);
	}
	qr_meta_vfree(d->names, sizeof(*d->names));
	d->names = NULL;
}

static int make_tables(struct qr_domain *d)
{
	u32 max = max_samples();
	int err = qr_labels_reserve();

	if (err)
		return err;
	memset(&d->rows, 0, sizeof(d->rows));
	atomic64_set(&d->dropped, 0);
	atomic64_set(&d->late, 0);
	atomic64_set(&d->unknown, 0);
	d->names = qr_meta_valloc(sizeof(*d->names));
	err = d->names ? 0 : -ENOMEM;
	if (!err) {
		raw_spin_lock_init(&d->names->lock);
		err = qr_table_init(&d->rows, max / ROWS_SHARE, d->resets);
	}
	if (!err)
		err = qr_sample_table_init(&d->samples, max, &d->rows);
	if (err)
		free_tables(d);
	return err;
}

/* Under the domain's lock. */
static int switch_on(struct qr_domain *d)
{
	int err = make_tables(d);

	if (err) {
		pr_err("kernel=%s: no memory for %u samples (error %d)\n", d->name, max_samples(),
		       err);
		return err;
	}
	qr_domain_renew(d);
	err = d->start(d);
	if (err) {
		free_tables(d);
		return err;
	}
	set_on(d, true);
	return 0;
}

/* Under the domain's lock. */
static void switch_off(struct qr_domain *d)
{
	d->stop(d);
	set_on(d, false);
	free_tables(d);
}

int qr_domain_enable(enum quarry_domain domain, bool on)
{
	struct qr_domain *d = domain_of(domain);
	int err = 0;

	if (!d)
		return -ENOENT;
	mutex_lock(&d->lock);
	if (on && !d->on && qr_oom_reserve(domain))
		pr_warn("kernel=%s: no memory for snapshots: none will be taken of it\n", d->name);
	if (on && !d->on)
		err = switch_on(d);
	else if (!on && d->on)
		switch_off(d);
	mutex_unlock(&d->lock);
	return err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_domain_enable);

bool qr_domain_is_on(enum quarry_domain domain)
{
	const struct qr_domain *d = domain_of(domain);

	return !d || READ_ONCE(d->on);
}

/* --- Observers --- */

struct qr_domain *qr_domain_hold(enum quarry_domain domain)
{
	struct qr_domain *d = domain_of(domain);

	if (d)
		mutex_lock(&d->lock);
	return d;
}

void qr_domain_release(struct qr_domain *d)
{
	if (d)
		mutex_unlock(&d->lock);
}

u32 qr_domain_rate_get(enum quarry_domain domain)
{
	const struct qr_domain *d = domain_of(domain);

	return d ? READ_ONCE(d->rate) : 0;
}

void qr_domain_rate_set(enum quarry_domain domain, u32 rate)
{
	struct qr_domain *d = qr_domain_hold(domain);

	if (!d)
		return;
	WRITE_ONCE(d->rate, rate);
	qr_domain_renew(d);
	qr_domain_release(d);
}

void qr_domain_reset(enum quarry_domain domain)
{
	struct qr_domain *d = qr_domain_hold(domain);

	if (d && d->on)
		qr_table_reset(&d->rows);
	qr_domain_release(d);
}

static u64 memory_of(const struct qr_domain *d)
{
	return qr_table_bytes(d->rows.max) + qr_sample_table_bytes(d->samples.max) +
	       sizeof(*d->names);
}

void qr_domain_stats_read(enum quarry_domain domain, struct quarry_domain_stats *st)
{
	struct qr_domain *d = qr_domain_hold(domain);
	struct qr_profile_counts c;

	memset(st, 0, sizeof(*st));
	if (!d)
		return;
	st->sample_rate_bytes = d->rate;
	if (d->on) {
		qr_table_counts(&d->rows, &c);
		st->enabled = 1;
		st->samples = c.samples;
		st->live_samples = c.live_samples;
		st->sampled_live_bytes = c.live_space;
		st->dropped_samples = c.dropped_samples + atomic64_read(&d->dropped);
		st->dropped_bytes = c.dropped_space;
		st->other_samples = c.other_samples;
		st->missed_frees = atomic64_read(&d->samples.missed);
		st->unknown_frees = atomic64_read(&d->unknown);
		st->late_frees = atomic64_read(&d->late);
		st->missed_calls = d->missed_calls ? d->missed_calls() : 0;
		st->table_samples = READ_ONCE(d->samples.used);
		st->table_max_samples = d->samples.max;
		st->profile_sites = c.sites;
		st->profile_max_sites = c.site_limit;
		st->memory_bytes = memory_of(d);
	}
	qr_domain_release(d);
}

/* --- Life --- */

static int enable_named(const char *name)
{
	enum quarry_domain i;

	for (i = 0; i < QUARRY_DOMAINS; i++)
		if (domains[i] && !strcmp(domains[i]->name, name))
			return qr_domain_enable(i, true);
	pr_err("kernel=%s: no such allocator; slab, pages, percpu and vmalloc are\n", name);
	return -EINVAL;
}

int qr_domains_init(void)
{
	char words[64], *rest = words, *word;
	int err = 0;

	if (!kernel)
		return 0;
	if (strscpy(words, kernel, sizeof(words)) < 0) {
		pr_err("kernel=%s: too long\n", kernel);
		return -EINVAL;
	}
	while (!err && (word = strsep(&rest, ",")))
		if (*strim(word))
			err = enable_named(strim(word));
	if (err)
		qr_domains_exit();
	return err;
}

void qr_domains_exit(void)
{
	enum quarry_domain i;

	for (i = 0; i < QUARRY_DOMAINS; i++)
		if (domains[i])
			qr_domain_enable(i, false);
}
