// SPDX-License-Identifier: GPL-2.0
/*
 * Label sets are few and looked up often.  So they are kept until the module is
 * unloaded, in a hash table by their contents.  A scope lies in the stack frame of
 * its owner and is linked into a hash table by task, because a module cannot add a
 * member to struct task_struct.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "profile/label.h"

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/numa.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <quarry/profile.h>
#include "compat.h"
#include "profile/profile_memory.h"

enum { LABEL_NODE, LABEL_CONTEXT, LABEL_COMM, LABELS_OWN };
#define LABELS_USER (QUARRY_LABELS_MAX - LABELS_OWN)

static const char *const own_keys[] = { "node", "context", "comm" };

enum context { IN_TASK, IN_SOFTIRQ, IN_HARDIRQ, IN_NMI };
static const char *const context_names[] = { "task", "softirq", "hardirq", "nmi" };

/* What identifies a set.  It is hashed and compared as words. */
#define KEY_WORDS 4
union set_key {
	struct {
		char comm[TASK_COMM_LEN];
		s16 node;
		u8 context;
		u8 nr_user;
		u32 unused;
		u64 user; /* hash of the labels of the task's scopes */
	};
	u64 word[KEY_WORDS];
};

static_assert(sizeof(union set_key) == KEY_WORDS * sizeof(u64));
static_assert(MAX_NUMNODES - 1 <= S16_MAX);

struct label_set {
	struct hlist_node link;
	union set_key key;
	struct quarry_labels labels;
};

#define HASH_BITS 8
#define TASK_BITS 6

static DEFINE_RAW_SPINLOCK(sets_lock);
static struct hlist_head sets_by_key[1 << HASH_BITS];
static struct label_set *sets[QR_LABEL_SETS]; /* number 1 is the first */
static unsigned int nr_sets;
static const struct quarry_labels other = { .n = 1, .key[0] = "labels", .value[0] = "other" };

static struct {
	raw_spinlock_t lock;
	struct hlist_head scopes; /* innermost first */
} tasks[1 << TASK_BITS];
static atomic_t nr_scopes;

static unsigned int task_slot(void)
{
	return hash_ptr(current, TASK_BITS);
}

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
	for (i = 0; i < LABELS_OWN; i++)
		if (!strcmp(key, own_keys[i]))
			return "the profiler sets this key";
	if (!strcmp(key, "cache") || !strcmp(key, "age") || !strcmp(key, "labels"))
		return "the profiler sets this key";
	if (!in_task())
		return "labels are a task's, and this is an interrupt";
	return NULL;
}

/**
 * quarry_label_begin() - label what this task allocates from now on
 * @scope: a variable in the caller's stack frame
 * @key: at most 31 bytes, such as "request"; the profiler's own keys (cache,
 *	node, context, comm, age, labels) and those of pprof (pprof::) are refused
 * @value: at most 63 bytes
 *
 * Samples of this task carry the label until quarry_label_end().  Scopes nest: the
 * inner one of two with the same key counts, and only the five innermost keys do.
 * The strings must last as long as the scope.  An interrupt does not have the labels
 * of the task that it interrupted.
 *
 * Context: process.
 * Return: 0, or -EINVAL for a label that is refused; the log says why.  The scope
 * then has no effect, and must still be ended.
 */
int quarry_label_begin(struct quarry_label_scope *scope, const char *key, const char *value)
{
	const char *why = why_not(key, value);
	unsigned int slot = task_slot();
	unsigned long flags;

	*scope = (struct quarry_label_scope){ .key = key, .value = value, .task = current };
	if (why) {
		scope->task = NULL;
		pr_warn_ratelimited("label %s of %pS refused: %s\n", key ?: "(none)",
				    (void *)_RET_IP_, why);
		return -EINVAL;
	}
	raw_spin_lock_irqsave(&tasks[slot].lock, flags);
	hlist_add_head(&scope->link, &tasks[slot].scopes);
	raw_spin_unlock_irqrestore(&tasks[slot].lock, flags);
	atomic_inc(&nr_scopes);
	return 0;
}
EXPORT_SYMBOL_QUARRY(quarry_label_begin);

/**
 * quarry_label_end() - end a scope
 * @scope: begun by quarry_label_begin() in the same task
 *
 * Context: process.
 */
void quarry_label_end(struct quarry_label_scope *scope)
{
	unsigned int slot = hash_ptr(scope->task, TASK_BITS);
	unsigned long flags;

	if (!scope->task)
		return;
	raw_spin_lock_irqsave(&tasks[slot].lock, flags);
	hlist_del(&scope->link);
	raw_spin_unlock_irqrestore(&tasks[slot].lock, flags);
	scope->task = NULL;
	atomic_dec(&nr_scopes);
}
EXPORT_SYMBOL_QUARRY(quarry_label_end);

/* Finds this task's scopes: the innermost of each key, sorted by key.  Returns how many. */
static unsigned int user_labels(const struct quarry_label_scope *found[LABELS_USER])
{
	unsigned int slot = task_slot(), n = 0, i;
	const struct quarry_label_scope *scope;
	unsigned long flags;

	/* The lock protects the list.  The task is here, so its own scopes do not end. */
	raw_spin_lock_irqsave(&tasks[slot].lock, flags);
	hlist_for_each_entry(scope, &tasks[slot].scopes, link) {
		if (scope->task != current || n == LABELS_USER)
			continue;
		for (i = 0; i < n; i++)
			if (!strcmp(found[i]->key, scope->key))
				break;
		if (i < n)
			continue;
		for (i = n++; i && strcmp(found[i - 1]->key, scope->key) > 0; i--)
			found[i] = found[i - 1];
		found[i] = scope;
	}
	raw_spin_unlock_irqrestore(&tasks[slot].lock, flags);
	return n;
}

static u32 hash_users(const struct quarry_label_scope *const *user, unsigned int n)
{
	u32 hash = 0;

	while (n--) {
		hash = jhash(user[n]->key, strlen(user[n]->key), hash);
		hash = jhash(user[n]->value, strlen(user[n]->value), hash);
	}
	return hash;
}

static const char *value_of(const struct quarry_labels *labels, const char *key)
{
	unsigned int i;

	for (i = 0; i < labels->n; i++)
		if (!strcmp(labels->key[i], key))
			return labels->value[i];
	return "";
}

static bool same_users(const struct quarry_labels *labels,
		       const struct quarry_label_scope *const *user, unsigned int n)
{
	while (n--)
		if (strcmp(value_of(labels, user[n]->key), user[n]->value))
			return false;
	return true;
}

/* The set that this CPU found last. */
static DEFINE_PER_CPU(struct label_set *, recent);

static __always_inline struct hlist_head *hash_list(const union set_key *key)
{
	u64 hash = key->word[0] * GOLDEN_RATIO_64;

	hash = (hash ^ key->word[1]) * GOLDEN_RATIO_64;
	hash = (hash ^ key->word[2]) * GOLDEN_RATIO_64;
	hash = (hash ^ key->word[3]) * GOLDEN_RATIO_64;
	return &sets_by_key[hash >> (64 - HASH_BITS)];
}

static __always_inline bool same_key(const union set_key *a, const union set_key *b)
{
	return !((a->word[0] ^ b->word[0]) | (a->word[1] ^ b->word[1]) | (a->word[2] ^ b->word[2]) |
		 (a->word[3] ^ b->word[3]));
}

/* The number of the set, or 0.  Needs no lock: sets are never removed. */
static __always_inline u32 find(const union set_key *key, struct hlist_head *list,
				const struct quarry_label_scope *const *user)
{
	struct label_set *set;

	hlist_for_each_entry_rcu(set, list, link, true) {
		if (same_key(&set->key, key) &&
		    (likely(!key->nr_user) || same_users(&set->labels, user, key->nr_user))) {
			raw_cpu_write(recent, set);
			return set->labels.id;
		}
	}
	return 0;
}

static void label_add(struct quarry_labels *labels, const char *key, const char *value)
{
	strscpy(labels->key[labels->n], key, QUARRY_LABEL_KEY);
	strscpy(labels->value[labels->n], value, QUARRY_LABEL_VALUE);
	labels->n++;
}

static noinline struct label_set *describe(const union set_key *key,
					   const struct quarry_label_scope *const *user, gfp_t gfp)
{
	struct label_set *set = qr_profile_memory_alloc(sizeof(*set), gfp);
	struct quarry_labels *labels;
	char number[12];
	unsigned int i;

	if (!set)
		return NULL;
	set->key = *key;
	labels = &set->labels;
	snprintf(number, sizeof(number), "%d", key->node);
	label_add(labels, own_keys[LABEL_NODE], number);
	label_add(labels, own_keys[LABEL_CONTEXT], context_names[key->context]);
	if (key->context == IN_TASK)
		label_add(labels, own_keys[LABEL_COMM], key->comm);
	for (i = 0; i < key->nr_user; i++)
		label_add(labels, user[i]->key, user[i]->value);
	return set;
}

/* Adds a set, unless another CPU has added the same one meanwhile.  Returns its number or 0. */
static noinline u32 add(const union set_key *key, const struct quarry_label_scope *const *user,
			gfp_t gfp)
{
	struct hlist_head *list = hash_list(key);
	struct label_set *new;
	unsigned long flags;
	u32 id;

	if (READ_ONCE(nr_sets) == QR_LABEL_SETS)
		return 0;
	new = describe(key, user, gfp);
	if (!new)
		return 0;
	raw_spin_lock_irqsave(&sets_lock, flags);
	id = find(key, list, user);
	if (!id && nr_sets < QR_LABEL_SETS) {
		sets[nr_sets] = new;
		id = nr_sets + 1;
		new->labels.id = id;
		/* Pairs with the acquire in qr_labels_get(), which takes no lock. */
		smp_store_release(&nr_sets, id);
		hlist_add_head_rcu(&new->link, list);
		new = NULL;
	}
	raw_spin_unlock_irqrestore(&sets_lock, flags);
	qr_profile_memory_free(new, sizeof(*new));
	return id;
}

/* qr_labels_now() for a task that may have scopes. */
static noinline u32 labels_with_users(union set_key *key, gfp_t gfp)
{
	const struct quarry_label_scope *user[LABELS_USER];

	key->nr_user = user_labels(user);
	key->user = hash_users(user, key->nr_user);
	return find(key, hash_list(key), user) ?: add(key, user, gfp);
}

u32 qr_labels_now(int node, gfp_t gfp)
{
	union set_key key = { .node = node };
	const struct label_set *last;

	if (likely(in_task())) {
		/* It is padded with zeros.  Another task may be changing it. */
		memcpy(key.comm, current->comm, sizeof(key.comm));
		key.comm[sizeof(key.comm) - 1] = 0;
		if (unlikely(atomic_read(&nr_scopes)))
			return labels_with_users(&key, gfp);
	} else {
		key.context = in_nmi() ? IN_NMI : in_hardirq() ? IN_HARDIRQ : IN_SOFTIRQ;
	}
	/*
	 * Any CPU's recent set will do.  It cannot be a set with scopes by mistake, because
	 * the key of such a set has a nr_user.
	 */
	last = raw_cpu_read(recent);
	if (likely(last) && likely(same_key(&last->key, &key)))
		return last->labels.id;
	return find(&key, hash_list(&key), NULL) ?: add(&key, NULL, gfp);
}

const struct quarry_labels *qr_labels_get(u32 id)
{
	if (!id)
		return &other;
	/* Pairs with the release in add(): below nr_sets the set is complete. */
	return id <= smp_load_acquire(&nr_sets) ? &sets[id - 1]->labels : NULL;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_labels_get);

unsigned int qr_label_sets(void)
{
	return READ_ONCE(nr_sets);
}

int qr_labels_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		raw_spin_lock_init(&tasks[i].lock);
	return 0;
}

void qr_labels_exit(void)
{
	while (nr_sets)
		qr_profile_memory_free(sets[--nr_sets], sizeof(struct label_set));
}
