// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel does not export its list of modules.  But sysfs has an object for each module, and
 * the notes that hold the build ids are files of sysfs too.
 */
#include "profile/mapping.h"

#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/minmax.h>
#include <linux/numa.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include "compat.h"
#include "core/metadata.h"

#define NOTES_MAX     SZ_64K /* more than any kernel has */
#define NOTE_BUILD_ID 3	     /* NT_GNU_BUILD_ID, which not all headers define */

/* --- Build ids --- */

/* The head of a note of an ELF file; its name and its contents follow. */
struct note {
	u32 name_len;
	u32 len;
	u32 type;
};

static void find_build_id(struct qr_mapping *map, const u8 *notes, size_t size)
{
	size_t at = 0;

	while (at + sizeof(struct note) <= size) {
		const struct note *note = (const struct note *)(notes + at);
		u64 name = at + sizeof(*note);
		u64 desc = name + ALIGN((u64)note->name_len, 4);
		u64 next = desc + ALIGN((u64)note->len, 4);

		if (desc + note->len > size)
			return;
		if (note->type == NOTE_BUILD_ID && note->name_len == sizeof("GNU") &&
		    !memcmp(notes + name, "GNU", sizeof("GNU"))) {
			map->build_id_len = min_t(u32, note->len, QR_BUILD_ID);
			memcpy(map->build_id, notes + desc, map->build_id_len);
			return;
		}
		at = next;
	}
}

/*
 * Reads the build id from the file of notes @kn of @kobj, which the caller keeps from going
 * away.  Errors are ignored: a profile is useful without build ids.
 */
static void read_notes(struct qr_mapping *map, struct kobject *kobj, struct kernfs_node *kn)
{
	struct bin_attribute *attr;
	ssize_t size;
	u8 *notes;

	if (kernfs_type(kn) != KERNFS_FILE)
		return;
	attr = container_of((struct attribute *)kn->priv, struct bin_attribute, attr);
	if (!attr->size || attr->size > NOTES_MAX)
		return;
	notes = qr_meta_alloc(attr->size, GFP_KERNEL, NUMA_NO_NODE);
	if (!notes)
		return;
	size = qr_compat_bin_read(kobj, attr, notes, attr->size);
	if (size > 0)
		find_build_id(map, notes, size);
	qr_meta_free(notes, attr->size);
}

static void kernel_build_id(struct qr_mapping *map)
{
	struct kernfs_node *kn = kernfs_find_and_get(kernel_kobj->sd, "notes");

	if (kn)
		read_notes(map, kernel_kobj, kn);
	kernfs_put(kn);
}

static void module_build_id(struct qr_mapping *map, struct module *mod)
{
	struct kernfs_node *dir = NULL, *kn = NULL;

	if (mod->mkobj.kobj.sd) /* a module that fails early may have none */
		dir = kernfs_find_and_get(mod->mkobj.kobj.sd, "notes");
	if (dir)
		kn = kernfs_find_and_get(dir, ".note.gnu.build-id");
	if (kn)
		read_notes(map, &mod->mkobj.kobj, kn);
	kernfs_put(kn);
	kernfs_put(dir);
}

/* --- Modules --- */

/* The set of all objects of /sys/module, which this module's object is in. */
static struct kset *modules(void)
{
	return THIS_MODULE->mkobj.kobj.kset;
}

static struct module *module_of(struct kobject *kobj)
{
	return container_of(kobj, struct module_kobject, kobj)->mod;
}

static void fill(struct qr_mapping *map, const struct module *mod)
{
	map->start = (unsigned long)qr_compat_module_text(mod);
	map->end = map->start + qr_compat_module_text_size(mod);
	strscpy(map->name, mod->name, sizeof(map->name));
}

/*
 * Finds the module whose text @addr lies in, and pins it, so that it cannot be unloaded.
 * NULL if it is gone, going, or still in its init function: if that fails, the kernel frees a
 * module although it is pinned.
 */
static struct module *pin(unsigned long addr, struct qr_mapping *map)
{
	struct module *mod, *found = NULL;
	struct kset *kset = modules();
	struct kobject *kobj;

	spin_lock(&kset->list_lock);
	list_for_each_entry(kobj, &kset->list, entry) {
		mod = module_of(kobj);
		if (!mod || addr - (unsigned long)qr_compat_module_text(mod) >=
				    qr_compat_module_text_size(mod))
			continue;
		fill(map, mod);
		if (READ_ONCE(mod->state) == MODULE_STATE_LIVE && try_module_get(mod))
			found = mod;
		break;
	}
	spin_unlock(&kset->list_lock);
	return found;
}

void qr_mapping_identify(struct qr_mapping *map)
{
	struct qr_mapping now;
	struct module *mod;

	if (map->identified)
		return;
	map->identified = true;
	if (!map->name[0]) {
		kernel_build_id(map);
		return;
	}
	mod = pin(map->start, &now);
	if (!mod)
		return;
	if (!strcmp(mod->name, map->name))
		module_build_id(map, mod);
	module_put(mod);
}

bool qr_mapping_of(struct qr_mapping *map, unsigned long addr, struct module *kept)
{
	struct module *mod;

	memset(map, 0, sizeof(*map));
	map->identified = true;
	if (kept &&
	    addr - (unsigned long)qr_compat_module_text(kept) < qr_compat_module_text_size(kept)) {
		fill(map, kept);
		module_build_id(map, kept);
		return true;
	}
	mod = pin(addr, map);
	if (!mod)
		return map->name[0];
	module_build_id(map, mod);
	module_put(mod);
	return true;
}

bool qr_mapping_same(const struct qr_mapping *a, const struct qr_mapping *b)
{
	return a->end - a->start == b->end - b->start && a->build_id_len == b->build_id_len &&
	       !memcmp(a->build_id, b->build_id, a->build_id_len) && !strcmp(a->name, b->name);
}

unsigned int qr_mappings_list(struct qr_mapping *map, unsigned int room)
{
	struct kset *kset = modules();
	struct kobject *kobj;
	unsigned int nr = 0;

	spin_lock(&kset->list_lock);
	list_for_each_entry(kobj, &kset->list, entry) {
		struct module *mod = module_of(kobj);

		/* A built-in module has no struct module; another outlives its kobject. */
		if (!mod || !qr_compat_module_text_size(mod))
			continue;
		if (nr < room)
			fill(&map[nr], mod);
		nr++;
	}
	spin_unlock(&kset->list_lock);
	return nr;
}
