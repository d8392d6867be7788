// SPDX-License-Identifier: GPL-2.0
/*
 * A stack is kept as addresses.  When a module is unloaded, its addresses lose their
 * meaning, and soon belong to another module.  So the names of the functions, and for each
 * address the mapping of its module, are saved while the kernel still knows them: memory that a
 * module failed to free is most interesting after the module is gone.
 *
 * A module that is loaded again mostly lies elsewhere.  Its mapping is saved once: addresses of
 * the same code, by name, size and build id, are changed to what they were when it was saved.
 * So the stacks of a client that is loaded again and again are equal.
 */
#include "profile/unloaded.h"

#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "compat.h"
#include "profile/bucket.h"
#include "profile/kept_profile.h"
#include "profile/profile_memory.h"
#include "profile/stack.h"

/**
 * struct saved - a mapping of a module
 * @link: in saved_maps
 * @map: the mapping
 */
struct saved {
	struct list_head link;
	struct qr_mapping map;
};

/**
 * struct names - what is known of the frames of a stack
 * @link: in names_known
 * @by_text: in names_by_text
 * @size: bytes of this structure with all arrays
 * @nr: frames
 * @map: for each frame the mapping of its module; NULL for the kernel and for init code
 * @addr: the return addresses, with modules where they were when their mapping was saved; of
 *	init code the distance from its beginning
 * @text: one name per line, leaf first
 *
 * Equal ones are kept once: a client that is loaded again and again has the same names
 * each time.
 */
struct names {
	struct hlist_node link;
	struct hlist_node by_text;
	size_t size;
	unsigned int nr;
	const struct qr_mapping **map;
	unsigned long *addr;
	char *text;
};

static DEFINE_HASHTABLE(names_known, 8);
static DEFINE_HASHTABLE(names_by_text, 8);
static LIST_HEAD(saved_maps);
static unsigned int nr_saved;
static DEFINE_MUTEX(names_mutex); /* protects additions; nothing is removed before the end */

static bool goes_through(const struct module *mod, bool init_only, const unsigned long *frames,
			 unsigned int n)
{
	for (; n--; frames++)
		if (init_only ? within_module_init(*frames, mod) : within_module(*frames, mod))
			return true;
	return false;
}

/* --- Mappings --- */

/* The saved mapping of the code in @map, which is saved now if it was not.  NULL without memory. */
static const struct saved *save(const struct qr_mapping *map)
{
	struct saved *s;

	list_for_each_entry(s, &saved_maps, link)
		if (qr_mapping_same(&s->map, map))
			return s;
	s = qr_profile_memory_alloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return NULL;
	s->map = *map;
	list_add_tail(&s->link, &saved_maps);
	WRITE_ONCE(nr_saved, nr_saved + 1);
	return s;
}

/* Saves where frame @i of @names is.  @kept as for qr_mapping_of(). */
static void save_frame(struct names *names, unsigned int i, struct module *kept)
{
	unsigned long addr = names->addr[i] - 1;
	const struct saved *s;
	struct qr_mapping map;

	if (kept && within_module_init(addr, kept)) {
		names->addr[i] -= (unsigned long)qr_compat_module_init(kept);
		return;
	}
	if (!qr_mapping_of(&map, addr, kept))
		return;
	s = save(&map);
	if (!s)
		return;
	names->addr[i] += s->map.start - map.start;
	names->map[i] = &s->map;
}

/* --- Names --- */

/* Writes the names of all frames to @to, one per line.  Returns the length; @to may be NULL. */
static size_t write_names(char *to, const unsigned long *frames, unsigned int n)
{
	char name[KSYM_SYMBOL_LEN];
	size_t size = 0, len;
	unsigned int i;

	for (i = 0; i < n; i++) {
		len = sprint_symbol_no_offset(name, frames[i] - 1);
		if (to) {
			memcpy(to + size, name, len);
			to[size + len] = '\n';
		}
		size += len + 1;
	}
	return size;
}

static struct names *names_new(const unsigned long *frames, unsigned int n)
{
	size_t text = write_names(NULL, frames, n) + 1, size;
	struct names *names;

	size = sizeof(*names) + n * (sizeof(*names->map) + sizeof(*names->addr)) + text;
	names = qr_profile_memory_alloc(size, GFP_KERNEL);
	if (!names)
		return NULL;
	names->size = size;
	names->nr = n;
	names->map = (void *)(names + 1);
	names->addr = (void *)(names->map + n);
	names->text = (void *)(names->addr + n);
	memcpy(names->addr, frames, n * sizeof(*frames));
	write_names(names->text, frames, n);
	return names;
}

static bool same_names(const struct names *a, const struct names *b)
{
	return a->nr == b->nr && !memcmp(a->map, b->map, a->nr * sizeof(*a->map)) &&
	       !memcmp(a->addr, b->addr, a->nr * sizeof(*a->addr)) && !strcmp(a->text, b->text);
}

const char *qr_unloaded_names(const unsigned long *frames, unsigned int n, struct module *kept)
{
	struct names *names = names_new(frames, n), *old;
	const char *line;
	unsigned int i;
	size_t len;
	u32 hash;

	if (!names)
		return "";
	hash = jhash(names->text, strlen(names->text), 0);
	mutex_lock(&names_mutex);
	for (i = 0, line = names->text; i < n; i++, line += len + 1) {
		len = strcspn(line, "\n");
		if (len && line[len - 1] == ']') /* name [module] */
			save_frame(names, i, kept);
	}
	hash_for_each_possible(names_known, old, link, hash) {
		if (!same_names(old, names))
			continue;
		qr_profile_memory_free(names, names->size);
		names = old;
		goto out;
	}
	hash_add(names_known, &names->link, hash);
	hash_add_rcu(names_by_text, &names->by_text, (unsigned long)names->text);
out:
	mutex_unlock(&names_mutex);
	return names->text;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_unloaded_names);

/* What qr_unloaded_names() returned @text for, or NULL.  Takes no lock: nothing is removed. */
static const struct names *names_of(const char *text)
{
	const struct names *names;

	hlist_for_each_entry_rcu(names,
				 &names_by_text[hash_min((unsigned long)text,
							 HASH_BITS(names_by_text))],
				 by_text, true)
		if (names->text == text)
			return names;
	return NULL;
}

unsigned int qr_unloaded_frames(const char *text, unsigned long **entries)
{
	const struct names *names = names_of(text);

	*entries = names ? names->addr : NULL;
	return names ? names->nr : 0;
}

const struct qr_mapping *const *qr_unloaded_mappings(const char *text)
{
	const struct names *names = names_of(text);

	return names ? names->map : NULL;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_unloaded_mappings);

unsigned int qr_unloaded_nr_mappings(void)
{
	return READ_ONCE(nr_saved);
}

/* --- Modules that come and go --- */

/* Code that goes: the init code of @mod, or all of it. */
struct going {
	struct module *mod;
	bool init_only;
};

static void retire_rows(struct qr_table *t, void *arg)
{
	const struct going *going = arg;
	u32 id, nr = READ_ONCE(t->nr);
	unsigned long *frames;
	unsigned int n;

	for (id = 1; id < nr; id++) {
		n = qr_stack_frames(qr_profile_stack(t, id), &frames);
		if (goes_through(going->mod, going->init_only, frames, n))
			qr_profile_retire(t, id, qr_unloaded_names(frames, n, going->mod));
		if (!(id % 256))
			cond_resched();
	}
}

/* A copy that is made from now on gets the names from its table, which comes first. */
static void name_kept(const struct going *going)
{
	struct qr_kept_walk w = {};
	unsigned long *frames;
	unsigned int n;
	u32 stack;

	while ((stack = qr_kept_next_stack(&w))) {
		n = qr_stack_frames(stack, &frames);
		if (goes_through(going->mod, going->init_only, frames, n))
			qr_kept_set_names(stack, qr_unloaded_names(frames, n, going->mod));
		cond_resched();
	}
}

static int module_event(struct notifier_block *nb, unsigned long what, void *data)
{
	struct going going = { .mod = data, .init_only = what == MODULE_STATE_LIVE };

	qr_stacks_forget();
	/* Code goes when a module is unloaded, and its init code when it has been loaded. */
	if ((what == MODULE_STATE_GOING || what == MODULE_STATE_LIVE) && going.mod != THIS_MODULE) {
		qr_tables_each(retire_rows, &going);
		name_kept(&going);
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_notifier = { .notifier_call = module_event };

int qr_unloaded_init(void)
{
	return register_module_notifier(&module_notifier);
}

void qr_unloaded_exit(void)
{
	struct saved *s, *next_saved;
	struct hlist_node *next;
	struct names *names;
	unsigned int i;

	unregister_module_notifier(&module_notifier);
	hash_for_each_safe(names_known, i, next, names, link)
		qr_profile_memory_free(names, names->size);
	list_for_each_entry_safe(s, next_saved, &saved_maps, link)
		qr_profile_memory_free(s, sizeof(*s));
}
