// SPDX-License-Identifier: GPL-2.0
/*
 * The state of one reader of profiles: the profile that the next delta begins at (the
 * base), and the text that was rendered last.  A session has at most one of each,
 * so its memory does not grow with the number of profiles that are taken.
 */
#include "device/reader_session.h"

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/timekeeping.h>
#include "core/metadata.h"
#include "profile/label.h"

/**
 * struct qr_session - a reader
 * @lock: protects the members after @cache; outside of every other lock.  It is held
 *	while user memory is written, so nothing that a page fault or mmap() waits for
 *	may take it
 * @domain: the heap whose profiles are taken, if the session was opened for one
 * @cache: the cache whose profiles are taken, or QUARRY_CACHE_ALL
 * @marked: @base has not been used for a delta yet
 * @base: the profile that the next delta begins at, or NULL
 * @text: the text that was rendered last, or NULL
 */
struct qr_session {
	struct mutex lock; /* see above */
	enum quarry_domain domain;
	u32 cache;
	bool marked;
	struct quarry_profile *base;
	struct qr_text *text;
};

struct qr_session *qr_session_open(u32 cache)
{
	struct qr_session *s = qr_meta_alloc(sizeof(*s), GFP_KERNEL, NUMA_NO_NODE);

	if (!s)
		return NULL;
	mutex_init(&s->lock);
	s->cache = cache;
	return s;
}

struct qr_session *qr_session_open_domain(enum quarry_domain domain)
{
	struct qr_session *s = qr_session_open(QUARRY_CACHE_ALL);

	if (s)
		s->domain = domain;
	return s;
}

void qr_session_close(struct qr_session *s)
{
	if (!s)
		return;
	qr_profile_free(s->base);
	qr_text_free(s->text);
	mutex_destroy(&s->lock);
	qr_meta_free(s, sizeof(*s));
}

static struct quarry_profile *take(enum quarry_domain domain, u32 cache, bool with_ages)
{
	struct quarry_profile *p;

	if (domain == QUARRY_DOMAIN_QUARRY)
		p = qr_profile_take(cache, with_ages);
	else
		p = qr_profile_take_domain(domain, with_ages);
	return p ?: ERR_PTR(-ENOMEM);
}

/*
 * A view is what a delta shows: a copy of a profile, or of one cache's rows of it, from
 * which the old base is subtracted.  The profile itself stays unchanged, and becomes the
 * next base.
 */
struct view {
	struct quarry_profile p;
	size_t site_bytes;
	size_t ages_bytes;
};

static void view_free(struct view *v)
{
	qr_meta_vfree(v->p.site, v->site_bytes);
	qr_meta_vfree(v->p.ages, v->ages_bytes);
	qr_meta_vfree(v->p.base, array_size(v->p.nr, sizeof(*v->p.base)));
}

/* Row 0, which counts what found no room in the table, belongs to no cache. */
static bool is_row_of(const struct quarry_site *site, u32 cache)
{
	return cache == QUARRY_CACHE_ALL || (site->cache == cache && site->id);
}

static int view_make(struct view *v, const struct quarry_profile *p, u32 cache, u32 rate)
{
	u32 i, n = 0;

	*v = (struct view){ .p = *p };
	v->p.site = NULL;
	v->p.ages = NULL;
	v->p.nr = 0;
	v->p.cache = cache;
	v->p.rate = rate;
	for (i = 0; i < p->nr; i++)
		n += is_row_of(&p->site[i], cache);
	if (!n)
		return 0;

	v->site_bytes = array_size(n, sizeof(*p->site));
	v->p.site = qr_meta_valloc(v->site_bytes);
	if (!v->p.site)
		return -ENOMEM;
	if (p->ages) {
		v->ages_bytes = array_size(n, sizeof(*p->ages));
		v->p.ages = qr_meta_valloc(v->ages_bytes);
		if (!v->p.ages) {
			view_free(v);
			return -ENOMEM;
		}
	}
	for (i = 0; i < p->nr; i++) {
		if (!is_row_of(&p->site[i], cache))
			continue;
		v->p.site[v->p.nr] = p->site[i];
		if (p->ages)
			v->p.ages[v->p.nr] = p->ages[i];
		v->p.nr++;
	}
	return 0;
}

/* A base is never rendered, so it does not keep its label sets, which others may need. */
static void set_base(struct qr_session *s, struct quarry_profile *p, bool marked)
{
	qr_labels_release(p->label_sets);
	qr_profile_free(s->base);
	s->base = p;
	s->marked = marked;
}

static void set_text(struct qr_session *s, struct qr_text *text, u64 time_ns,
		     struct qr_answer *answer)
{
	qr_text_free(s->text);
	s->text = text;
	answer->size = qr_text_size(text);
	answer->time_ns = time_ns;
}

static int make_level(struct qr_session *s, const struct qr_request *req, struct qr_answer *answer)
{
	bool with_ages = req->kind == QUARRY_PROFILE_LIFETIME;
	struct quarry_profile *p = take(req->domain, req->cache, with_ages);
	struct qr_text *text;

	if (IS_ERR(p))
		return PTR_ERR(p);
	text = qr_profile_render(p, req->kind, req->format);
	if (!IS_ERR(text))
		set_text(s, text, p->time_ns, answer);
	qr_profile_free(p);
	return PTR_ERR_OR_ZERO(text);
}

/* The base is replaced only after the delta was rendered, so that an error loses nothing. */
static int make_delta(struct qr_session *s, const struct qr_request *req, struct qr_answer *answer)
{
	struct quarry_profile *p;
	u32 rate = qr_rate_get();
	struct qr_text *text;
	struct view v;
	bool own;
	int err;

	if (!s->base)
		return -ENODATA;
	if (s->base->domain != req->domain)
		return -EINVAL;
	if (req->cache && req->cache != QUARRY_CACHE_ALL) {
		err = qr_cache_rate_get(req->cache, &rate, &own);
		if (err)
			return err;
	}
	p = take(req->domain, s->cache, true);
	if (IS_ERR(p))
		return PTR_ERR(p);
	if (req->domain != QUARRY_DOMAIN_QUARRY)
		rate = p->rate;
	err = view_make(&v, p, req->cache, rate);
	if (err)
		goto no_view;
	err = qr_profile_subtract(&v.p, s->base);
	text = err ? ERR_PTR(err) : qr_profile_render(&v.p, req->kind, req->format);
	view_free(&v);
	err = PTR_ERR_OR_ZERO(text);
	if (err)
		goto no_view;
	set_text(s, text, p->time_ns, answer);
	set_base(s, p, false);
	return 0;

no_view:
	qr_profile_free(p);
	return err;
}

int qr_session_make(struct qr_session *s, const struct qr_request *req, struct qr_answer *answer)
{
	int err;

	mutex_lock(&s->lock);
	err = req->delta ? make_delta(s, req, answer) : make_level(s, req, answer);
	mutex_unlock(&s->lock);
	return err;
}

int qr_session_take(struct qr_session *s, enum quarry_profile_kind kind,
		    enum quarry_profile_format format, bool delta)
{
	const struct qr_request req = {
		.domain = s->domain,
		.cache = s->cache,
		.kind = kind,
		.format = format,
		.delta = delta,
	};
	struct qr_answer answer;

	return qr_session_make(s, &req, &answer);
}

int qr_session_begin(struct qr_session *s, enum quarry_domain domain, struct qr_answer *answer)
{
	struct quarry_profile *p;

	mutex_lock(&s->lock);
	/* With ages, because the delta may be of a lifetime profile. */
	p = take(domain, s->cache, true);
	if (!IS_ERR(p)) {
		answer->size = 0;
		answer->time_ns = p->time_ns;
		set_base(s, p, true);
	}
	mutex_unlock(&s->lock);
	return PTR_ERR_OR_ZERO(p);
}

int qr_session_mark(struct qr_session *s)
{
	struct qr_answer answer;

	return qr_session_begin(s, s->domain, &answer);
}

bool qr_session_is_marked(struct qr_session *s)
{
	bool marked;

	mutex_lock(&s->lock);
	marked = s->marked;
	mutex_unlock(&s->lock);
	return marked;
}

int qr_session_dump(struct qr_session *s, struct qr_answer *answer)
{
	u64 time_ns = ktime_get_real_ns();
	struct qr_text *text;

	mutex_lock(&s->lock);
	text = qr_heapdump_render();
	if (!IS_ERR(text))
		set_text(s, text, time_ns, answer);
	mutex_unlock(&s->lock);
	return PTR_ERR_OR_ZERO(text);
}

ssize_t qr_session_size(struct qr_session *s)
{
	ssize_t size = -ENODATA;

	mutex_lock(&s->lock);
	if (s->text)
		size = qr_text_size(s->text);
	mutex_unlock(&s->lock);
	return size;
}

ssize_t qr_session_read(struct qr_session *s, char __user *buf, size_t len, loff_t *pos)
{
	ssize_t n = -ENODATA;

	mutex_lock(&s->lock);
	if (s->text)
		n = qr_text_read(s->text, buf, len, pos);
	mutex_unlock(&s->lock);
	return n;
}
