/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap profiler's interface for observers (debugfs/, the character device, the
 * tests): copies of its table at one moment, profiles rendered from a copy, the
 * profiler's settings, and events.
 *
 * The table has one row per site: a call stack, a cache and a label set.  The numbers
 * of a row are estimates: each sample counts as the number of objects that it stands
 * for, 1 / (1 - exp(-size / rate)), and each estimate comes with its variance.
 */
#ifndef QUARRY_PROFILE_H
#define QUARRY_PROFILE_H

#include <linux/bitops.h>
#include <linux/types.h>
#include <quarry/stats.h>

/*
 * The heaps that can be profiled: Quarry's own, which always is, and allocators of the kernel's
 * (domains), which are switched on and off.
 */
enum quarry_domain {
	QUARRY_DOMAIN_QUARRY,
	QUARRY_DOMAIN_SLAB,    /* kmalloc() and kmem_cache_alloc() */
	QUARRY_DOMAIN_PAGES,   /* alloc_pages() */
	QUARRY_DOMAIN_PERCPU,  /* alloc_percpu() */
	QUARRY_DOMAIN_VMALLOC, /* vmalloc(), vmap() and ioremap() */
	QUARRY_DOMAINS,
};

/* For sums of squares.  Only add, subtract, multiply and shift: division needs libgcc. */
typedef unsigned __int128 qr_u128;

#define QR_OBJECTS_SHIFT    16		 /* fractional bits of numbers of objects */
#define QUARRY_RATE_DEFAULT (512U << 10) /* bytes between samples */
#define QUARRY_CACHE_ALL    U32_MAX	 /* in place of a cache's number: all caches */
#define QUARRY_STACK_MAX    64		 /* frames in a call stack */
#define QR_AGES		    10		 /* age classes, see qr_age_name() */
#define QUARRY_LABEL_SETS   1024	 /* label sets at a time; all others are "other" */

/**
 * struct quarry_sum - what a number of samples stand for together
 * @samples: how many samples
 * @objects: estimated objects, shifted left by QR_OBJECTS_SHIFT
 * @space: their bytes, as given, not as asked for
 * @var_objects: variance of @objects, shifted left by 2 * QR_OBJECTS_SHIFT
 * @var_space: variance of @space, shifted left by 2 * QR_OBJECTS_SHIFT
 */
struct quarry_sum {
	u64 samples;
	u64 objects;
	u64 space;
	qr_u128 var_objects;
	qr_u128 var_space;
};

/**
 * struct quarry_site - one row
 * @id: the row's number; row 0 counts what found no room in the table
 * @cache: number of the cache, 0 for objects over 32 KiB
 * @stack: handle of the call stack, see qr_site_stack(); 0 if it is not known
 * @labels: number of the label set, see qr_labels_get(); 0 means "other"
 * @names: NULL while the addresses of the stack are valid.  After a module of the stack
 *	was unloaded, its addresses may belong to other code; then this has the names of
 *	all functions of the stack, leaf first, each as sprint_symbol_no_offset() writes it
 *	and followed by a newline
 * @cache_name: the cache's name
 * @alloc: all allocations so far (or since the base, see qr_profile_subtract())
 * @inuse: the live objects
 * @peak_objects: live objects when the whole heap was largest, shifted left by
 *	QR_OBJECTS_SHIFT
 * @peak_space: their bytes
 * @asked: bytes that were asked for, of the objects in @inuse
 * @heir: if an earlier row of this number was merged into another: the number of that other
 */
struct quarry_site {
	u32 id;
	u32 cache;
	u32 stack;
	u32 labels;
	const char *names;
	char cache_name[QUARRY_NAME_LEN];
	struct quarry_sum alloc;
	struct quarry_sum inuse;
	u64 peak_objects;
	u64 peak_space;
	u64 asked;
	u32 heir;
};

/**
 * struct quarry_ages - a row's objects by age
 * @freed_objects: objects freed so far, by the age they reached; shifted left by
 *	QR_OBJECTS_SHIFT
 * @freed_space: their bytes
 * @live_objects: live objects, by their age so far; shifted left by QR_OBJECTS_SHIFT
 * @live_space: their bytes
 */
struct quarry_ages {
	u64 freed_objects[QR_AGES];
	u64 freed_space[QR_AGES];
	u64 live_objects[QR_AGES];
	u64 live_space[QR_AGES];
};

/**
 * struct quarry_profile - the table at one moment
 * @time_ns: that moment, wall clock
 * @mono_ns: that moment, monotonic clock
 * @since_ns: when the module was loaded or the profile was reset last, monotonic clock; of a
 *	domain of the kernel's: when it was switched on or reset
 * @duration_ns: length of a delta: time since the base, or since a reset after it.  0 in a
 *	profile that is no delta: readers take a profile that has a duration for a delta
 * @rate: bytes between samples at that moment; 0: sampling is off
 * @cache: the one cache it shows, or QUARRY_CACHE_ALL
 * @domain: the heap that it is of
 * @delta: a base was subtracted
 * @resets: how often the profile had been reset
 * @peak_time_ns: when the heap was largest, wall clock
 * @dropped_samples: samples that could not be recorded, for lack of memory
 * @dropped_space: bytes that these stood for
 * @other_samples: samples recorded without their stack or labels, for lack of room
 * @span_ns: time since the base of a delta, also if the profile was reset after it
 * @nr: rows
 * @others: rows that the copy leaves out because they hold little; row 0 has their sums
 * @room: rows that there is memory for
 * @site: the rows, in the order of their numbers
 * @ages: one for each row, or NULL if ages were not asked for
 * @base: for each row what was in use at the base of a delta; NULL in a profile that is no
 *	delta
 * @label_sets: the label sets that the copy keeps, until it becomes the base of a delta
 */
struct quarry_profile {
	u64 time_ns;
	u64 mono_ns;
	u64 since_ns;
	u64 duration_ns;
	u32 rate;
	u32 cache;
	enum quarry_domain domain;
	bool delta;
	u32 resets;
	u64 peak_time_ns;
	u64 dropped_samples;
	u64 dropped_space;
	u64 other_samples;
	u64 span_ns;
	u32 nr;
	u32 others;
	u32 room;
	struct quarry_site *site;
	struct quarry_ages *ages;
	struct quarry_sum *base;
	unsigned long label_sets[BITS_TO_LONGS(QUARRY_LABEL_SETS)];
};

/*
 * Copy the table's rows of @cache, or all.  All rows are of the same moment, although
 * allocations go on meanwhile.  Process context; sleeps.  ERR_PTR(-ENOMEM) on failure,
 * ERR_PTR(-ENOENT) if there is no such cache, ERR_PTR(-EINTR) if the task is being killed.
 */
struct quarry_profile *qr_profile_take(u32 cache, bool with_ages);
/* The same for any heap, all caches.  A domain that is off has no rows. */
struct quarry_profile *qr_profile_take_domain(enum quarry_domain domain, bool with_ages);
void qr_profile_free(struct quarry_profile *p);

/*
 * Turn @p into a delta: what was allocated becomes the difference to @base, what is
 * in use stays the level at the time of @p, and p->base has the level at the time of @base.
 * If the profile was reset after @base was taken, all allocations since the reset count.
 * Returns 0, or -ENOMEM and then @p is of no use.  Sleeps.
 */
int qr_profile_subtract(struct quarry_profile *p, const struct quarry_profile *base);

/* Set *@entries to the return addresses of a row's stack, leaf first.  Returns how many. */
unsigned int qr_site_stack(const struct quarry_site *site, unsigned long **entries);

#define QUARRY_LABELS_MAX  9
#define QUARRY_LABEL_KEY   32
#define QUARRY_LABEL_VALUE 64

/**
 * struct quarry_labels - a set of labels
 * @id: its number
 * @n: how many labels it has
 * @key: their keys; no two are equal
 * @value: their values
 *
 * A set never changes.  It lasts while a row of the table, or of a copy, has its number.
 */
struct quarry_labels {
	u32 id;
	unsigned int n;
	char key[QUARRY_LABELS_MAX][QUARRY_LABEL_KEY];
	char value[QUARRY_LABELS_MAX][QUARRY_LABEL_VALUE];
};

/* The set of that number; number 0 is "other".  NULL if no set has the number. */
const struct quarry_labels *qr_labels_get(u32 set);

/* The name of an age class, such as "10ms-100ms". */
const char *qr_age_name(unsigned int age);

/* --- Settings --- */

/*
 * The rate of all caches that have none of their own, in bytes between samples: 1 samples
 * every allocation, 0 none.  Sleeps.
 */
u32 qr_rate_get(void);
void qr_rate_set(u32 rate);
/*
 * Read a rate as people write it: bytes with a suffix, "off" or "default".  Returns 0,
 * -EINVAL if @text is no rate, -ERANGE from 4 GiB on.
 */
int qr_rate_parse(const char *text, u32 *rate);
/*
 * One cache's rate.  If @own is false the cache has no rate of its own, and uses that of
 * qr_rate_get().  Returns 0, -ENOENT for no such cache, -EOPNOTSUPP for a cache that is never
 * sampled.
 */
int qr_cache_rate_get(u32 cache, u32 *rate, bool *own);
int qr_cache_rate_set(u32 cache, u32 rate, bool own);
/*
 * Forget past allocations, frees and the peak.  Live objects stay counted; rows without any, and
 * label sets of no other row, are used again.  Sleeps.
 */
void qr_profile_reset(void);

/* --- Domains --- */

/*
 * One line per number of a domain of the kernel's: its name, and what it means.  While the domain
 * is off all but the second are 0.  This list makes both struct quarry_domain_stats and the names
 * in debugfs.
 */
/* clang-format off */
#define QUARRY_DOMAIN_STATS(X)							\
	X(enabled,		"1: the domain is on")				\
	X(sample_rate_bytes,	"bytes between samples; 0: none are taken")	\
	X(samples,		"objects sampled so far")			\
	X(live_samples,		"sampled objects that are live")		\
	X(sampled_live_bytes,	"estimate of the bytes allocated since, and live")	\
	X(dropped_samples,	"samples not recorded, for lack of room, or in an NMI")	\
	X(dropped_bytes,	"bytes that those without room stood for")	\
	X(other_samples,	"samples recorded without stack or labels")	\
	X(missed_frees,		"samples whose free was not seen, but found out later")	\
	X(late_frees,		"frees that an NMI could not record")		\
	X(unknown_frees,	"frees of other objects on pages with samples")	\
	X(missed_calls,		"calls of functions that the kernel did not report")	\
	X(table_samples,	"entries of the table of samples in use")	\
	X(table_max_samples,	"entries that there are")			\
	X(profile_sites,	"rows of the profile's table")			\
	X(profile_max_sites,	"rows that the table may have")			\
	X(memory_bytes,		"memory of the domain's own")
/* clang-format on */

struct quarry_domain_stats {
#define QR_DOMAIN_STATS_MEMBER(name, help) u64 name;
	QUARRY_DOMAIN_STATS(QR_DOMAIN_STATS_MEMBER)
#undef QR_DOMAIN_STATS_MEMBER
};

/* All of these sleep, but for the names and qr_domain_is_on(). */
const char *qr_domain_name(enum quarry_domain domain);
/* The label that says what memory is for: "cache" or "for". */
const char *qr_domain_label(enum quarry_domain domain);
/*
 * Switch a domain on or off.  With it all that was recorded goes.  0, -ENOENT for Quarry's own
 * heap, -ENOMEM, or another error if this kernel cannot be probed; the log says why.
 */
int qr_domain_enable(enum quarry_domain domain, bool on);
bool qr_domain_is_on(enum quarry_domain domain);
/* As qr_rate_get() and qr_rate_set(), also while the domain is off. */
u32 qr_domain_rate_get(enum quarry_domain domain);
void qr_domain_rate_set(enum quarry_domain domain, u32 rate);
/* As qr_profile_reset(). */
void qr_domain_reset(enum quarry_domain domain);
void qr_domain_stats_read(enum quarry_domain domain, struct quarry_domain_stats *st);

/* --- Rendering --- */

enum quarry_profile_kind {
	QUARRY_PROFILE_HEAP,
	QUARRY_PROFILE_ALLOCS,
	QUARRY_PROFILE_PEAK,
	QUARRY_PROFILE_LIFETIME,
	QUARRY_PROFILE_FRAGMENTATION,
	QUARRY_PROFILE_KINDS,
};

enum quarry_profile_format {
	QUARRY_FORMAT_PPROF,  /* profile.proto, not compressed */
	QUARRY_FORMAT_TEXT,   /* legacy heap text, which pprof can read too */
	QUARRY_FORMAT_FOLDED, /* one line per stack, for flame graphs */
	QUARRY_FORMAT_TOP,    /* a table for people, largest first */
	QUARRY_PROFILE_FORMATS,
};

extern const char *const qr_profile_kind_name[QUARRY_PROFILE_KINDS];

struct qr_text;

/*
 * Render a profile.  Process context; sleeps.  ERR_PTR(-ENOMEM) on failure, ERR_PTR(-EINTR) if the
 * task is being killed.
 */
struct qr_text *qr_profile_render(const struct quarry_profile *p, enum quarry_profile_kind kind,
				  enum quarry_profile_format format);
/*
 * List every live object, one line each.  Exact after qr_drain_all().  Process context;
 * sleeps.  ERR_PTR(-ENOMEM) without memory, or if the list would take an eighth of the
 * machine's; ERR_PTR(-EINTR) if the task is being killed.
 */
struct qr_text *qr_heapdump_render(void);

/*
 * Search for live objects that nothing points to, and list them by cache and call stack, see
 * Documentation/profiling.rst.  ERR_PTR(-EBUSY) while another search is under way; errors as above.
 */
struct qr_text *qr_lost_render(void);

struct qr_dump;

/*
 * The same list for a reader that reads it from front to back: it is made in pieces, each when it
 * is read.  *@pos must be where the last read ended, or in the piece of that read; any other gives
 * -ESPIPE.  A read may return less than @len; 0 is the end.  After an error, open another.
 */
struct qr_dump *qr_dump_open(void);
ssize_t qr_dump_read(struct qr_dump *d, char __user *buf, size_t len, loff_t *pos);
void qr_dump_close(struct qr_dump *d);

size_t qr_text_size(const struct qr_text *t);
ssize_t qr_text_read(const struct qr_text *t, char __user *buf, size_t len, loff_t *pos);
void qr_text_free(struct qr_text *t);

/* --- Sessions: one per open file of a reader --- */

struct qr_session;

/*
 * A session for one cache's profiles, or for all of QUARRY_CACHE_ALL.  NULL without
 * memory.  All functions of sessions sleep.
 */
struct qr_session *qr_session_open(u32 cache);
/* The same for the profiles of a heap. */
struct qr_session *qr_session_open_domain(enum quarry_domain domain);
void qr_session_close(struct qr_session *s);

/* Take the base of the next delta now.  Returns 0, -ENOMEM or -ENOENT. */
int qr_session_mark(struct qr_session *s);

/*
 * Take a profile and render it; the text replaces the one before.  A delta begins at the
 * last mark or delta.  Returns 0, -ENODATA for a delta without a mark, -ENOMEM or -ENOENT.
 */
int qr_session_take(struct qr_session *s, enum quarry_profile_kind kind,
		    enum quarry_profile_format format, bool delta);

/* The size of the text that was rendered last, and reads from it; -ENODATA without a text. */
ssize_t qr_session_size(struct qr_session *s);
ssize_t qr_session_read(struct qr_session *s, char __user *buf, size_t len, loff_t *pos);
/* Was a mark set after which no delta was taken yet? */
bool qr_session_is_marked(struct qr_session *s);

/* --- Events --- */

enum qr_event_type {
	QR_EVENT_ALLOC = 1,
	QR_EVENT_FREE = 2,
};

/**
 * struct qr_event - a sampled object was allocated or freed
 * @type: allocated or freed
 * @ptr: the object
 * @size: bytes it was given
 * @asked: bytes that were asked for
 * @weighted: bytes that it stands for
 * @time_ns: when, monotonic clock
 * @age_ns: for a free, how long the object lived; otherwise 0
 * @site: the number of its row
 * @cache: the row's cache
 * @stack: the row's stack
 * @labels: the row's label set
 * @pid: the task that did it, 0 in interrupts
 * @cpu: the CPU that did it
 */
struct qr_event {
	enum qr_event_type type;
	const void *ptr;
	u64 size;
	u64 asked;
	u64 weighted;
	u64 time_ns;
	u64 age_ns;
	u32 site;
	u32 cache;
	u32 stack;
	u32 labels;
	u32 pid;
	u32 cpu;
};

/**
 * struct qr_watcher - an observer of sample events as they happen
 * @event: called with interrupts off, under a raw spinlock.  It may take raw locks of its
 *	own only, and must not allocate or wake up a task directly (queue an irq_work for
 *	that)
 * @link: in the list of watchers
 */
struct qr_watcher {
	void (*event)(struct qr_watcher *w, const struct qr_event *e);
	struct list_head link;
};

void qr_watch(struct qr_watcher *w);
/* When this returns, no call of w->event is under way. */
void qr_unwatch(struct qr_watcher *w);

#endif /* QUARRY_PROFILE_H */
