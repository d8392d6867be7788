// SPDX-License-Identifier: GPL-2.0
/*
 * A module cannot add a member to struct task_struct, so the labels of tasks are in a hash table
 * by task.  Its entries are Quarry's own memory, which is bounded and not freed before the module
 * is unloaded.  The client only has a handle: the number of an entry, and how often the entry had
 * been used.  So a client that forgets to end a scope, ends it twice, or gives its stack frame to
 * other data can set a wrong label at worst.
 *
 * A forgotten label lasts as long as its task, which is known by its address, its number and its
 * start time together: no later task has all three.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "profile/label_scope.h"

#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <quarry/quarry.h>
#include "compat.h"
#include "core/caller.h"
#include "core/clean_name.h"
#include "core/metadata.h"
#include "core/work_queue.h"
#include "profile/profile_memory.h"

#define SWEEP_TIME (5 * HZ)

const char *const qr_labels_own_key[QR_LABELS_OWN] = { "node", "context", "comm", "cgroup" };

/**
 * struct scope - a label of a task
 * @link: in the list of unused entries or of a slot
 * @task: the task, never dereferenced; NULL if the entry is unused
 * @started: when the task was created
 * @pid: the task's number
 * @index: in the array scopes
 * @generation: how often the entry was used and given back; never 0
 * @slot: index of the task's slot
 * @label: the label.  The last byte of both strings is always 0, so that a reader whom the
 *	owner's misuse surprises finds an end
 */
struct scope {
	struct hlist_node link;
	const struct task_struct *task;
	u64 started;
	pid_t pid;
	u32 index;
	u32 generation;
	u32 slot;
	struct qr_label label;
};

static struct kmem_cache *scope_cache;
static DEFINE_RAW_SPINLOCK(unused_lock); /* protects the next three */
static struct scope *scopes[QR_LABEL_SCOPES];
static unsigned int nr_scopes;
static struct hlist_head unused;

/* Protects the list, and of its entries @link, @task and @generation. */
static struct {
	raw_spinlock_t lock;
	struct hlist_head scopes; /* innermost first */
} slots[1 << QR_LABEL_TASK_BITS];

atomic_t qr_label_scopes;
EXPORT_SYMBOL_QUARRY_TEST(qr_label_scopes);
atomic64_t qr_label_scopes_dropped;
EXPORT_SYMBOL_QUARRY_TEST(qr_label_scopes_dropped);

static void sweep_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(sweep_later, sweep_fn);
static DECLARE_WORK(sweep_now, sweep_fn);

static u32 slot_of(const struct task_struct *task)
{
	return hash_ptr(task, QR_LABEL_TASK_BITS);
}

static bool is_mine(const struct scope *s)
{
	return s->task == current && s->pid == current->pid && s->started == current->start_time;
}

/* --- Entries --- */

static struct scope *scope_unused(void)
{
	struct scope *s = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&unused_lock, flags);
	if (!hlist_empty(&unused)) {
		s = hlist_entry(unused.first, struct scope, link);
		hlist_del(&s->link);
	}
	raw_spin_unlock_irqrestore(&unused_lock, flags);
	return s;
}

/* The caller may have preemption off; only with PREEMPT_RT that forbids to ask for memory. */
static noinline struct scope *scope_more(void)
{
	bool room = READ_ONCE(nr_scopes) < QR_LABEL_SCOPES;
	struct scope *s;
	unsigned long flags;

	if (!room || (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible()))
		return NULL;
	s = qr_profile_memory_cache_alloc(scope_cache, GFP_NOWAIT);
	if (!s)
		return NULL;
	s->generation = 1;
	raw_spin_lock_irqsave(&unused_lock, flags);
	room = nr_scopes < QR_LABEL_SCOPES;
	if (room) {
		s->index = nr_scopes;
		/* Pairs with the acquire in quarry_label_end(). */
		smp_store_release(&scopes[nr_scopes], s);
		WRITE_ONCE(nr_scopes, nr_scopes + 1);
	}
	raw_spin_unlock_irqrestore(&unused_lock, flags);
	if (room)
		return s;
	qr_profile_memory_cache_free(scope_cache, s);
	return NULL;
}

/* Takes @s from its slot, whose lock is held.  Its handle is void from now on. */
static void unlink(struct scope *s)
{
	hlist_del(&s->link);
	s->task = NULL;
	if (!++s->generation)
		s->generation = 1;
	atomic_dec(&qr_label_scopes);
}

static void scope_free(struct scope *s)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&unused_lock, flags);
	hlist_add_head(&s->link, &unused);
	raw_spin_unlock_irqrestore(&unused_lock, flags);
}

/* --- Clients --- */

/*
 * Why a label cannot be set, or NULL.  Keys that begin with pprof:: have a meaning to the
 * pprof tool, and the profiler sets some keys itself.
 */
static const char *why_not(const char *key, const char *value)
{
	unsigned int i;

	if (!key || !*key || !value)
		return "a key and a value are needed";
	if (strlen(key) >= QUARRY_LABEL_KEY)
		return "the key is too long";
	if (strlen(value) >= QUARRY_LABEL_VALUE)
		return "the value is too long";
	if (!strncmp(key, "pprof::", 7))
		return "keys with pprof:: are pprof's";
	for (i = 0; i < QR_LABELS_OWN; i++)
		if (!strcmp(key, qr_labels_own_key[i]))
			return "the profiler sets this key";
	if (!strcmp(key, "cache") || !strcmp(key, "age") || !strcmp(key, "labels"))
		return "the profiler sets this key";
	if (!in_task())
		return "labels are a task's, and this is an interrupt";
	return NULL;
}

static noinline int refuse(const char *key, const char *why, unsigned long ip)
{
	char clean[QUARRY_LABEL_KEY];

	qr_clean_name(clean, key ?: "", sizeof(clean));
	pr_warn_ratelimited("label %s of %s refused: %s\n", clean, qr_caller_name(ip), why);
	return -EINVAL;
}

/**
 * quarry_label_begin() - label what this task allocates from now on
 * @scope: where to put a handle of the label, mostly a variable in the caller's stack frame
 * @key: at most 31 bytes, such as "request"; the profiler's own keys (cache,
 *	node, context, comm, cgroup, age, labels) and those of pprof (pprof::) are refused
 * @value: at most 63 bytes; "" reads "_"
 *
 * Samples of this task carry the label until quarry_label_end().  Scopes nest: the
 * inner one of two with the same key counts, and only the five innermost keys do.
 * Both strings are copied; characters that have a meaning in a text become '_', as in the name
 * of a cache.  An interrupt does not have the labels of the task that it interrupted.
 *
 * All tasks together can have 1,024 labels set.  A further one, or one for which there is no
 * memory, is dropped, which ``dropped_labels`` counts.  A label that its task never ends lasts
 * until the task exits.
 *
 * Context: process; does not sleep.
 * Return: 0, -ENOSPC for a label that was dropped, or -EINVAL for one that is refused; the log
 * says why.  After an error the scope has no effect, and may be ended.
 */
int quarry_label_begin(struct quarry_label_scope *scope, const char *key, const char *value)
{
	const char *why = why_not(key, value);
	unsigned long flags;
	struct scope *s;

	*scope = (struct quarry_label_scope){};
	if (why)
		return refuse(key, why, _RET_IP_);
	s = scope_unused() ?: scope_more();
	if (!s) {
		atomic64_inc(&qr_label_scopes_dropped);
		queue_work(qr_work_queue, &sweep_now);
		return -ENOSPC;
	}
	qr_clean_name(s->label.key, key, sizeof(s->label.key));
	qr_clean_name(s->label.value, value, sizeof(s->label.value));
	s->pid = current->pid;
	s->started = current->start_time;
	WRITE_ONCE(s->slot, slot_of(current));
	scope->index = s->index;
	scope->generation = s->generation;

	atomic_inc(&qr_label_scopes);
	raw_spin_lock_irqsave(&slots[s->slot].lock, flags);
	s->task = current;
	hlist_add_head(&s->link, &slots[s->slot].scopes);
	raw_spin_unlock_irqrestore(&slots[s->slot].lock, flags);
	if (!delayed_work_pending(&sweep_later))
		queue_delayed_work(qr_work_queue, &sweep_later, SWEEP_TIME);
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_label_begin);

/**
 * quarry_label_end() - end a scope
 * @scope: from quarry_label_begin(), mostly in the same task
 *
 * A scope that has ended already, or whose label was refused or dropped, is left alone.
 *
 * Context: process; does not sleep.
 */
void quarry_label_end(struct quarry_label_scope *scope)
{
	u32 index = scope->index, generation = scope->generation, slot;
	unsigned long flags;
	struct scope *s;
	bool valid;

	*scope = (struct quarry_label_scope){};
	if (!generation || index >= QR_LABEL_SCOPES)
		return;
	/* Pairs with the release in scope_more(). */
	s = smp_load_acquire(&scopes[index]);
	if (!s)
		return;
	/* If the handle is void, this may be any slot.  Under its lock @s->slot cannot change. */
	slot = READ_ONCE(s->slot);
	raw_spin_lock_irqsave(&slots[slot].lock, flags);
	valid = s->task && s->generation == generation && s->slot == slot;
	if (valid)
		unlink(s);
	raw_spin_unlock_irqrestore(&slots[slot].lock, flags);
	if (valid)
		scope_free(s);
}
EXPORT_SYMBOL_QUARRY(quarry_label_end);

/* --- Samples --- */

unsigned int qr_labels_of_task(const struct qr_label *found[QR_LABELS_USER])
{
	unsigned int slot = slot_of(current), n = 0, i;
	const struct scope *s;
	unsigned long flags;

	/* The lock protects the list.  The task is here, so its own scopes do not end. */
	raw_spin_lock_irqsave(&slots[slot].lock, flags);
	hlist_for_each_entry(s, &slots[slot].scopes, link) {
		if (!is_mine(s) || n == QR_LABELS_USER)
			continue;
		for (i = 0; i < n; i++)
			if (!strcmp(found[i]->key, s->label.key))
				break;
		if (i < n)
			continue;
		for (i = n++; i && strcmp(found[i - 1]->key, s->label.key) > 0; i--)
			found[i] = found[i - 1];
		found[i] = &s->label;
	}
	raw_spin_unlock_irqrestore(&slots[slot].lock, flags);
	return n;
}

u32 qr_labels_hash(const struct qr_label *const *label, unsigned int n)
{
	u32 hash = 0;

	while (n--) {
		hash = jhash(label[n]->key, strlen(label[n]->key), hash);
		hash = jhash(label[n]->value, strlen(label[n]->value), hash);
	}
	return hash;
}

/* --- Tasks that have exited --- */

/* Has the task of @s exited?  In an RCU read-side section.  The idle tasks have no number. */
static bool is_gone(const struct scope *s)
{
	const struct task_struct *task;

	if (!s->pid)
		return false;
	task = pid_task(find_pid_ns(s->pid, &init_pid_ns), PIDTYPE_PID);
	return !task || task != s->task || task->start_time != s->started ||
	       READ_ONCE(task->exit_state);
}

/* A task may have left many labels.  They follow each other, so it is looked up once. */
static void sweep_slot(unsigned int slot)
{
	const struct scope *last = NULL;
	struct hlist_node *next;
	HLIST_HEAD(gone);
	bool forgotten = false;
	unsigned long flags;
	struct scope *s;

	raw_spin_lock_irqsave(&slots[slot].lock, flags);
	rcu_read_lock();
	hlist_for_each_entry_safe(s, next, &slots[slot].scopes, link) {
		if (!last || s->pid != last->pid || s->started != last->started)
			forgotten = is_gone(s);
		last = s;
		if (!forgotten)
			continue;
		unlink(s);
		hlist_add_head(&s->link, &gone);
	}
	rcu_read_unlock();
	raw_spin_unlock_irqrestore(&slots[slot].lock, flags);
	hlist_for_each_entry_safe(s, next, &gone, link) {
		hlist_del(&s->link);
		scope_free(s);
	}
}

void qr_label_scopes_sweep(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		sweep_slot(i);
		cond_resched();
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_label_scopes_sweep);

static void sweep_fn(struct work_struct *work)
{
	qr_label_scopes_sweep();
	if (atomic_read(&qr_label_scopes))
		queue_delayed_work(qr_work_queue, &sweep_later, SWEEP_TIME);
}

/* --- Life --- */

int qr_label_scopes_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots); i++)
		raw_spin_lock_init(&slots[i].lock);
	scope_cache = qr_meta_cache_create("quarry_label", sizeof(struct scope), false);
	return scope_cache ? 0 : -ENOMEM;
}

void qr_label_scopes_exit(void)
{
	/* In this order: the first may queue the second. */
	cancel_work_sync(&sweep_now);
	cancel_delayed_work_sync(&sweep_later);
	while (nr_scopes)
		qr_profile_memory_cache_free(scope_cache, scopes[--nr_scopes]);
	kmem_cache_destroy(scope_cache);
}
