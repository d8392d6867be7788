// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel exports neither its list of modules nor the bounds of its own code.  But
 * sysfs has an object for each module, and sprint_symbol() tells for any address whether
 * the kernel has a name for it.  The notes that hold the build ids are files of sysfs too.
 */
#include "view/code_mapping.h"

#include <linux/bsearch.h>
#include <linux/kallsyms.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/minmax.h>
#include <linux/numa.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include "compat.h"
#include "core/metadata.h"

#define NOTES_MAX     SZ_64K /* more than any kernel has */
#define NOTE_BUILD_ID 3	     /* NT_GNU_BUILD_ID, which not all headers define */

/* --- Symbols --- */

bool qr_symbol_find(struct qr_symbol *sym, unsigned long addr)
{
	unsigned long offset;
	char *plus, *bracket;

	sprint_symbol(sym->text, addr); /* name+0xOFFSET/0xSIZE [module] */
	sym->module = NULL;
	plus = strrchr(sym->text, '+');
	if (!plus || sscanf(plus, "+%lx/%lx", &offset, &sym->size) != 2)
		return false;
	sym->start = addr - offset;
	*plus++ = '\0';
	bracket = strchr(plus, '[');
	if (bracket) {
		sym->module = bracket + 1;
		bracket[strcspn(bracket, "]")] = '\0';
	}
	return true;
}

static bool is_builtin(struct qr_symbol *sym, unsigned long addr)
{
	return qr_symbol_find(sym, addr) && !sym->module;
}

/*
 * Finds the bounds of the kernel's code.  sprint_symbol() has a name for every address
 * from _stext to the end of the text (or of the image), so a binary search from its own
 * address finds where the names end.
 */
static int kernel_range(struct qr_mapping *map)
{
	unsigned long low = (unsigned long)sprint_symbol, high = low, step;
	struct qr_symbol *sym = qr_meta_alloc(sizeof(*sym), GFP_KERNEL, NUMA_NO_NODE);

	if (!sym)
		return -ENOMEM;
	while (low > SZ_2M && is_builtin(sym, low - SZ_2M))
		low -= SZ_2M;
	while (high + SZ_2M > high && is_builtin(sym, high + SZ_2M))
		high += SZ_2M;
	for (step = SZ_1M; step; step /= 2) {
		if (low > step && is_builtin(sym, low - step))
			low -= step;
		if (high + step > high && is_builtin(sym, high + step))
			high += step;
	}
	map->start = low;
	map->end = high + 1;
	qr_meta_free(sym, sizeof(*sym));
	return 0;
}

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
	struct kernfs_node *dir, *kn = NULL;

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

/*
 * Pins the module of @map, so that it cannot be unloaded.  NULL if it is gone, or still in
 * its init function: if that fails, the kernel frees a module although it is pinned.
 */
static struct module *pin(const struct qr_mapping *map)
{
	struct module *mod, *found = NULL;
	struct kset *kset = modules();
	struct kobject *kobj;

	spin_lock(&kset->list_lock);
	list_for_each_entry(kobj, &kset->list, entry) {
		mod = module_of(kobj);
		if (!mod || (unsigned long)qr_compat_module_text(mod) != map->start)
			continue;
		if (READ_ONCE(mod->state) == MODULE_STATE_LIVE && try_module_get(mod))
			found = mod;
		break;
	}
	spin_unlock(&kset->list_lock);
	return found;
}

void qr_mapping_identify(struct qr_mapping *map)
{
	struct module *mod;

	if (!map->name[0]) {
		kernel_build_id(map);
		return;
	}
	mod = pin(map);
	if (!mod)
		return;
	module_build_id(map, mod);
	module_put(mod);
}

/* Fills in as many modules as there is room for.  Returns how many mappings there are. */
static unsigned int walk(struct qr_mappings *m)
{
	struct kset *kset = modules();
	struct kobject *kobj;
	unsigned int nr = 1;

	spin_lock(&kset->list_lock);
	list_for_each_entry(kobj, &kset->list, entry) {
		struct module *mod = module_of(kobj);
		struct qr_mapping *map;

		/* A built-in module has no struct module; another outlives its kobject. */
		if (!mod || !qr_compat_module_text_size(mod))
			continue;
		if (nr < m->room) {
			map = &m->map[nr];
			map->start = (unsigned long)qr_compat_module_text(mod);
			map->end = map->start + qr_compat_module_text_size(mod);
			strscpy(map->name, mod->name, sizeof(map->name));
		}
		nr++;
	}
	spin_unlock(&kset->list_lock);
	return nr;
}

static int by_start(const void *a, const void *b)
{
	const struct qr_mapping *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

struct qr_mappings *qr_mappings_new(void)
{
	unsigned int room = 64, nr;
	struct qr_mappings *m;

	for (;;) {
		m = qr_meta_valloc(struct_size(m, map, room));
		if (!m)
			return NULL;
		m->room = room;
		nr = walk(m);
		if (nr <= room)
			break;
		qr_mappings_free(m);
		room = nr + 8; /* more modules may be loaded meanwhile */
	}
	m->nr = nr;
	sort(m->map + 1, nr - 1, sizeof(m->map[0]), by_start, NULL);
	if (kernel_range(&m->map[0])) {
		qr_mappings_free(m);
		return NULL;
	}
	return m;
}

void qr_mappings_free(struct qr_mappings *m)
{
	if (m)
		qr_meta_vfree(m, struct_size(m, map, m->room));
}

static int holds(const void *key, const void *elem)
{
	unsigned long addr = *(const unsigned long *)key;
	const struct qr_mapping *map = elem;

	return addr < map->start ? -1 : addr >= map->end;
}

int qr_mapping_find(const struct qr_mappings *m, unsigned long addr)
{
	const struct qr_mapping *map;

	if (!holds(&addr, &m->map[0]))
		return 0;
	map = bsearch(&addr, m->map + 1, m->nr - 1, sizeof(*map), holds);
	return map ? map - m->map : -1;
}
