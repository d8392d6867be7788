// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of Quarry's memory by the kernel's own functions.
 *
 * A module that is built with quarry/kmem_shim.h hands some of its memory to the kernel or to
 * modules that are not.  They free it with the kernel's kfree(), kvfree(), kfree_sensitive() or
 * kfree_rcu(), and ask for its size with ksize().  For memory that is no slab of the kernel's,
 * these functions end in free_large_kmalloc() and __ksize(), and for mapped memory in vfree().
 * No ordinary free enters the first.  While a shimmed module is loaded, ftrace calls look() at
 * the entry of these three, and of krealloc() where it does not ask __ksize().  If the memory is
 * Quarry's, look() changes the instruction pointer, so that one of our functions runs in place of
 * the kernel's: in the same context, with the same arguments, and returning to the same caller.
 * Livepatch works in this way.  A handler of a kprobe could not: it runs with preemption off, and
 * is left out while another one is running.
 *
 * Where ftrace cannot be had, a wrong free is reported and the object is leaked.  Its page stays
 * Quarry's, because each page has more references than frees can drop (pages/chunk.h).
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "api/kernel_free.h"

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <trace/events/kmem.h>
#include "api/shim.h"
#include "cache/cache.h"
#include "slab/misuse.h"
#include "profile/stack.h"
#include "slab/large.h"

atomic64_t qr_kernel_frees;

/* Guards the redirection and what follows.  qr_caches_lock may be taken inside of it. */
static DEFINE_MUTEX(shimmed_lock);

/* --- Redirection --- */

#if defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && defined(CONFIG_KPROBES)

/**
 * struct redirect - a function of the kernel's, and ours for Quarry's memory
 * @name: the function
 * @addr: where ftrace is called in it, or its first instruction
 * @is_ours: do its arguments, in these registers, name memory of Quarry's?
 * @instead: our function
 */
struct redirect {
	const char *name;
	unsigned long addr;
	bool (*is_ours)(struct pt_regs *regs);
	void *instead;
};

/*
 * free_large_kmalloc(page, object).  The first argument tells whether this kernel's function has
 * these arguments.
 */
static bool free_is_ours(struct pt_regs *regs)
{
	const void *p = (const void *)regs_get_kernel_argument(regs, 1);

	return !is_vmalloc_addr(p) && qr_shim_owns(p) &&
	       (struct page *)regs_get_kernel_argument(regs, 0) == virt_to_page(p);
}

static notrace void free_instead(struct page *page, void *p)
{
	atomic64_inc(&qr_kernel_frees);
	qr_shim_kfree(p);
}

/* __ksize(object) */
static bool size_is_ours(struct pt_regs *regs)
{
	return qr_shim_owns((const void *)regs_get_kernel_argument(regs, 0));
}

static notrace size_t size_instead(const void *p)
{
	return quarry_usable_size(p);
}

/* vfree(object) */
static bool mapped_is_ours(struct pt_regs *regs)
{
	const void *p = (const void *)regs_get_kernel_argument(regs, 0);

	return is_vmalloc_addr(p) && qr_shim_owns(p);
}

static notrace void mapped_instead(const void *p)
{
	atomic64_inc(&qr_kernel_frees);
	qr_shim_kvfree(p);
}

#if QR_COMPAT_KREALLOC_SIZES
/* krealloc(object, ...).  Like free_is_ours(), not for mapped memory: vrealloc() gets that. */
static bool realloc_is_ours(struct pt_regs *regs)
{
	const void *p = (const void *)regs_get_kernel_argument(regs, 0);

	return !is_vmalloc_addr(p) && qr_shim_owns(p);
}

/*
 * For a page that is no slab's and not of kmalloc(), the kernel would take the whole page for the
 * object.
 */
static notrace void *realloc_instead(QR_COMPAT_KREALLOC_ARGS)
{
	size_t usable = quarry_usable_size(p);
	void *copy = ZERO_SIZE_PTR;

	if (size) {
		if (qr_shim_fits(p, usable, size, QR_COMPAT_ALIGN, gfp))
			return (void *)p;
		copy = kmalloc_node_track_caller(size, gfp, QR_COMPAT_NODE);
		if (!copy)
			return NULL;
		memcpy(copy, p, min(size, usable));
	}
	atomic64_inc(&qr_kernel_frees);
	qr_shim_kfree(p);
	return copy;
}
#endif

/* The first one is needed most. */
static struct redirect redirects[] = {
	{ .name = "free_large_kmalloc", .is_ours = free_is_ours, .instead = free_instead },
	{ .name = "__ksize", .is_ours = size_is_ours, .instead = size_instead },
	{ .name = "vfree", .is_ours = mapped_is_ours, .instead = mapped_instead },
#if QR_COMPAT_KREALLOC_SIZES
	{ .name = __stringify(QR_COMPAT_KREALLOC),
	  .is_ours = realloc_is_ours,
	  .instead = realloc_instead },
#endif
};

/* The number of functions that are redirected. */
static unsigned int redirected;

/* The call of ftrace comes after at most so many bytes of a function. */
#define ENTRY_BYTES 16

/*
 * It needs no protection against recursion: it calls none of these functions.  With such a
 * protection it would be left out in a free by another user of ftrace.
 */
static notrace void look(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	const struct redirect *r;

	for (r = redirects; r < redirects + ARRAY_SIZE(redirects); r++) {
		if (ip - r->addr >= ENTRY_BYTES)
			continue;
		if (regs && r->is_ours(regs))
			instruction_pointer_set(regs, (unsigned long)r->instead);
		break;
	}
}

static struct ftrace_ops ops;

/* The address of a function that is not exported, or 0.  A disabled kprobe changes no code. */
static unsigned long address_of(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	unsigned long addr;

	if (register_kprobe(&probe))
		return 0;
	addr = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return addr;
}

static int redirect_first(unsigned int n)
{
	unsigned int i;
	int err = 0;

	/*
	 * Anew each time: ftrace_free_filter() leaves pointers to what it frees.  With PERMANENT,
	 * the sysctl ftrace_enabled cannot switch it off.
	 */
	ops = (struct ftrace_ops){
		.func = look,
		.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
	};
	for (i = 0; i < n && !err; i++) {
		redirects[i].addr = address_of(redirects[i].name);
		if (redirects[i].addr)
			err = ftrace_set_filter_ip(&ops, redirects[i].addr, 0, !i);
		else
			err = -ENOENT;
	}
	if (!err)
		err = register_ftrace_function(&ops);
	if (err)
		ftrace_free_filter(&ops);
	else
		redirected = n;
	return err;
}

/* Returns true if the frees of unmapped memory are redirected. */
static bool redirect_all(void)
{
	int err;

	if (redirected)
		return true;
	err = redirect_first(ARRAY_SIZE(redirects));
	if (!err)
		return true;
	pr_warn("the kernel's %s() and others cannot be redirected (error %d)\n", redirects[0].name,
		err);
	if (!redirect_first(1))
		return true;
	pr_warn("memory of Quarry that the kernel frees is leaked\n");
	return false;
}

/* Waits until no task is in one of our functions. */
static void restore_all(void)
{
	if (!redirected)
		return;
	unregister_ftrace_function(&ops);
	ftrace_free_filter(&ops);
	redirected = 0;
}

#else

static bool redirect_all(void)
{
	pr_warn("no function can be redirected: memory of Quarry that the kernel frees is leaked\n");
	return false;
}

static void restore_all(void)
{
}

#endif

/* --- Reports, where nothing is redirected --- */

static bool reporting;

/* The tracepoint kfree.  The shim itself never passes memory of Quarry's to the kernel. */
static void kfree_called(void *data, unsigned long call_site, const void *p)
{
	const struct qr_slab *slab;

	rcu_read_lock();
	slab = qr_slab_of(p);
	if (unlikely(slab))
		qr_report(QR_MISUSE_KERNEL_FREE, p, qr_owner_name(READ_ONCE(slab->cache), slab),
			  NULL, call_site);
	rcu_read_unlock();
}

static void begin_reports(void)
{
	if (!reporting && !register_trace_kfree(kfree_called, NULL))
		reporting = true;
}

static void end_reports(void)
{
	if (!reporting)
		return;
	unregister_trace_kfree(kfree_called, NULL);
	tracepoint_synchronize_unregister();
	reporting = false;
}

/* --- Modules --- */

/* A module that was built with quarry/kmem_shim.h and is loaded. */
struct shimmed {
	struct list_head link;
	struct rcu_head rcu;
	const struct module *mod;
};

/*
 * Changed under shimmed_lock.  Readers use RCU: a module may create a cache while the kernel takes
 * a CPU online, and a holder of the lock may wait for that.
 */
static LIST_HEAD(shimmed_modules);

/*
 * Did the shim rename a symbol in @mod, which is being loaded?  Its symbol table still has the
 * names that it wants from other modules.
 */
static bool is_shimmed(const struct module *mod)
{
#ifdef CONFIG_KALLSYMS
	const struct mod_kallsyms *k = rcu_dereference_raw(mod->kallsyms);
	unsigned int i;

	for (i = 0; i < k->num_symtab; i++)
		if (k->symtab[i].st_shndx == SHN_UNDEF &&
		    strstarts(k->strtab + k->symtab[i].st_name, "qr_shim_"))
			return true;
#endif
	return false;
}

/* Live objects of all kinds but an arena's, which nothing frees singly. */
static s64 live_objects(void)
{
	s64 live = atomic64_read(&qr_large_count.allocs) - atomic64_read(&qr_large_count.frees) +
		   atomic64_read(&qr_mapped_count.allocs) - atomic64_read(&qr_mapped_count.frees);
	struct quarry_cache_stats st;
	struct qr_cache *c;

	mutex_lock(&qr_caches_lock);
	list_for_each_entry(c, &qr_caches, link) {
		qr_cache_sum(c, &st);
		live += st.live_objects;
	}
	mutex_unlock(&qr_caches_lock);
	return live;
}

static int shimmed_comes(const struct module *mod)
{
	struct shimmed *s = kmalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	s->mod = mod;
	mutex_lock(&shimmed_lock);
	list_add_rcu(&s->link, &shimmed_modules);
	if (redirect_all())
		end_reports();
	else
		begin_reports();
	mutex_unlock(&shimmed_lock);
	return 0;
}

/*
 * The kernel may keep memory of a module that is gone.  While any object is live, the redirection
 * stays: until the next shimmed module goes, or Quarry does.
 */
static void shimmed_goes(const struct module *mod)
{
	struct shimmed *s, *next;
	bool last;

	mutex_lock(&shimmed_lock);
	list_for_each_entry_safe(s, next, &shimmed_modules, link) {
		if (s->mod == mod) {
			list_del_rcu(&s->link);
			kfree_rcu(s, rcu);
		}
	}
	last = list_empty(&shimmed_modules);
	mutex_unlock(&shimmed_lock);
	if (!last)
		return;
	quarry_rcu_barrier();
	mutex_lock(&shimmed_lock);
	if (list_empty(&shimmed_modules) && !live_objects()) {
		restore_all();
		end_reports();
	}
	mutex_unlock(&shimmed_lock);
}

static int module_changes(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct module *mod = data;

	if (state == MODULE_STATE_COMING && is_shimmed(mod))
		return notifier_from_errno(shimmed_comes(mod));
	if (state == MODULE_STATE_GOING)
		shimmed_goes(mod);
	return NOTIFY_OK;
}

static struct notifier_block module_watch = { .notifier_call = module_changes };

void qr_shimmed_name(unsigned long ip, char *name, size_t size)
{
	const struct shimmed *s;

	name[0] = '\0';
	rcu_read_lock();
	list_for_each_entry_rcu(s, &shimmed_modules, link) {
		if (within_module(ip, s->mod))
			strscpy(name, s->mod->name, size);
	}
	rcu_read_unlock();
}

int qr_kernel_free_init(void)
{
	return register_module_notifier(&module_watch);
}

/* No client is left, but the kernel may still have memory of one.  Its free would find nothing. */
void qr_kernel_free_exit(void)
{
	unregister_module_notifier(&module_watch);
	mutex_lock(&shimmed_lock);
	restore_all();
	end_reports();
	mutex_unlock(&shimmed_lock);
}
