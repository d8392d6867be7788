// SPDX-License-Identifier: GPL-2.0
/*
 * The text is in pages, and a list of leaves points to the pages.  A leaf has 511
 * pointers, so a reader finds any offset of even a large profile after a few steps.
 * The text grows without being copied.
 */
#include "report/text_buffer.h"

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <quarry/profile.h>
#include "compat.h"
#include "core/clean_name.h"
#include "core/metadata.h"

#define LEAF_PAGES (PAGE_SIZE / sizeof(void *) - 1)
#define LINE_MAX   1024
#define SHARE	   8 /* a text has at most this part of the machine's memory */

struct leaf {
	struct leaf *next;
	char *page[LEAF_PAGES];
};

static_assert(sizeof(struct leaf) == PAGE_SIZE);

/**
 * struct qr_text - a text
 * @size: bytes written so far
 * @err: -ENOMEM if memory was short, -EINTR if the task is being killed
 * @page: the page in which the text ends; NULL if the next byte begins a new page
 * @nr: pages
 * @first: the first leaf
 * @last: the leaf of @page
 * @line: buffer to format a piece that does not fit into the rest of @page
 */
struct qr_text {
	size_t size;
	int err;
	char *page;
	size_t nr;
	struct leaf *first;
	struct leaf *last;
	char line[LINE_MAX];
};

struct qr_text *qr_text_new(void)
{
	return qr_meta_alloc(sizeof(struct qr_text), GFP_KERNEL, NUMA_NO_NODE);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_new);

/* No process is killed for the sake of a text: with __GFP_RETRY_MAYFAIL the page fails instead. */
static void *page_new(void)
{
	return qr_meta_alloc(PAGE_SIZE, GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN,
			     NUMA_NO_NODE);
}

/* May the text have another page?  Large texts, such as heap dumps, end here. */
static int may_grow(const struct qr_text *t)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return t->nr < totalram_pages() / SHARE ? 0 : -ENOMEM;
}

static bool grow(struct qr_text *t)
{
	size_t i = t->nr % LEAF_PAGES;
	struct leaf *leaf = t->last;

	cond_resched();
	t->err = may_grow(t);
	if (t->err)
		return false;
	if (!i) {
		leaf = page_new();
		if (!leaf) {
			t->err = -ENOMEM;
			return false;
		}
		if (t->last)
			t->last->next = leaf;
		else
			t->first = leaf;
		t->last = leaf;
	}
	t->page = page_new();
	if (!t->page) {
		t->err = -ENOMEM;
		return false;
	}
	leaf->page[i] = t->page;
	t->nr++;
	return true;
}

/* The end of the text, with *@room bytes of room; NULL without memory. */
static char *end(struct qr_text *t, size_t *room)
{
	if (t->err || (!t->page && !grow(t)))
		return NULL;
	*room = PAGE_SIZE - offset_in_page(t->size);
	return t->page + offset_in_page(t->size);
}

static void advance(struct qr_text *t, size_t n)
{
	t->size += n;
	if (!offset_in_page(t->size))
		t->page = NULL;
}

void qr_text_put(struct qr_text *t, const void *data, size_t len)
{
	size_t room, n;
	char *to;

	for (; len; len -= n, data += n) {
		to = end(t, &room);
		if (!to)
			return;
		n = min(len, room);
		memcpy(to, data, n);
		advance(t, n);
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_put);

void qr_text_puts(struct qr_text *t, const char *s)
{
	qr_text_put(t, s, strlen(s));
}

void qr_text_printf(struct qr_text *t, const char *fmt, ...)
{
	va_list args;
	size_t room;
	char *to;
	int n;

	to = end(t, &room);
	if (!to)
		return;
	va_start(args, fmt);
	n = vsnprintf(to, room, fmt, args);
	va_end(args);
	if (n < room) { /* the terminating zero fits too */
		advance(t, n);
		return;
	}
	va_start(args, fmt);
	n = vscnprintf(t->line, sizeof(t->line), fmt, args);
	va_end(args);
	qr_text_put(t, t->line, n);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_printf);

void qr_text_append(struct qr_text *t, const struct qr_text *from)
{
	size_t left = from->size, i;
	const struct leaf *leaf;

	if (from->err)
		t->err = from->err;
	for (leaf = from->first; leaf && left; leaf = leaf->next) {
		for (i = 0; i < LEAF_PAGES && left; i++) {
			size_t n = min_t(size_t, left, PAGE_SIZE);

			qr_text_put(t, leaf->page[i], n);
			left -= n;
		}
	}
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_append);

int qr_text_error(const struct qr_text *t)
{
	return t->err;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_error);

struct qr_text *qr_text_done(struct qr_text *t)
{
	if (!t)
		return ERR_PTR(-ENOMEM);
	if (t->err) {
		int err = t->err;

		qr_text_free(t);
		return ERR_PTR(err);
	}
	return t;
}

size_t qr_text_size(const struct qr_text *t)
{
	return t->size;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_size);

/* The text at offset @pos, of which *@n bytes are in one piece; NULL at the end. */
static const char *at(const struct qr_text *t, size_t pos, size_t *n)
{
	const struct leaf *leaf = t->first;
	size_t page = pos >> PAGE_SHIFT;

	if (pos >= t->size)
		return NULL;
	for (; page >= LEAF_PAGES; page -= LEAF_PAGES)
		leaf = leaf->next;
	*n = min_t(size_t, t->size - pos, PAGE_SIZE - offset_in_page(pos));
	return leaf->page[page] + offset_in_page(pos);
}

size_t qr_text_copy(const struct qr_text *t, size_t pos, void *buf, size_t len)
{
	size_t done = 0, n;
	const char *from;

	while (done < len && (from = at(t, pos + done, &n))) {
		n = min(n, len - done);
		memcpy(buf + done, from, n);
		done += n;
	}
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_copy);

ssize_t qr_text_read(const struct qr_text *t, char __user *buf, size_t len, loff_t *pos)
{
	size_t done = 0, missing = 0, n;
	const char *from;

	if (*pos < 0)
		return -EINVAL;
	while (!missing && done < len && (from = at(t, *pos + done, &n))) {
		n = min(n, len - done);
		missing = copy_to_user(buf + done, from, n);
		done += n - missing;
		cond_resched();
	}
	if (!done && missing)
		return -EFAULT;
	*pos += done;
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_read);

void qr_text_free(struct qr_text *t)
{
	struct leaf *leaf, *next;
	size_t i;

	if (IS_ERR_OR_NULL(t))
		return;
	for (leaf = t->first; leaf; leaf = next) {
		next = leaf->next;
		for (i = 0; i < LEAF_PAGES && leaf->page[i]; i++)
			qr_meta_free(leaf->page[i], PAGE_SIZE);
		qr_meta_free(leaf, PAGE_SIZE);
		cond_resched();
	}
	qr_meta_free(t, sizeof(*t));
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_free);

size_t qr_text_clean(char *buf, const char *s, size_t max)
{
	size_t left = strnlen(s, max), done = 0;

	while (left) {
		size_t n = qr_character((const u8 *)s, left);

		if (n) {
			memcpy(buf + done, s, n);
		} else {
			n = 1;
			buf[done] = '?';
		}
		done += n;
		s += n;
		left -= n;
	}
	buf[done] = '\0';
	return done;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_text_clean);
