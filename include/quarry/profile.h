/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What observers (debugfs/, the character device, the tests) may know of the
 * heap profiler: a copy of its table at one moment, what can be rendered from
 * it, and its settings.
 *
 * The table has one row per site: a call stack, a cache, and a set of labels.
 * What a row says has been scaled already: each sample counts for as many
 * objects as it stands for, 1 / (1 - exp(-size / rate)), and carries the
 * variance that this brings in.
 */
#ifndef QUARRY_PROFILE_H
#define QUARRY_PROFILE_H

#include <linux/types.h>
#include <quarry/stats.h>

/* Wide enough for sums of squares.  Add, subtract, multiply, shift: nothing else. */
typedef unsigned __int128 qr_u128;

#define QR_OBJECTS_SHIFT    16		 /* numbers of objects are binary fractions */
#define QUARRY_RATE_DEFAULT (512U << 10) /* bytes between samples */
#define QUARRY_CACHE_ALL    U32_MAX	 /* no cache in particular */
#define QUARRY_STACK_MAX    64		 /* frames in a call stack */
#define QR_AGES		    10		 /* age classes, see qr_age_name() */

/**
 * struct quarry_sum - what a number of samples stand for
 * @samples: how many
 * @objects: objects, shifted by QR_OBJECTS_SHIFT
 * @space: their bytes, as given, not as asked for
 * @var_objects: variance of @objects, shifted by twice QR_OBJECTS_SHIFT
 * @var_space: variance of @space, shifted likewise
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
 * @id: unique since the module was loaded; 0 is what found no room in the table
 * @cache: number of the cache, 0 for objects over 32 KiB
 * @stack: handle of the call stack, see qr_site_stack(); 0 if it is not known
 * @labels: number of the label set, see qr_labels_get(); 0 means "other"
 * @names: NULL, or the names of the stack's functions, leaf first, each as sprint_symbol()
 *	writes them without offset and followed by a newline: a module that the stack goes
 *	through has been unloaded, and its addresses may be somebody else's by now
 * @cache_name: the cache's name
 * @alloc: all that was allocated so far (or since the base, see qr_profile_subtract())
 * @inuse: what of it is live
 * @peak_objects: live objects when the whole heap was largest, shifted as all are
 * @peak_space: their bytes
 * @asked: bytes that were asked for, of those in @inuse
 * @heir: of the last row of this number that was made one with another: that one
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
 * @freed_objects: those freed so far, by the age they reached; shifted
 * @freed_space: their bytes
 * @live_objects: those live, by their age so far; shifted
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
 * @time_ns: when, wall clock
 * @duration_ns: since the base, or since the module was loaded or the profile reset
 * @rate: bytes between samples at that moment; 0 is off
 * @cache: the one cache it shows, or QUARRY_CACHE_ALL
 * @delta: a base was subtracted
 * @resets: how often the profile had been reset
 * @peak_time_ns: when the heap was largest, wall clock
 * @dropped_samples: samples that could not be recorded, for want of memory
 * @dropped_space: bytes they stood for
 * @other_samples: samples recorded without their stack or labels, for want of room
 * @nr: rows
 * @room: rows that there is memory for
 * @site: the rows, by @id
 * @ages: one for each row, or NULL if they were not asked for
 */
struct quarry_profile {
	u64 time_ns;
	u64 duration_ns;
	u32 rate;
	u32 cache;
	bool delta;
	u32 resets;
	u64 peak_time_ns;
	u64 dropped_samples;
	u64 dropped_space;
	u64 other_samples;
	u32 nr;
	u32 room;
	struct quarry_site *site;
	struct quarry_ages *ages;
};

/*
 * Copy the table.  All rows are of the same moment, while allocations go on.
 * Process context; sleeps.  NULL or ERR_PTR: -ENOMEM, -ENOENT for no such cache.
 */
struct quarry_profile *qr_profile_take(u32 cache, bool with_ages);
void qr_profile_free(struct quarry_profile *p);

/*
 * Make a delta: what was allocated becomes the difference to @base, what is
 * in use stays the level at the end.  A base of before a reset counts as zero.
 */
void qr_profile_subtract(struct quarry_profile *p, const struct quarry_profile *base);

/* A row's stack, leaf first: return addresses.  Returns how many. */
unsigned int qr_site_stack(const struct quarry_site *site, unsigned long **entries);

#define QUARRY_LABELS_MAX  8
#define QUARRY_LABEL_KEY   32
#define QUARRY_LABEL_VALUE 64

/**
 * struct quarry_labels - a set of labels
 * @id: its number
 * @n: how many
 * @key: their keys, no two of which are equal
 * @value: what they are
 *
 * Sets are never changed, and live until the module is unloaded.
 */
struct quarry_labels {
	u32 id;
	unsigned int n;
	char key[QUARRY_LABELS_MAX][QUARRY_LABEL_KEY];
	char value[QUARRY_LABELS_MAX][QUARRY_LABEL_VALUE];
};

/* NULL for numbers that were never given out.  0 is "other". */
const struct quarry_labels *qr_labels_get(u32 set);

/* The name of an age class, such as "10ms-100ms". */
const char *qr_age_name(unsigned int age);

/* --- Settings --- */

/* Bytes between samples: 1 samples everything, 0 nothing.  Sleeps. */
u32 qr_rate_get(void);
void qr_rate_set(u32 rate);
/*
 * A rate as people write it: bytes with a suffix, "off" or "default".  0, -EINVAL
 * for what is none, -ERANGE from 4 GiB on.
 */
int qr_rate_parse(const char *text, u32 *rate);
/*
 * One cache's own.  @own false: that of all others.  -ENOENT: no such cache;
 * -EOPNOTSUPP: it is never sampled.
 */
int qr_cache_rate_get(u32 cache, u32 *rate, bool *own);
int qr_cache_rate_set(u32 cache, u32 rate, bool own);
/* Forget what was allocated and freed so far, and the peak; not what is live. */
void qr_profile_reset(void);

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
	QUARRY_FORMAT_TEXT,   /* legacy heap text, which pprof reads as well */
	QUARRY_FORMAT_FOLDED, /* one line per stack, for flame graphs */
	QUARRY_FORMAT_TOP,    /* a table for people, largest first */
	QUARRY_PROFILE_FORMATS,
};

extern const char *const qr_profile_kind_name[QUARRY_PROFILE_KINDS];

struct qr_text;

/* Render a profile.  Process context; sleeps.  ERR_PTR(-ENOMEM) on failure. */
struct qr_text *qr_profile_render(const struct quarry_profile *p, enum quarry_profile_kind kind,
				  enum quarry_profile_format format);
/* Every live object, one line each; exact after qr_drain_all().  Likewise. */
struct qr_text *qr_heapdump_render(void);

size_t qr_text_size(const struct qr_text *t);
ssize_t qr_text_read(const struct qr_text *t, char __user *buf, size_t len, loff_t *pos);
void qr_text_free(struct qr_text *t);

/* --- Sessions: what a reader has open --- */

struct qr_session;

/* One cache's profiles, or QUARRY_CACHE_ALL.  NULL without memory.  All of these sleep. */
struct qr_session *qr_session_open(u32 cache);
void qr_session_close(struct qr_session *s);

/* Deltas begin now.  0, -ENOMEM or -ENOENT. */
int qr_session_mark(struct qr_session *s);

/*
 * Take and render a profile for qr_session_read(), in place of what was there.  A delta is
 * one since the last mark or delta; -ENODATA if there was none.  0, -ENOMEM, -ENOENT.
 */
int qr_session_take(struct qr_session *s, enum quarry_profile_kind kind,
		    enum quarry_profile_format format, bool delta);
int qr_session_heapdump(struct qr_session *s);

/* What was rendered last: its bytes, or -ENODATA before that. */
ssize_t qr_session_size(struct qr_session *s);
ssize_t qr_session_read(struct qr_session *s, char __user *buf, size_t len, loff_t *pos);
/* Has a mark been set that no qr_session_take() used yet? */
bool qr_session_is_marked(struct qr_session *s);

/* --- Events --- */

enum qr_event_type {
	QR_EVENT_ALLOC = 1,
	QR_EVENT_FREE = 2,
};

/**
 * struct qr_event - a sampled object was allocated or freed
 * @type: which
 * @ptr: the object
 * @size: bytes it was given
 * @asked: bytes that were asked for
 * @weighted: bytes that it stands for
 * @time_ns: monotonic clock
 * @age_ns: of a free: how long the object lived
 * @site: the row
 * @cache: the row's cache
 * @stack: the row's stack
 * @labels: the row's labels
 * @pid: of the task, 0 in interrupts
 * @cpu: where
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
 * struct qr_watcher - somebody who wants to know of samples as they happen
 * @event: called with interrupts off, under a raw spinlock; takes none but raw
 *	locks of its own, wakes nobody up (irq_work does), allocates nothing
 * @link: in the list of watchers
 */
struct qr_watcher {
	void (*event)(struct qr_watcher *w, const struct qr_event *e);
	struct list_head link;
};

void qr_watch(struct qr_watcher *w);
/* No call of w->event is under way when this returns. */
void qr_unwatch(struct qr_watcher *w);

#endif /* QUARRY_PROFILE_H */
