// SPDX-License-Identifier: GPL-2.0
/*
 * A stack is kept as addresses.  When a module is unloaded, its addresses lose their
 * meaning, and soon belong to another module.  So the names of the functions are saved
 * while the kernel still knows them: memory that a module failed to free is most
 * interesting after the module is gone.
 */
#include "profile/unloaded.h"

#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/string.h>
#include "compat.h"
#include "profile/bucket.h"
#include "profile/profile.h"
#include "profile/profile_memory.h"
#include "profile/stack.h"

/**
 * struct names - the names of the functions of a stack
 * @link: in names_known
 * @size: bytes of this structure with its text
 * @text: one name per line, leaf first
 *
 * Equal texts are kept once: a client that is loaded again and again has the same names
 * each time.
 */
struct names {
	struct hlist_node link;
	size_t size;
	char text[];
};

static DEFINE_HASHTABLE(names_known, 8);
static DEFINE_MUTEX(names_mutex);

static bool goes_through(const struct module *mod, bool init_only, const unsigned long *frames,
			 unsigned int n)
{
	for (; n--; frames++)
		if (init_only ? within_module_init(*frames, mod) : within_module(*frames, mod))
			return true;
	return false;
}

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

const char *qr_unloaded_names(const unsigned long *frames, unsigned int n)
{
	size_t size = write_names(NULL, frames, n) + 1;
	struct names *names = qr_profile_memory_alloc(sizeof(*names) + size, GFP_KERNEL), *old;
	u32 hash;

	if (!names)
		return "";
	names->size = sizeof(*names) + size;
	write_names(names->text, frames, n);
	hash = jhash(names->text, size, 0);
	mutex_lock(&names_mutex);
	hash_for_each_possible(names_known, old, link, hash) {
		if (strcmp(old->text, names->text))
			continue;
		qr_profile_memory_free(names, names->size);
		names = old;
		goto out;
	}
	hash_add(names_known, &names->link, hash);
out:
	mutex_unlock(&names_mutex);
	return names->text;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_unloaded_names);

static int module_event(struct notifier_block *nb, unsigned long what, void *data)
{
	const struct module *mod = data;
	struct qr_profile_counts counts;
	unsigned long *frames;
	unsigned int n;
	u32 id;

	qr_stacks_forget();
	/* Code goes when a module is unloaded, and its init code when it has been loaded. */
	if ((what != MODULE_STATE_GOING && what != MODULE_STATE_LIVE) || mod == THIS_MODULE)
		return NOTIFY_DONE;
	qr_profile_counts(&counts);
	for (id = 1; id < counts.sites; id++) {
		n = qr_stack_frames(qr_profile_stack(id), &frames);
		if (goes_through(mod, what == MODULE_STATE_LIVE, frames, n))
			qr_profile_retire(id, qr_unloaded_names(frames, n));
		if (!(id % 256))
			cond_resched();
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
	struct hlist_node *next;
	struct names *names;
	unsigned int i;

	unregister_module_notifier(&module_notifier);
	hash_for_each_safe(names_known, i, next, names, link)
		qr_profile_memory_free(names, names->size);
}
