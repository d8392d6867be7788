// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that has no memory left may not live long enough for anybody to read a file.  So the
 * log names the largest sites at once; the kernel calls its OOM notifiers before it kills a process
 * or, with the sysctl panic_on_oom, panics.
 *
 * The notifier runs in an allocation that has failed, with the locks of whoever asks.  It gets no
 * memory, and waits for no mutex.  A request that is refused because of a hard limit may have been
 * made in any context, while the machine as such is well: a work item does the rest.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "report/oom_report.h"

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include "core/clean_name.h"
#include "core/limit.h"
#include "core/metadata.h"
#include "core/work_queue.h"
#include "kernel/oom_snapshot.h"
#include "profile/kept_profile.h"
#include "profile/label.h"
#include "report/profile_report.h"
#include "report/site_text.h"
#include "report/text_buffer.h"

#define SITES	    10		 /* lines of the log */
#define FRAMES	    3		 /* in each of them */
#define OOM_NS	    NSEC_PER_SEC /* between two snapshots */
#define REFUSALS_NS (10 * NSEC_PER_SEC)

/**
 * struct found - a site that the log names
 * @heap: its heap
 * @site: its row, with the rows of the same place
 */
struct found {
	enum quarry_domain heap;
	struct quarry_site site;
};

/**
 * struct scratch - memory of the report
 * @site: the rows of one heap
 * @found: the largest sites of all heaps so far, the largest first
 * @nr: how many these are
 * @text: for the stack of a site
 */
struct scratch {
	struct quarry_site site[QR_LARGEST];
	struct found found[SITES];
	unsigned int nr;
	struct qr_site_text text;
};

/* Under the lock of snapshots.  Without it there are none. */
static struct scratch *scratch;

/* --- The log --- */

static void add_found(struct scratch *s, enum quarry_domain heap, const struct quarry_site *site)
{
	unsigned int i = min_t(unsigned int, s->nr, SITES - 1);

	if (s->nr == SITES && s->found[i].site.inuse.space >= site->inuse.space)
		return;
	for (; i && s->found[i - 1].site.inuse.space < site->inuse.space; i--)
		s->found[i] = s->found[i - 1];
	s->found[i] = (struct found){ .heap = heap, .site = *site };
	s->nr = min_t(unsigned int, s->nr + 1, SITES);
}

/*
 * Are the row's pages for an allocator whose heap is in the snapshot, too?  It knows better who
 * holds them.  Such rows have the heap's name in place of a cache's.
 */
static bool is_of_another(const struct quarry_oom *oom, enum quarry_domain heap,
			  const struct quarry_site *site)
{
	enum quarry_domain i;

	for (i = 0; i < QUARRY_DOMAINS; i++)
		if (i != heap && (oom->heaps & BIT(i)) &&
		    !strcmp(site->cache_name, qr_domain_name(i)))
			return true;
	return false;
}

/* Row 0 sums what is not known by its place. */
static void find_in(struct scratch *s, const struct quarry_oom *oom, enum quarry_domain heap,
		    const struct quarry_profile *p)
{
	u32 i, n = 0;

	for (i = 1; i < p->nr; i++)
		if (heap != QUARRY_DOMAIN_PAGES || !is_of_another(oom, heap, &p->site[i]))
			s->site[n++] = p->site[i];
	n = qr_sites_merge(s->site, n);
	for (i = 0; i < min_t(u32, n, SITES); i++)
		add_found(s, heap, &s->site[i]);
}

/* What each heap holds: "slab 1048576 +/- 2048 bytes, pages ..." */
static void heaps_text(char *text, size_t size, const struct qr_oom_slot *slot)
{
	const struct quarry_oom *oom = &slot->oom;
	enum quarry_domain i;
	int at = 0;

	*text = '\0';
	for (i = 0; i < QUARRY_DOMAINS; i++) {
		const char *link = at ? ", " : "";

		if (oom->heaps & BIT(i))
			at += scnprintf(text + at, size - at, "%s%s %llu +/- %llu bytes", link,
					qr_domain_name(i), oom->bytes[i], qr_error(slot->var[i]));
		else if (oom->busy & BIT(i))
			at += scnprintf(text + at, size - at, "%s%s is busy", link,
					qr_domain_name(i));
	}
}

/*
 * Quiet consoles, such as Debian's, show errors and nothing less.  Only what kills is an error; a
 * limit is there to be reached.
 */
#define say(is_error, fmt, ...)                                                                    \
	do {                                                                                       \
		if (is_error)                                                                      \
			pr_err(fmt, ##__VA_ARGS__);                                                \
		else                                                                               \
			pr_warn(fmt, ##__VA_ARGS__);                                               \
	} while (0)

/* Under the lock of snapshots. */
static void report(unsigned int slot, bool is_error)
{
	const struct qr_oom_slot *s = qr_oom_slot(slot);
	enum quarry_domain heap;
	const struct qr_kept *k;
	unsigned int i;

	scratch->nr = 0;
	for (heap = 0; heap < QUARRY_DOMAINS; heap++) {
		k = qr_oom_kept(slot, heap);
		if (k)
			find_in(scratch, &s->oom, heap, &k->p);
	}
	heaps_text(scratch->text.text, sizeof(scratch->text.text), s);
	say(is_error, "%s: snapshot %llu is in kernel/oom/%u: %s\n", s->oom.why, s->oom.number,
	    slot, scratch->text.text);
	for (i = 0; i < scratch->nr; i++) {
		const struct found *f = &scratch->found[i];

		say(is_error,
		    "largest: %s: %llu +/- %llu bytes in %llu objects of %s, allocated in %s\n",
		    qr_domain_name(f->heap), f->site.inuse.space, qr_error(f->site.inuse.var_space),
		    qr_whole_objects(f->site.inuse.objects), f->site.cache_name,
		    qr_site_text(&scratch->text, &f->site, FRAMES));
	}
}

/* --- The kernel's memory comes to an end --- */

/* Under the lock of snapshots. */
static int take_for_oom(void)
{
	static u64 last;
	char why[QUARRY_OOM_WHY], comm[TASK_COMM_LEN];
	u64 now = ktime_get_mono_fast_ns();
	int slot;

	if (last && now - last < OOM_NS)
		return -EAGAIN;
	qr_clean_name(comm, current->comm, sizeof(comm));
	snprintf(why, sizeof(why), "out of memory in %s[%d]", comm, task_pid_nr(current));
	slot = qr_oom_take(why, false, NULL, false);
	if (slot < 0)
		return slot;
	last = now;
	report(slot, true);
	return 0;
}

static int on_oom(struct notifier_block *nb, unsigned long unused, void *freed)
{
	int err = -EBUSY;

	if (qr_oom_lock(false)) {
		err = take_for_oom();
		qr_oom_unlock();
	}
	if (err == -EBUSY)
		pr_err_ratelimited(
			"out of memory: no snapshot, because a profile is just being read\n");
	if (err)
		qr_oom_skipped();
	return NOTIFY_DONE;
}

static struct notifier_block oom_notifier = { .notifier_call = on_oom };

/* --- A request is refused because of a hard limit --- */

/**
 * struct refusal - a refusal for which there will be a snapshot
 * @pending: the work item has it, and others are skipped
 * @next: until then, monotonic clock, no other refusal has a snapshot
 * @own: the limit is that of a cache, not that of the module
 * @name: the cache's name
 * @why: what happened
 */
struct refusal {
	atomic_t pending;
	u64 next;
	bool own;
	char name[QUARRY_NAME_LEN];
	char why[QUARRY_OOM_WHY];
};

static struct refusal refusal;

static void take_for_refusal(struct work_struct *unused)
{
	int slot;

	qr_oom_lock(true);
	slot = qr_oom_take(refusal.why, true, refusal.own ? refusal.name : NULL, true);
	if (slot >= 0)
		report(slot, false);
	qr_oom_unlock();
	WRITE_ONCE(refusal.next, ktime_get_mono_fast_ns() + REFUSALS_NS);
	/* Pairs with the acquire in on_refusal(). */
	atomic_set_release(&refusal.pending, 0);
}

static DECLARE_WORK(refusal_work, take_for_refusal);

static void on_refusal(const char *what, const char *name, bool own)
{
	if (in_nmi() || ktime_get_mono_fast_ns() < READ_ONCE(refusal.next) ||
	    atomic_cmpxchg_acquire(&refusal.pending, 0, 1)) {
		qr_oom_skipped();
		return;
	}
	refusal.own = own;
	strscpy(refusal.name, name, sizeof(refusal.name));
	snprintf(refusal.why, sizeof(refusal.why), "hard limit of %s%s %s",
		 own ? "" : "Quarry, reached by ", what, name);
	queue_work(qr_work_queue, &refusal_work);
}

/* --- Observers --- */

void qr_oom_read(unsigned int slot, struct quarry_oom *oom)
{
	const struct qr_oom_slot *s = qr_oom_slot(slot);
	enum quarry_domain i;

	qr_oom_lock(true);
	*oom = s->oom;
	for (i = 0; i < QUARRY_DOMAINS; i++)
		oom->error[i] = qr_error(s->var[i]);
	qr_oom_unlock();
}

static int by_id(const void *a, const void *b)
{
	const struct quarry_site *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Copies a profile into @p, whose rows are memory.  False if there is none. */
static bool read_profile(unsigned int slot, enum quarry_domain heap, struct quarry_profile *p)
{
	const struct qr_kept *k;

	qr_oom_lock(true);
	k = qr_oom_kept(slot, heap);
	if (k)
		qr_kept_read(k, p);
	qr_oom_unlock();
	return k;
}

struct qr_text *qr_oom_render(unsigned int slot, enum quarry_domain heap,
			      enum quarry_profile_format format)
{
	size_t size = QR_KEPT_ROWS * sizeof(struct quarry_site);
	struct quarry_profile p = { .site = qr_meta_valloc(size) };
	struct qr_text *text;

	if (!p.site)
		return ERR_PTR(-ENOMEM);
	if (read_profile(slot, heap, &p)) {
		sort(p.site, p.nr, sizeof(*p.site), by_id, NULL);
		text = qr_profile_render(&p, QUARRY_PROFILE_HEAP, format);
		qr_labels_release(p.label_sets);
	} else {
		text = qr_text_new() ?: ERR_PTR(-ENOMEM);
	}
	qr_meta_vfree(p.site, size);
	return text;
}

/* --- Life --- */

int qr_oom_init(void)
{
	int err;

	scratch = qr_meta_valloc(sizeof(*scratch));
	if (!scratch || qr_oom_reserve(QUARRY_DOMAIN_QUARRY)) {
		pr_warn("no memory for snapshots: none will be taken when memory runs out\n");
		qr_oom_exit();
		return 0;
	}
	err = register_oom_notifier(&oom_notifier);
	if (err) {
		qr_oom_exit();
		return err;
	}
	WRITE_ONCE(qr_refusal_watcher, on_refusal);
	return 0;
}

void qr_oom_exit(void)
{
	unregister_oom_notifier(&oom_notifier);
	WRITE_ONCE(qr_refusal_watcher, NULL);
	cancel_work_sync(&refusal_work);
	qr_oom_free();
	qr_meta_vfree(scratch, sizeof(*scratch));
	scratch = NULL;
}
