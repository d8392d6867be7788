// SPDX-License-Identifier: GPL-2.0
/*
 * caches/: a directory for each cache.  cache_table.c has the tables beside them.
 *
 * As an observer (struct qr_observer) this file makes a directory when a cache is created.
 * When the cache is destroyed it waits for readers of the directory's files and removes
 * the directory.  The files know the cache by its number only, so a reader that comes
 * late gets an error.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/xarray.h>
#include "private.h"

#define ID_LEN 12 /* ":" and a number */

/*
 * A profile/ takes 23 inodes and dentries, 19 KiB: more than twice what a small cache takes
 * by itself on two CPUs.  So only this many caches have one.  The profiles of all caches
 * can be read from /dev/quarry.
 */
#define MAX_PROFILES 512
#define HAS_PROFILE  XA_MARK_0

static struct dentry *caches_dir;
static DEFINE_XARRAY(cache_dirs); /* directories by the cache's number */
static unsigned int nr_profiles;

/*
 * Held while directories are made and removed, so that two caches cannot take the same name.
 * Readers of files do not take it.
 */
static DEFINE_MUTEX(cache_dirs_lock);

/* How many of 1,000 operations hit the magazine. */
static u64 hit_permille(u64 all, u64 misses)
{
	return all > misses ? div64_u64((all - misses) * 1000, all) : 0;
}

static void show_numbered(struct seq_file *m, const char *what, int number, const char *name,
			  u64 value)
{
	char text[40];

	snprintf(text, sizeof(text), "%s%d_%s", what, number, name);
	qr_show_value(m, text, value);
}

static int node_lines(const struct quarry_cache_node *cn, void *m)
{
	show_numbered(m, "node", cn->node, "slabs", cn->slabs);
	show_numbered(m, "node", cn->node, "inuse_bytes", cn->inuse_bytes);
	show_numbered(m, "node", cn->node, "depot_objects", cn->depot_objects);
	return 0;
}

static int cpu_lines(const struct quarry_cache_cpu *cc, void *m)
{
	show_numbered(m, "cpu", cc->cpu, "magazine", cc->magazine);
	show_numbered(m, "cpu", cc->cpu, "magazine_objects", cc->magazine_objects);
	return 0;
}

static int cache_stats_show(struct seq_file *m, void *unused)
{
	struct quarry_cache_stats st;
	int err = qr_cache_stats_read(qr_file_number(m), &st);

	if (err)
		return err;
#define CACHE_LINE(name) qr_show_value(m, #name, st.name)
	CACHE_LINE(id);
	CACHE_LINE(class);
	CACHE_LINE(size);
	CACHE_LINE(stride);
	CACHE_LINE(slab_pages);
	CACHE_LINE(slab_objects);
	CACHE_LINE(magazine);
	CACHE_LINE(poison);
	CACHE_LINE(red_zone);
	CACHE_LINE(account_node);
	CACHE_LINE(account_reclaim);
	CACHE_LINE(useroffset);
	CACHE_LINE(usersize);
	CACHE_LINE(slabs);
	CACHE_LINE(inuse_bytes);
	CACHE_LINE(capacity_objects);
	CACHE_LINE(live_objects);
	qr_show_value(m, "live_bytes", st.live_objects * st.size);
	CACHE_LINE(cached_objects);
	CACHE_LINE(mallocs);
	CACHE_LINE(frees);
	CACHE_LINE(refilled);
	CACHE_LINE(flushed);
	CACHE_LINE(direct_allocs);
	CACHE_LINE(direct_frees);
	CACHE_LINE(alloc_misses);
	CACHE_LINE(free_misses);
	CACHE_LINE(local_allocs);
	CACHE_LINE(remote_allocs);
	CACHE_LINE(remote_frees);
	CACHE_LINE(remote_batches);
#undef CACHE_LINE
	qr_show_value(m, "alloc_hit_permille", hit_permille(st.mallocs, st.alloc_misses));
	qr_show_value(m, "free_hit_permille", hit_permille(st.frees, st.free_misses));
	err = qr_walk_cache_nodes(st.id, node_lines, m);
	return err ?: qr_walk_cache_cpus(st.id, cpu_lines, m);
}
DEFINE_SHOW_ATTRIBUTE(cache_stats);

/*
 * used: objects that are not free in the slab: clients hold them, or they are in magazines and
 * depots.  gone: pages that were trimmed from the slab; no column counts objects on those.
 */
static int slab_line(const struct quarry_slab_info *si, void *arg)
{
	const struct qr_table *t = arg;
	char addr[QR_ADDRESS_LEN];

	qr_address_text(addr, si->addr, t->hide);
	seq_printf(t->m, "%s %4d %5u %7u %7u %7u %5u %5u\n", addr, si->node, si->pages, si->objects,
		   si->objects - si->free, si->free, si->mixed, si->gone);
	return seq_has_overflowed(t->m);
}

static int slabs_show(struct seq_file *m, void *unused)
{
	struct qr_table t = { .m = m, .hide = qr_hides_addresses() };
	int err;

	seq_printf(m, "%-16s %4s %5s %7s %7s %7s %5s %5s\n", "#addr", "node", "pages", "objects",
		   "used", "free", "mixed", "gone");
	err = qr_walk_slabs(qr_file_number(m), slab_line, &t);
	return err < 0 ? err : 0;
}
DEFINE_SHOW_ATTRIBUTE(slabs);

/* Does @name end with ":" and a number, like a name that has the cache's number added? */
static bool looks_numbered(const char *name)
{
	size_t len = strlen(name), end = len;

	while (end && isdigit(name[end - 1]))
		end--;
	return end && end < len && name[end - 1] == ':';
}

/* "." and ".." cannot be created, so they count as taken. */
static bool name_taken(const char *name)
{
	struct dentry *dentry;

	if (!name[strspn(name, ".")])
		return true;
	dentry = debugfs_lookup(name, caches_dir);
	if (!dentry)
		return false;
	dput(dentry);
	return true;
}

/*
 * A directory has the cache's name, or, if that is taken, the name, ":" and the cache's number.
 * A name that looks like the latter always gets the number too.  So only the cache with number
 * 83 can have a directory that ends with ":83", and every cache gets one.
 */
static void cache_created(unsigned int id, const char *name)
{
	char dir_name[QUARRY_NAME_LEN + ID_LEN];
	struct dentry *dir;

	strscpy(dir_name, name, QUARRY_NAME_LEN);
	strreplace(dir_name, '/', '!');
	mutex_lock(&cache_dirs_lock);
	if (looks_numbered(dir_name) || name_taken(dir_name))
		snprintf(dir_name + strlen(dir_name), ID_LEN, ":%u", id);
	dir = debugfs_create_dir(dir_name, caches_dir);
	if (IS_ERR(dir))
		goto out;
	if (xa_err(xa_store(&cache_dirs, id, dir, GFP_KERNEL))) {
		debugfs_remove(dir);
		goto out;
	}
	debugfs_create_file("stats", 0400, dir, qr_file_data(id), &cache_stats_fops);
	debugfs_create_file("slabs", 0400, dir, qr_file_data(id), &slabs_fops);
	qr_debugfs_cache_limit(dir, id);
	qr_debugfs_cache_check(dir, id);
	if (nr_profiles < MAX_PROFILES) {
		nr_profiles++;
		xa_set_mark(&cache_dirs, id, HAS_PROFILE);
		qr_debugfs_profile_files(debugfs_create_dir("profile", dir), id);
	}
out:
	mutex_unlock(&cache_dirs_lock);
}

static void cache_destroyed(unsigned int id)
{
	mutex_lock(&cache_dirs_lock);
	nr_profiles -= xa_get_mark(&cache_dirs, id, HAS_PROFILE);
	debugfs_remove(xa_erase(&cache_dirs, id));
	mutex_unlock(&cache_dirs_lock);
}

static const struct qr_observer cache_observer = {
	.created = cache_created,
	.destroyed = cache_destroyed,
};

void qr_debugfs_caches(struct dentry *root)
{
	caches_dir = debugfs_create_dir("caches", root);
	qr_debugfs_cache_table(caches_dir);
	qr_observe(&cache_observer);
}

/* Does not remove the directories: qr_debugfs_exit() removes the whole tree. */
void qr_debugfs_caches_stop(void)
{
	qr_observe(NULL);
	xa_destroy(&cache_dirs);
}
