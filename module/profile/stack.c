// SPDX-License-Identifier: GPL-2.0
/*
 * Unwinding a kernel stack costs 4,000 to 14,000 instructions, many times the rest
 * of a sample, and mostly finds a stack that this CPU has found before.  So each CPU
 * remembers a few stacks (memos).  A memo holds the words in memory that the
 * unwinder must have read: every word from the frame of qr_stack_save() to the end
 * of the task's stack that holds one of the return addresses.  If all of these words
 * are unchanged, the unwinder would find the same stack again: the size of a frame
 * follows from the address of its code, so each step finds the next return address
 * at the same distance as before.  Words that hold a copy of a return address by
 * chance are compared too; a change of those only makes a known stack look new.
 *
 * One function has a frame of variable size: the outermost one, which handles a
 * system call and puts a random gap into the stack.  Its return address is compared
 * at a distance from the end of the stack.  Only the entry code calls this function,
 * so the gap cannot hide another caller.
 *
 * Two kinds of stacks get no memo: those with a return address that is not in
 * memory (function graph tracing replaces return addresses), and those of
 * interrupts, which are short.
 */
#include "profile/stack.h"

#include <linux/compiler.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched/task_stack.h>
#include <linux/sizes.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <quarry/profile.h>
#include "compat.h"
#include "core/metadata.h"
#include "profile/stack_later.h"

#define MEMO_BITS  3 /* sets, as a power of two */
#define MEMO_WAYS  4 /* memos in each set: the callers of a helper share a set */
#define MEMO_WORDS 44
#define MEMO_GROUP 4 /* words compared at a time */
#define MEMO_OUTER 4

static_assert(MEMO_WORDS % MEMO_GROUP == 0);

/**
 * struct memo - a stack that was unwound
 * @ip: argument of qr_stack_save(); 0 if the memo is empty
 * @generation: value of the variable generation when the stack was unwound
 * @stack: the depot's handle of the stack
 * @nr: words to compare; the last one is repeated to fill a group
 * @nr_outer: copies of the outermost return address
 * @at: where the words are: bytes above the frame of qr_stack_save()
 * @outer_at: where the copies are: bytes below the end of the stack
 * @word: the values of the words
 * @outer: the outermost return address
 */
struct memo {
	unsigned long ip;
	u32 generation;
	u32 stack;
	u32 nr;
	u32 nr_outer;
	u16 at[MEMO_WORDS];
	u16 outer_at[MEMO_OUTER];
	unsigned long word[MEMO_WORDS];
	unsigned long outer;
};

struct memo_set {
	struct memo memo[MEMO_WAYS];
	u32 last; /* the memo that was found last, and is looked at first */
};

struct memos {
	struct memo_set set[1 << MEMO_BITS];
	unsigned int turn;
};

static struct memos __percpu *memos;

/* Counts changes of modules.  After one, an address may belong to different code. */
static u32 generation;

static __always_inline unsigned long stack_end(void)
{
	return (unsigned long)task_stack_page(current) + THREAD_SIZE;
}

/* Reads a word of another function's frame, without KASAN's check. */
static __always_inline unsigned long peek(unsigned long addr)
{
	return READ_ONCE_NOCHECK(*(unsigned long *)addr);
}

/* The depth is in the hash: in a recursion the same caller is at several depths. */
static __always_inline struct memo_set *memo_set(unsigned long ip, unsigned long depth)
{
	return this_cpu_ptr(memos)->set + hash_long(ip + depth / SZ_2K, MEMO_BITS);
}

static __always_inline bool same_words(const struct memo *m, unsigned long frame, unsigned long end)
{
	const unsigned long *word = m->word;
	const u16 *at = m->at, *last = at + m->nr;
	u32 i;

	/* The last word is at the highest address. */
	if (frame + last[-1] >= end)
		return false;
	for (; at != last; at += MEMO_GROUP, word += MEMO_GROUP)
		if ((peek(frame + at[0]) ^ word[0]) | (peek(frame + at[1]) ^ word[1]) |
		    (peek(frame + at[2]) ^ word[2]) | (peek(frame + at[3]) ^ word[3]))
			return false;
	for (i = 0; i < m->nr_outer; i++)
		if (end - m->outer_at[i] < frame || peek(end - m->outer_at[i]) != m->outer)
			return false;
	return true;
}

static __always_inline bool is_known(const struct memo *m, unsigned long ip, unsigned long frame,
				     unsigned long end)
{
	return m->ip == ip && m->generation == READ_ONCE(generation) && same_words(m, frame, end);
}

static noinline const struct memo *memo_search(struct memo_set *set, unsigned long ip,
					       unsigned long frame, unsigned long end)
{
	u32 i;

	for (i = 0; i < MEMO_WAYS; i++) {
		if (is_known(&set->memo[i], ip, frame, end)) {
			set->last = i;
			return &set->memo[i];
		}
	}
	return NULL;
}

static __always_inline u32 memo_find(unsigned long ip, unsigned long frame, unsigned long end)
{
	const struct memo *m;
	struct memo_set *set;
	u32 stack;

	preempt_disable();
	set = memo_set(ip, end - frame);
	m = &set->memo[set->last];
	if (unlikely(!is_known(m, ip, frame, end)))
		m = memo_search(set, ip, frame, end);
	stack = m ? m->stack : 0;
	preempt_enable();
	return stack;
}

static bool find_all(unsigned long word, const unsigned long *entries, unsigned int nr,
		     unsigned long *found)
{
	bool hit = false;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (entries[i] != word)
			continue;
		__set_bit(i, found);
		hit = true;
	}
	return hit;
}

/*
 * Notes all words that hold one of @entries.  Returns false if there are too many, or if
 * one of @entries is in no word.
 */
static bool note_words(struct memo *m, unsigned long frame, unsigned long end,
		       const unsigned long *entries, unsigned int nr)
{
	unsigned long low = ULONG_MAX, high = 0, addr;
	DECLARE_BITMAP(found, QUARRY_STACK_MAX) = { 0 };
	unsigned int i, next = 0;

	m->nr = 0;
	m->nr_outer = 0;
	m->outer = entries[nr - 1];
	for (i = 0; i < nr; i++) {
		low = min(low, entries[i]);
		high = max(high, entries[i]);
	}
	for (addr = frame; addr < end; addr += sizeof(long)) {
		unsigned long word = peek(addr);

		if (word - low > high - low)
			continue;
		/* Return addresses mostly come in order; other words may be any of them. */
		if (next < nr && entries[next] == word)
			__set_bit(next++, found);
		else if (!find_all(word, entries, nr, found))
			continue;
		if (word == m->outer) {
			if (m->nr_outer == MEMO_OUTER)
				return false;
			m->outer_at[m->nr_outer++] = end - addr;
			continue;
		}
		if (m->nr == MEMO_WORDS)
			return false;
		m->at[m->nr] = addr - frame;
		m->word[m->nr++] = word;
	}
	for (; m->nr && m->nr % MEMO_GROUP; m->nr++) {
		m->at[m->nr] = m->at[m->nr - 1];
		m->word[m->nr] = m->word[m->nr - 1];
	}
	return m->nr && bitmap_weight(found, QUARRY_STACK_MAX) == nr;
}

static noinline void memo_put(unsigned long ip, unsigned long frame, unsigned long end, u32 stack,
			      const unsigned long *entries, unsigned int nr, u32 gen)
{
	struct memo *m;
	unsigned int i;

	for (i = 0; i < nr - 1; i++)
		if (entries[i] == entries[nr - 1])
			return;
	preempt_disable();
	m = &memo_set(ip, end - frame)->memo[this_cpu_ptr(memos)->turn++ % MEMO_WAYS];
	m->ip = 0;
	if (note_words(m, frame, end, entries, nr)) {
		m->generation = gen;
		m->stack = stack;
		m->ip = ip;
	}
	preempt_enable();
}

static bool is_own(unsigned long addr)
{
	return within_module(addr, THIS_MODULE);
}

/*
 * Cuts a stack behind handle_softirqs().  Softirqs may run when a task enables them
 * again.  filter_irq_stacks() then looks for __do_softirq(), but in newer kernels
 * __do_softirq() ends with a tail call, so it is in no stack.
 */
static noinline unsigned int filter_softirq(const unsigned long *entries, unsigned int nr)
{
	static unsigned long known;
	char name[KSYM_SYMBOL_LEN];
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (entries[i] == READ_ONCE(known))
			return i + 1;
	for (i = 0; i < nr; i++) {
		sprint_symbol_no_offset(name, entries[i] - 1);
		if (!strcmp(name, "handle_softirqs")) {
			WRITE_ONCE(known, entries[i]);
			return i + 1;
		}
	}
	return nr;
}

/* Cuts off the frames of the interrupted code.  Returns how many frames are left. */
static unsigned int filter_task(unsigned long *entries, unsigned int nr)
{
	unsigned int n = filter_irq_stacks(entries, nr);

	return n == nr && in_serving_softirq() ? filter_softirq(entries, nr) : n;
}

/* Where a stack begins; what @ip is depends on it. */
enum begin {
	BEHIND_OWN,	 /* behind the frames of Quarry; @ip only speeds up the search */
	WITH_CALLER,	 /* with the frame of the return address @ip */
	BEHIND_FUNCTION, /* behind the frame of the function that begins at @ip */
};

/* The function is shorter, and the frames nearer to the leaf are not of its neighbours. */
#define LONGEST_FUNCTION SZ_8K

/* How many frames at the leaf are left out. */
static unsigned int first_shown(const unsigned long *entries, unsigned int nr, unsigned long ip,
				enum begin begin)
{
	unsigned int own = 0, i;

	while (own < nr && is_own(entries[own]))
		own++;
	for (i = own; begin == WITH_CALLER && i < nr; i++)
		if (entries[i] == ip)
			return i;
	for (i = own; begin == BEHIND_FUNCTION && i < nr; i++)
		if (entries[i] - ip < LONGEST_FUNCTION)
			return i + 1;
	return own;
}

static noinline u32 unwind(unsigned long ip, gfp_t gfp, enum qr_stack_add add, enum begin begin,
			   unsigned long frame, unsigned long end, bool remember)
{
	unsigned long entries[QUARRY_STACK_MAX];
	unsigned int nr, own, depth;
	u32 stack, gen = READ_ONCE(generation);

	/* Skip this function and the one that called it: the stack begins with its caller. */
	nr = stack_trace_save(entries, ARRAY_SIZE(entries), 2);
	depth = in_task() ? nr : filter_task(entries, nr);
	own = first_shown(entries, depth, ip, begin);
	if (own == depth)
		return 0;
	stack = qr_compat_depot_save(entries + own, depth - own, gfp, add == QR_STACK_ADD);
	if (!stack && add == QR_STACK_ADD_LATER)
		qr_stack_later(entries + own, depth - own);
	if (stack && remember && nr < QUARRY_STACK_MAX)
		memo_put(ip, frame, end, stack, entries, nr, gen);
	return stack;
}

/* @frame is the frame of the caller, which is not inlined. */
static __always_inline u32 save(unsigned long ip, gfp_t gfp, enum qr_stack_add add,
				enum begin begin, unsigned long frame)
{
	unsigned long end = stack_end();
	bool remember = in_task() && end - frame <= THREAD_SIZE;
	u32 stack = 0;

	gfp = qr_gfp_modest(gfp);
	if (remember)
		stack = memo_find(ip, frame, end);
	if (!stack)
		stack = unwind(ip, gfp, add, begin, frame, end, remember);
	barrier(); /* no tail call: the frame of the caller must exist meanwhile */
	return stack;
}

noinline u32 qr_stack_save(unsigned long ip, gfp_t gfp, enum qr_stack_add add)
{
	return save(ip, gfp, add, BEHIND_OWN, (unsigned long)__builtin_frame_address(0));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_stack_save);

noinline u32 qr_stack_save_from(unsigned long ip, gfp_t gfp, enum qr_stack_add add)
{
	return save(ip, gfp, add, WITH_CALLER, (unsigned long)__builtin_frame_address(0));
}

noinline u32 qr_stack_save_behind(unsigned long function, gfp_t gfp, enum qr_stack_add add)
{
	return save(function, gfp, add, BEHIND_FUNCTION, (unsigned long)__builtin_frame_address(0));
}

unsigned int qr_stack_frames(u32 stack, unsigned long **entries)
{
	*entries = NULL;
	return stack ? stack_depot_fetch(stack, entries) : 0;
}

void qr_stacks_forget(void)
{
	WRITE_ONCE(generation, generation + 1);
}

int qr_stacks_init(void)
{
	int err = stack_depot_init();

	if (err)
		return err;
	memos = qr_meta_percpu(sizeof(struct memos), SMP_CACHE_BYTES);
	return memos ? 0 : -ENOMEM;
}

void qr_stacks_exit(void)
{
	qr_stack_later_exit();
	qr_meta_percpu_free(memos, sizeof(struct memos));
}
