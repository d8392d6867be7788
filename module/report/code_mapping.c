// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel does not export the bounds of its own code.  But sprint_symbol() tells for any
 * address whether the kernel has a name for it.
 */
#include "report/code_mapping.h"

#include <linux/bsearch.h>
#include <linux/kallsyms.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include "compat.h"
#include "core/metadata.h"

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

/* --- Mappings --- */

static int by_start(const void *a, const void *b)
{
	const struct qr_mapping *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* A page lies between two modules, so that none seems to continue another. */
void qr_mapping_place(struct qr_mappings *m, struct qr_mapping *map)
{
	map->shown = map->start;
	if (m->bare)
		return;
	map->shown = m->next_shown;
	m->next_shown += PAGE_ALIGN(map->end - map->start) + PAGE_SIZE;
}

static void place(struct qr_mappings *m)
{
	unsigned int i;

	m->bare = qr_shows_addresses();
	m->next_shown = QR_SHOWN_MODULES;
	m->map[0].shown = m->bare ? m->map[0].start : QR_SHOWN_KERNEL;
	for (i = 1; i < m->nr; i++)
		qr_mapping_place(m, &m->map[i]);
}

unsigned long qr_mapping_shown(const struct qr_mappings *m, const struct qr_mapping *map,
			       unsigned long addr)
{
	if (m->bare)
		return addr;
	if (!map)
		return qr_address_number((void *)addr);
	return addr - map->start + map->shown;
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
		nr = 1 + qr_mappings_list(m->map + 1, room - 1);
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
	place(m);
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

bool qr_mappings_have(struct qr_mappings *m, const struct qr_mapping *map)
{
	int i = qr_mapping_find(m, map->start);

	if (i < 1 || m->map[i].start != map->start)
		return false;
	qr_mapping_identify(&m->map[i]);
	return qr_mapping_same(&m->map[i], map);
}
