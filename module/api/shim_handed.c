// SPDX-License-Identifier: GPL-2.0
/*
 * Caches of shimmed modules that the kernel, or a module that is not shimmed, takes for its own.
 *
 * A shimmed module knows a cache by an address that no memory has (see shim.c).  If the module
 * hands the cache on, the other side faults on its first access.  The kernel tells a fault to its
 * die notifiers before it prints it.  The notifier here looks for the address of a cache in the
 * registers, and names the cache, its module and the code that faulted.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/shim.h"

#include <linux/kdebug.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <quarry/stats.h>
#include "api/kernel_free.h"

/* What x86 tells of an access to such an address; other machines only tell that they die. */
#ifdef CONFIG_X86
#define DIE_FAULT DIE_GPF
#else
#define DIE_FAULT DIE_OOPS
#endif

struct known {
	struct list_head link;
	struct rcu_head rcu;
	const struct kmem_cache *as;
	char cache[QUARRY_NAME_LEN];
	char module[MODULE_NAME_LEN];
};

static LIST_HEAD(known);	    /* readers use RCU */
static DEFINE_SPINLOCK(known_lock); /* taken alone */

void qr_handed_add(const struct kmem_cache *as, const char *name, unsigned long ip)
{
	struct known *k = kmalloc(sizeof(*k), GFP_KERNEL);

	/* Without memory for it, a fault has no line of ours. */
	if (!k)
		return;
	k->as = as;
	strscpy(k->cache, name, sizeof(k->cache));
	qr_shimmed_name(ip, k->module, sizeof(k->module));
	spin_lock(&known_lock);
	list_add_rcu(&k->link, &known);
	spin_unlock(&known_lock);
}

void qr_handed_del(const struct kmem_cache *as)
{
	struct known *k;

	spin_lock(&known_lock);
	list_for_each_entry(k, &known, link) {
		if (k->as == as) {
			list_del_rcu(&k->link);
			kfree_rcu(k, rcu);
			break;
		}
	}
	spin_unlock(&known_lock);
}

static bool has_word(const struct pt_regs *regs, unsigned long word)
{
	const unsigned long *reg = (const unsigned long *)regs;
	unsigned int i;

	for (i = 0; i < sizeof(*regs) / sizeof(*reg); i++)
		if (reg[i] == word)
			return true;
	return false;
}

static int dying(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct die_args *args = data;
	const struct known *k;

	if (event != DIE_FAULT || !args->regs || user_mode(args->regs))
		return NOTIFY_DONE;
	rcu_read_lock();
	list_for_each_entry_rcu(k, &known, link) {
		if (has_word(args->regs, (unsigned long)k->as))
			pr_emerg("%pS uses cache %s of module %s, which is Quarry's: move both or neither\n",
				 (void *)instruction_pointer(args->regs), k->cache,
				 k->module[0] ? k->module : "(unknown)");
	}
	rcu_read_unlock();
	return NOTIFY_DONE;
}

static struct notifier_block die_watch = { .notifier_call = dying };

int qr_handed_init(void)
{
	return register_die_notifier(&die_watch);
}

void qr_handed_exit(void)
{
	struct known *k, *next;

	unregister_die_notifier(&die_watch);
	/* Caches that clients never destroyed. */
	list_for_each_entry_safe(k, next, &known, link) {
		list_del(&k->link);
		kfree_rcu(k, rcu);
	}
}
