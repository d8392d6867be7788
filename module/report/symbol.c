// SPDX-License-Identifier: GPL-2.0
/*
 * Thousands of stacks go through few functions, and the kernel takes a microsecond or
 * more to find a name.  So addresses are collected first, duplicates are removed, and
 * each address is looked up once.
 *
 * The addresses of a module that has been unloaded (lost addresses) mean nothing now, or
 * belong to other code.  They are told apart by the names and mappings that were saved for
 * them.
 */
#include "report/symbol.h"

#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include "core/metadata.h"
#include "profile/unloaded.h"

#define FIRST_ROOM 4096

struct qr_names {
	struct qr_names *next;
	char text[PAGE_SIZE - sizeof(void *)];
};

static_assert(sizeof(struct qr_names) == PAGE_SIZE);

void qr_symbols_init(struct qr_symbols *s)
{
	memset(s, 0, sizeof(*s));
	s->maps = qr_mappings_new();
	if (!s->maps)
		s->err = -ENOMEM;
}

/* --- Collecting --- */

static int compare_lost(const struct qr_lost *x, const struct qr_lost *y)
{
	int diff;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	diff = memcmp(x->name, y->name, x->len);
	if (diff)
		return diff;
	if (x->map != y->map)
		return x->map < y->map ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Sorting a large profile takes long, so the comparison calls cond_resched(). */
static int by_address(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	cond_resched();
	return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b)
{
	cond_resched();
	return compare_lost(a, b);
}

/* Sorts @nr elements and removes duplicates.  Returns how many are left. */
static size_t make_unique(void *base, size_t nr, size_t size, cmp_func_t compare)
{
	size_t i, n = 0;

	sort(base, nr, size, compare, NULL);
	for (i = 0; i < nr; i++)
		if (!n || compare(base + i * size, base + (n - 1) * size))
			memmove(base + n++ * size, base + i * size, size);
	return n;
}

/*
 * Makes room in an array that is full.  Duplicates are removed first; if half of the room
 * or more is still used, the elements move to an array of twice the size.
 */
static void *make_room(struct qr_symbols *s, void *base, size_t *nr, size_t *room, size_t size,
		       cmp_func_t compare)
{
	size_t more = max_t(size_t, *room * 2, FIRST_ROOM);
	void *new;

	*nr = make_unique(base, *nr, size, compare);
	if (*nr < *room / 2)
		return base;
	new = qr_meta_valloc(more * size);
	if (!new) {
		s->err = -ENOMEM;
		return base;
	}
	if (*nr)
		memcpy(new, base, *nr * size);
	qr_meta_vfree(base, *room * size);
	*room = more;
	return new;
}

static void add_address(struct qr_symbols *s, unsigned long addr)
{
	if (s->nr_addr == s->room)
		s->addr = make_room(s, s->addr, &s->nr_addr, &s->room, sizeof(addr), by_address);
	if (!s->err)
		s->addr[s->nr_addr++] = addr;
}

static void add_lost(struct qr_symbols *s, const struct qr_lost *lost)
{
	if (s->nr_lost == s->room_lost)
		s->lost = make_room(s, s->lost, &s->nr_lost, &s->room_lost, sizeof(*lost), by_name);
	if (!s->err)
		s->lost[s->nr_lost++] = *lost;
}

/**
 * struct frames - the frames of a stack, and how many were looked at
 * @ret: return addresses
 * @names: what is left of the names, or NULL if the stack is not known by names
 * @maps: the saved mappings of the frames, or NULL
 * @next: index of the next frame
 */
struct frames {
	const unsigned long *ret;
	const char *names;
	const struct qr_mapping *const *maps;
	unsigned int next;
};

static struct frames frames_of(const unsigned long *ret, const char *names)
{
	return (struct frames){
		.ret = ret,
		.names = names,
		.maps = names ? qr_unloaded_mappings(names) : NULL,
	};
}

/*
 * Takes the next address of a stack, with its name and its saved mapping, into @lost.  Returns
 * true if the address is lost: it was saved by name, is not in the kernel, whose functions stay
 * where they are, and its module is no longer where it was.
 */
static bool is_lost(const struct qr_symbols *s, struct frames *f, struct qr_lost *lost)
{
	unsigned long ret = f->ret[f->next];

	lost->addr = ret == QR_NO_ADDRESS || ret == QR_MERGED_ADDRESS ? ret : ret - 1;
	lost->map = f->maps ? f->maps[f->next] : NULL;
	f->next++;
	if (!f->names)
		return false;
	lost->name = f->names;
	lost->len = strcspn(f->names, "\n");
	f->names += lost->len + !!f->names[lost->len];
	if (*lost->name == '0') /* an address instead of a name */
		lost->len = 0;
	if (lost->map)
		return !qr_mappings_have(s->maps, lost->map);
	return qr_mapping_find(s->maps, lost->addr) != 0;
}

void qr_symbols_add(struct qr_symbols *s, const unsigned long *entries, unsigned int nr,
		    const char *names)
{
	struct frames f = frames_of(entries, names);
	struct qr_lost lost;

	while (f.next < nr && !s->err) {
		if (is_lost(s, &f, &lost))
			add_lost(s, &lost);
		else
			add_address(s, lost.addr);
	}
}

/* --- Mappings that are gone --- */

/* The index of the saved mapping @map, which becomes one of the profile's; -1 for NULL. */
static s32 mapping_gone(struct qr_symbols *s, const struct qr_mapping *map)
{
	unsigned int i;

	if (!map)
		return -1;
	for (i = 0; i < s->nr_gone; i++)
		if (s->gone[i].start == map->start && qr_mapping_same(&s->gone[i], map))
			return s->maps->nr + i;
	if (WARN_ON_ONCE(i == s->room_gone))
		return -1;
	s->gone[s->nr_gone] = *map;
	qr_mapping_place(s->maps, &s->gone[s->nr_gone++]);
	return s->maps->nr + i;
}

struct qr_mapping *qr_symbols_mapping(const struct qr_symbols *s, u32 mapping)
{
	return mapping < s->maps->nr ? &s->maps->map[mapping] : &s->gone[mapping - s->maps->nr];
}

/* --- Names --- */

static const char *keep(struct qr_symbols *s, const char *text, size_t len)
{
	struct qr_names *names;
	char *kept;

	len = min(len, sizeof(names->text) - 1);
	if (len >= s->names_left) {
		names = qr_meta_alloc(sizeof(*names), GFP_KERNEL, NUMA_NO_NODE);
		if (!names) {
			s->err = -ENOMEM;
			return NULL;
		}
		names->next = s->names;
		s->names = names;
		s->names_left = sizeof(names->text);
	}
	kept = s->names->text + sizeof(s->names->text) - s->names_left;
	memcpy(kept, text, len); /* zeroes follow */
	s->names_left -= len + 1;
	return kept;
}

/* The function at @addr, or QR_NO_FUNCTION.  Called with ascending addresses. */
static u32 function_at(struct qr_symbols *s, struct qr_symbol *sym, unsigned long addr)
{
	struct qr_function *f = s->function + s->nr_functions;
	const struct qr_function *last = s->nr_functions ? f - 1 : NULL;

	if (!qr_symbol_find(sym, addr))
		return QR_NO_FUNCTION;
	if (last && last->start == sym->start && !strcmp(last->name, sym->text))
		return s->nr_functions - 1;
	f->start = sym->start;
	f->size = sym->size;
	f->name = keep(s, sym->text, strlen(sym->text));
	if (last && sym->module && last->module && !strcmp(sym->module, last->module))
		f->module = last->module;
	else if (sym->module)
		f->module = keep(s, sym->module, strlen(sym->module));
	return s->nr_functions++;
}

/* The function that was at @lost, or QR_NO_FUNCTION.  Called in the order of names. */
static u32 function_lost(struct qr_symbols *s, const struct qr_lost *lost)
{
	struct qr_function *f = s->function + s->nr_functions;
	const char *space = memchr(lost->name, ' ', lost->len);
	size_t name, module;

	if (!lost->len)
		return QR_NO_FUNCTION;
	if (lost > s->lost && lost->len == lost[-1].len &&
	    !memcmp(lost->name, lost[-1].name, lost->len))
		return s->nr_functions - 1;
	name = space ? space - lost->name : lost->len;
	f->name = keep(s, lost->name, name);
	module = name + 2;
	if (module < lost->len) /* name [module] */
		f->module = keep(s, lost->name + module, lost->len - 1 - module);
	return s->nr_functions++;
}

static void resolve(struct qr_symbols *s, struct qr_symbol *sym)
{
	struct qr_place *place = s->place;
	size_t i;

	for (i = 0; i < s->nr_addr && !s->err; i++, place++) {
		place->addr = s->addr[i];
		place->mapping = qr_mapping_find(s->maps, place->addr);
		place->function = function_at(s, sym, place->addr);
		cond_resched();
	}
	for (i = 0; i < s->nr_lost && !s->err; i++, place++) {
		place->addr = s->lost[i].addr;
		place->mapping = mapping_gone(s, s->lost[i].map);
		place->function = function_lost(s, &s->lost[i]);
	}
}

int qr_symbols_resolve(struct qr_symbols *s)
{
	struct qr_symbol *sym;

	if (s->err)
		return s->err;
	s->nr_addr = make_unique(s->addr, s->nr_addr, sizeof(*s->addr), by_address);
	s->nr_lost = make_unique(s->lost, s->nr_lost, sizeof(*s->lost), by_name);
	s->nr = s->nr_addr + s->nr_lost;
	if (!s->nr)
		return 0;
	sym = qr_meta_alloc(sizeof(*sym), GFP_KERNEL, NUMA_NO_NODE);
	s->place = qr_meta_valloc(s->nr * sizeof(*s->place));
	s->function = qr_meta_valloc(s->nr * sizeof(*s->function));
	/* The mappings of all lost addresses were saved before. */
	s->room_gone = s->nr_lost ? qr_unloaded_nr_mappings() : 0;
	if (s->room_gone)
		s->gone = qr_meta_valloc(s->room_gone * sizeof(*s->gone));
	if (sym && s->place && s->function && (s->gone || !s->room_gone))
		resolve(s, sym);
	else
		s->err = -ENOMEM;
	qr_meta_free(sym, sizeof(*sym));
	return s->err;
}

void qr_symbols_exit(struct qr_symbols *s)
{
	struct qr_names *names;

	while ((names = s->names)) {
		s->names = names->next;
		qr_meta_free(names, sizeof(*names));
	}
	qr_mappings_free(s->maps);
	qr_meta_vfree(s->gone, s->room_gone * sizeof(*s->gone));
	qr_meta_vfree(s->function, s->nr * sizeof(*s->function));
	qr_meta_vfree(s->place, s->nr * sizeof(*s->place));
	qr_meta_vfree(s->lost, s->room_lost * sizeof(*s->lost));
	qr_meta_vfree(s->addr, s->room * sizeof(*s->addr));
}

/* --- Looking up --- */

static size_t find_address(const struct qr_symbols *s, unsigned long addr)
{
	size_t low = 0, high = s->nr_addr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->addr[middle] < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t find_lost(const struct qr_symbols *s, const struct qr_lost *lost)
{
	size_t low = 0, high = s->nr_lost;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_lost(&s->lost[middle], lost) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return s->nr_addr + low;
}

void qr_symbols_find(const struct qr_symbols *s, const unsigned long *entries, unsigned int nr,
		     const char *names, u32 *place)
{
	struct frames f = frames_of(entries, names);
	struct qr_lost lost;

	while (f.next < nr) {
		if (is_lost(s, &f, &lost))
			*place++ = find_lost(s, &lost);
		else
			*place++ = find_address(s, lost.addr);
	}
}

const struct qr_function *qr_symbols_function(const struct qr_symbols *s, u32 place)
{
	u32 function = s->place[place].function;

	return function == QR_NO_FUNCTION ? NULL : &s->function[function];
}

unsigned long qr_symbols_shown(const struct qr_symbols *s, u32 place)
{
	const struct qr_place *p = &s->place[place];

	if (p->addr == QR_NO_ADDRESS || p->addr == QR_MERGED_ADDRESS)
		return p->addr;
	return qr_mapping_shown(s->maps, p->mapping < 0 ? NULL : qr_symbols_mapping(s, p->mapping),
				p->addr);
}
