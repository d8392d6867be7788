// SPDX-License-Identifier: GPL-2.0
/*
 * Label sets are few and looked up often, so they are in a hash table by their contents, and
 * looked up without a lock.  A set's memory is never freed, but used again for another set.
 * A reader may meet a set while it changes: it reads the set's number before and after it
 * compares the contents, and the number is 0 meanwhile and another one afterwards.
 */
#include "profile/label.h"

#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/numa.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "compat.h"
#include "core/clean_name.h"
#include "profile/label_scope.h"
#include "profile/profile_memory.h"

enum { LABEL_NODE, LABEL_CONTEXT, LABEL_COMM, LABEL_CGROUP };

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
		u32 user; /* hash of the labels of the task's scopes */
		u64 cgroup;
	};
	u64 word[KEY_WORDS];
};

static_assert(sizeof(union set_key) == KEY_WORDS * sizeof(u64));
static_assert(MAX_NUMNODES - 1 <= S16_MAX);

/* Stand for the name and the cgroup of a task when there is no room for a set with them. */
#define OTHER_COMM   "(other)"
#define OTHER_CGROUP U64_MAX

/* Sets with a task's name or cgroup, and all others.  Each kind has half of the room. */
enum kind { NAMED, PLAIN, KINDS };
#define KIND_SETS (QUARRY_LABEL_SETS / KINDS)

/* A set's number is its index and 1 in the lower bits; the upper ones count sets of that index. */
#define INDEX_BITS 11
#define INDEX_MASK ((1U << INDEX_BITS) - 1)

static_assert(QUARRY_LABEL_SETS <= INDEX_MASK);

/**
 * struct label_set - a set
 * @link: in the hash table
 * @idle: in the list of sets of its kind that nobody holds
 * @holders: rows and copies of the table that have the set
 * @key: what identifies it
 * @labels: its labels and its number
 */
struct label_set {
	struct hlist_node link;
	struct list_head idle;
	unsigned int holders;
	union set_key key;
	struct quarry_labels labels;
};

#define HASH_BITS 8

/* Protects what follows, but for lookups.  Under a table's lock, or alone. */
static DEFINE_RAW_SPINLOCK(sets_lock);
static struct hlist_head sets_by_key[1 << HASH_BITS];
static struct label_set *sets[QUARRY_LABEL_SETS];
static unsigned int nr_sets;
static LIST_HEAD(spares); /* sets without a number, by qr_labels_reserve() */
static unsigned int nr_spares;
static const struct quarry_labels other = { .n = 1, .key[0] = "labels", .value[0] = "other" };

static struct {
	unsigned int nr;
	struct list_head idle; /* the one that has been idle for longest is the first */
} kinds[KINDS] = {
	[NAMED].idle = LIST_HEAD_INIT(kinds[NAMED].idle),
	[PLAIN].idle = LIST_HEAD_INIT(kinds[PLAIN].idle),
};

/* The table is being copied: no set may make room. */
static bool copying;

static enum kind kind_of(const union set_key *key)
{
	bool named = strcmp(key->comm, OTHER_COMM) || (key->cgroup && key->cgroup != OTHER_CGROUP);

	return key->context == IN_TASK && named ? NAMED : PLAIN;
}

static const char *value_of(const struct quarry_labels *labels, const char *key)
{
	unsigned int i;

	for (i = 0; i < labels->n; i++)
		if (!strcmp(labels->key[i], key))
			return labels->value[i];
	return "";
}

static bool same_users(const struct quarry_labels *labels, const struct qr_label *const *user,
		       unsigned int n)
{
	while (n--)
		if (strcmp(value_of(labels, user[n]->key), user[n]->value))
			return false;
	return true;
}

/* --- Lookup --- */

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

static __always_inline bool has_key(const struct label_set *set, const union set_key *key)
{
	const u64 *word = set->key.word;

	return !((READ_ONCE(word[0]) ^ key->word[0]) | (READ_ONCE(word[1]) ^ key->word[1]) |
		 (READ_ONCE(word[2]) ^ key->word[2]) | (READ_ONCE(word[3]) ^ key->word[3]));
}

/* The number of @set if it is the set of @key, otherwise 0. */
static __always_inline u32 match(const struct label_set *set, const union set_key *key,
				 const struct qr_label *const *user)
{
	/* Pairs with the release in change(): with this number the set has these contents ... */
	u32 id = smp_load_acquire(&set->labels.id);

	if (!id || !has_key(set, key) ||
	    (unlikely(key->nr_user) && !same_users(&set->labels, user, key->nr_user)))
		return 0;
	/* ... unless the number has changed; pairs with smp_wmb() in change(). */
	smp_rmb();
	return likely(READ_ONCE(set->labels.id) == id) ? id : 0;
}

/*
 * The number of the set, or 0.  Needs no lock.  A set may move to another list meanwhile, and
 * take the search along; then a set that exists is missed, and add() finds it under the lock.
 */
static __always_inline u32 find(const union set_key *key, const struct qr_label *const *user)
{
	struct label_set *set;
	u32 id;

	hlist_for_each_entry_rcu(set, hash_list(key), link, true) {
		id = match(set, key, user);
		if (id) {
			raw_cpu_write(recent, set);
			return id;
		}
	}
	return 0;
}

/* --- New sets --- */

static void label_add(struct quarry_labels *labels, const char *key, const char *value)
{
	strscpy(labels->key[labels->n], key, QUARRY_LABEL_KEY);
	strscpy(labels->value[labels->n], value, QUARRY_LABEL_VALUE);
	labels->n++;
}

static void describe(struct quarry_labels *labels, const union set_key *key,
		     const struct qr_label *const *user)
{
	char number[24], comm[TASK_COMM_LEN];
	unsigned int i;

	labels->n = 0;
	snprintf(number, sizeof(number), "%d", key->node);
	label_add(labels, qr_labels_own_key[LABEL_NODE], number);
	label_add(labels, qr_labels_own_key[LABEL_CONTEXT], context_names[key->context]);
	if (key->context == IN_TASK) {
		qr_clean_name(comm, key->comm, sizeof(comm));
		label_add(labels, qr_labels_own_key[LABEL_COMM], comm);
	}
	if (key->cgroup) {
		snprintf(number, sizeof(number), "%llu", key->cgroup);
		label_add(labels, qr_labels_own_key[LABEL_CGROUP],
			  key->cgroup == OTHER_CGROUP ? OTHER_COMM : number);
	}
	for (i = 0; i < key->nr_user; i++)
		label_add(labels, user[i]->key, user[i]->value);
}

/* Makes @set, which is in no list, the set of @key.  Returns its new number. */
static u32 change(struct label_set *set, unsigned int index, u32 count, const union set_key *key,
		  const struct qr_label *const *user)
{
	u32 id = count << INDEX_BITS | (index + 1);
	unsigned int i;

	WRITE_ONCE(set->labels.id, 0);
	smp_wmb(); /* pairs with smp_rmb() in match() */
	for (i = 0; i < KEY_WORDS; i++)
		WRITE_ONCE(set->key.word[i], key->word[i]);
	describe(&set->labels, key, user);
	/* Pairs with the acquire in match() and in qr_labels_get(). */
	smp_store_release(&set->labels.id, id);
	hlist_add_head_rcu(&set->link, hash_list(key));
	list_add_tail(&set->idle, &kinds[kind_of(key)].idle);
	return id;
}

/* Uses the set again that has been idle for longest.  Returns the new number, or 0. */
static u32 use_again(const union set_key *key, const struct qr_label *const *user)
{
	struct label_set *set;
	u32 id;

	set = list_first_entry_or_null(&kinds[kind_of(key)].idle, struct label_set, idle);
	if (!set || copying)
		return 0;
	id = set->labels.id;
	list_del(&set->idle);
	hlist_del_rcu(&set->link);
	return change(set, (id & INDEX_MASK) - 1, (id >> INDEX_BITS) + 1, key, user);
}

/* Under sets_lock. */
static struct label_set *take_spare(void)
{
	struct label_set *set = list_first_entry_or_null(&spares, struct label_set, idle);

	if (set) {
		list_del(&set->idle);
		WRITE_ONCE(nr_spares, nr_spares - 1);
	}
	return set;
}

int qr_labels_reserve(void)
{
	struct label_set *set;
	unsigned long flags;
	bool enough;

	do {
		set = qr_profile_memory_alloc(sizeof(*set), GFP_KERNEL);
		if (!set)
			return -ENOMEM;
		raw_spin_lock_irqsave(&sets_lock, flags);
		enough = nr_sets + nr_spares >= QUARRY_LABEL_SETS;
		if (!enough) {
			list_add(&set->idle, &spares);
			WRITE_ONCE(nr_spares, nr_spares + 1);
		}
		raw_spin_unlock_irqrestore(&sets_lock, flags);
	} while (!enough);
	qr_profile_memory_free(set, sizeof(*set));
	return 0;
}

/* Adds a set, unless another CPU has added the same one meanwhile.  Returns its number or 0. */
static noinline u32 add(const union set_key *key, const struct qr_label *const *user, gfp_t gfp)
{
	enum kind kind = kind_of(key);
	struct label_set *fresh = NULL;
	unsigned long flags;
	u32 id;

	if (READ_ONCE(kinds[kind].nr) < KIND_SETS) {
		if (!READ_ONCE(nr_spares))
			fresh = qr_profile_memory_alloc(sizeof(*fresh), gfp);
	} else if (list_empty_careful(&kinds[kind].idle)) {
		return 0;
	}
	raw_spin_lock_irqsave(&sets_lock, flags);
	id = find(key, user);
	if (!id && !fresh && kinds[kind].nr < KIND_SETS)
		fresh = take_spare();
	if (!id && fresh && kinds[kind].nr < KIND_SETS) {
		kinds[kind].nr++;
		id = change(fresh, nr_sets, 0, key, user);
		/* Pairs with the acquire in set_of(), which may be called without the lock. */
		smp_store_release(&sets[nr_sets], fresh);
		WRITE_ONCE(nr_sets, nr_sets + 1);
		fresh = NULL;
	} else if (!id) {
		id = use_again(key, user);
	}
	raw_spin_unlock_irqrestore(&sets_lock, flags);
	qr_profile_memory_free(fresh, sizeof(*fresh));
	return id;
}

/* A set that is like @key, or, if there is no room, one without the task's name and cgroup. */
static noinline u32 add_or_share(union set_key *key, const struct qr_label *const *user, gfp_t gfp)
{
	u32 id = add(key, user, gfp);

	if (id || kind_of(key) != NAMED)
		return id;
	strscpy_pad(key->comm, OTHER_COMM, sizeof(key->comm));
	if (key->cgroup)
		key->cgroup = OTHER_CGROUP;
	return find(key, user) ?: add(key, user, gfp);
}

/* qr_labels_now() for a task that may have scopes. */
static noinline u32 labels_with_users(union set_key *key, gfp_t gfp)
{
	const struct qr_label *user[QR_LABELS_USER];

	key->nr_user = qr_labels_of_task(user);
	key->user = qr_labels_hash(user, key->nr_user);
	return find(key, user) ?: add_or_share(key, user, gfp);
}

u32 qr_labels_now(int node, u64 cgroup, gfp_t gfp)
{
	union set_key key = { .node = node };
	const struct label_set *last;
	u32 id;

	if (likely(in_task())) {
		/* It is padded with zeros.  Another task may be changing it. */
		memcpy(key.comm, current->comm, sizeof(key.comm));
		key.comm[sizeof(key.comm) - 1] = 0;
		key.cgroup = cgroup;
		if (unlikely(atomic_read(&qr_label_scopes)))
			return labels_with_users(&key, gfp);
	} else {
		key.context = in_nmi() ? IN_NMI : in_hardirq() ? IN_HARDIRQ : IN_SOFTIRQ;
	}
	/*
	 * Any CPU's recent set will do.  It cannot be a set with scopes by mistake, because
	 * the key of such a set has a nr_user.
	 */
	last = raw_cpu_read(recent);
	id = likely(last) ? match(last, &key, NULL) : 0;
	return likely(id) ? id : find(&key, NULL) ?: add_or_share(&key, NULL, gfp);
}

/* --- Holders --- */

static struct label_set *set_of(u32 id)
{
	u32 index = (id & INDEX_MASK) - 1;
	struct label_set *set;

	if (index >= QUARRY_LABEL_SETS)
		return NULL;
	/* Pairs with the release in add(). */
	set = smp_load_acquire(&sets[index]);
	return set && READ_ONCE(set->labels.id) == id ? set : NULL;
}

/* Under sets_lock. */
static void hold(struct label_set *set)
{
	if (!set->holders++)
		list_del(&set->idle);
}

bool qr_labels_hold(u32 id)
{
	struct label_set *set;
	unsigned long flags;

	if (!id)
		return true;
	raw_spin_lock_irqsave(&sets_lock, flags);
	set = set_of(id);
	if (set)
		hold(set);
	raw_spin_unlock_irqrestore(&sets_lock, flags);
	return set;
}

/* Under sets_lock. */
static void drop(struct label_set *set)
{
	if (!--set->holders)
		list_add_tail(&set->idle, &kinds[kind_of(&set->key)].idle);
}

void qr_labels_drop(u32 id)
{
	unsigned long flags;

	if (!id)
		return;
	raw_spin_lock_irqsave(&sets_lock, flags);
	drop(set_of(id));
	raw_spin_unlock_irqrestore(&sets_lock, flags);
}

static void set_copying(bool now)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&sets_lock, flags);
	copying = now;
	raw_spin_unlock_irqrestore(&sets_lock, flags);
}

void qr_labels_copy_begin(void)
{
	set_copying(true);
}

void qr_labels_note(unsigned long *held, u32 id)
{
	if (id)
		__set_bit((id & INDEX_MASK) - 1, held);
}

/* Call @fn with each of the sets, and the lock held. */
static void each_set(const unsigned long *held, void (*fn)(struct label_set *set))
{
	unsigned long flags;
	unsigned int i;

	for_each_set_bit(i, held, QUARRY_LABEL_SETS) {
		raw_spin_lock_irqsave(&sets_lock, flags);
		fn(sets[i]);
		raw_spin_unlock_irqrestore(&sets_lock, flags);
	}
}

void qr_labels_hold_sets(const unsigned long *held)
{
	each_set(held, hold);
}

void qr_labels_copy_end(const unsigned long *held)
{
	qr_labels_hold_sets(held);
	set_copying(false);
}

void qr_labels_release(unsigned long *held)
{
	each_set(held, drop);
	bitmap_zero(held, QUARRY_LABEL_SETS);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_labels_release);

const struct quarry_labels *qr_labels_get(u32 id)
{
	const struct label_set *set;

	if (!id)
		return &other;
	set = set_of(id);
	return set ? &set->labels : NULL;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_labels_get);

unsigned int qr_label_sets(void)
{
	return READ_ONCE(nr_sets);
}

void qr_labels_exit(void)
{
	struct label_set *set;

	while ((set = take_spare()))
		qr_profile_memory_free(set, sizeof(*set));
	while (nr_sets)
		qr_profile_memory_free(sets[--nr_sets], sizeof(struct label_set));
}
