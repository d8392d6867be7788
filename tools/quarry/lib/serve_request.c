// SPDX-License-Identifier: GPL-2.0
#include "lib/serve_request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "lib/device.h"
#include "lib/view.h"

#define VALUE_LEN Q_FILTER_MAX /* of an argument, with its end */

/* --- Arguments --- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode @len characters, percent signs too.  False: they are too long, damaged, or not text. */
static bool decode(char out[VALUE_LEN], const char *in, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)in[i];

		if (c == '%') {
			if (len - i < 3 || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0)
				return false;
			c = hex(in[i + 1]) << 4 | hex(in[i + 2]);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (c < 0x20 || c > 0x7e || used == VALUE_LEN - 1)
			return false;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	return true;
}

/* A decimal number up to @max, or -1. */
static int number(const char *text, int max)
{
	int n = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = 10 * n + *text - '0';
		if (n > max)
			return -1;
	}
	return n;
}

enum { ARG_SECONDS, ARG_DEBUG, ARG_GC, ARG_DOMAIN, ARG_VIEW, ARG_SORT, ARG_ROWS, ARG_FILTER, ARGS };

static const char *const arg_name[ARGS] = { "seconds", "debug", "gc",	"domain",
					    "view",    "sort",	"rows", "filter" };

/**
 * struct page_args - the arguments of a page
 * @args: which, as bits
 * @names: for a sentence
 */
struct page_args {
	unsigned int args;
	const char *names;
};

static const struct page_args profile_args = {
	1U << ARG_SECONDS | 1U << ARG_DEBUG | 1U << ARG_GC | 1U << ARG_DOMAIN,
	"the arguments are seconds, debug, gc and domain",
};

static const struct page_args view_args = {
	1U << ARG_VIEW | 1U << ARG_DOMAIN | 1U << ARG_SORT | 1U << ARG_ROWS | 1U << ARG_FILTER,
	"the arguments are view, domain, sort, rows and filter",
};

/* NULL, or what the argument should have been. */
static const char *set_arg(struct q_request *r, int arg, const char *value)
{
	int n;

	switch (arg) {
	case ARG_SECONDS:
		n = number(value, Q_SECONDS_MAX);
		r->seconds = (unsigned int)n;
		return n < 1 ? "seconds takes 1 to 600" : NULL;
	case ARG_DEBUG:
		n = number(value, 2);
		r->text = n > 0;
		return n < 0 ? "debug takes 0 for profile.proto, or 1 for text" : NULL;
	case ARG_GC:
		n = number(value, 1);
		r->drain = n > 0;
		return n < 0 ? "gc takes 0 or 1" : NULL;
	case ARG_VIEW:
		n = q_view_number(value);
		r->view = (unsigned int)n;
		return n < 0 ? "view takes caches, sites, kernel, processes or cgroups" : NULL;
	case ARG_ROWS:
		n = number(value, Q_ROWS_MAX);
		r->rows = (unsigned int)n;
		return n < 1 ? "rows takes 1 to 500" : NULL;
	case ARG_FILTER:
		snprintf(r->filter, sizeof(r->filter), "%s", value);
		return NULL;
	default:
		n = q_domain_number(value);
		r->domain = (unsigned int)n;
		return n < 0 ? "domain takes quarry, slab, pages, percpu or vmalloc" : NULL;
	}
}

static int sort_column(unsigned int view, const char *key)
{
	const struct q_view_info *info = &q_view_info[view];

	for (unsigned int i = 0; i < info->nr; i++)
		if (info->column[i].sort && !strcmp(info->column[i].c.key, key))
			return (int)i;
	return -1;
}

/* What a view is sorted by depends on the view, which may come later. */
static const char *finish_view(struct q_request *r, unsigned int seen, const char *sort)
{
	int column = seen & 1U << ARG_SORT ? sort_column(r->view, sort) :
					     (int)q_view_info[r->view].sort;

	if (column < 0)
		return "sort takes a number or a text of the view's rows, by its name in them";
	r->sort = (unsigned int)column;
	if (r->view == Q_VIEW_KERNEL && !(seen & 1U << ARG_DOMAIN))
		r->domain = QUARRY_DEV_DOMAIN_SLAB;
	if (r->view == Q_VIEW_KERNEL && !r->domain)
		return "quarry's own heap is the view sites";
	if (r->domain && (r->view == Q_VIEW_CACHES || r->view == Q_VIEW_SITES))
		return "the views caches and sites are of quarry's own heap";
	return NULL;
}

static const char *finish_profile(const struct q_request *r)
{
	if (r->drain && r->domain)
		return "gc is for quarry's heap: a domain of the kernel's has nothing to drain";
	if (r->kind == QUARRY_DEV_KIND_FRAGMENTATION && r->domain)
		return "only quarry's own heap has a profile of fragmentation";
	return NULL;
}

static const char *set_args(struct q_request *r, const char *query, const struct page_args *page)
{
	char sort[VALUE_LEN] = "";
	unsigned int seen = 0;

	while (*query) {
		size_t len = strcspn(query, "&"), name_len = strcspn(query, "=&");
		char name[VALUE_LEN], value[VALUE_LEN] = "";
		const char *why = NULL;
		int arg;

		if (!decode(name, query, name_len) ||
		    (name_len < len && !decode(value, query + name_len + 1, len - name_len - 1)))
			return "an argument is too long, or not text";
		for (arg = 0; arg < ARGS && strcmp(arg_name[arg], name); arg++)
			;
		if (len && (arg == ARGS || !(page->args & 1U << arg)))
			return page->names;
		if (arg < ARGS) {
			if (seen & 1U << arg)
				return "an argument is given twice";
			seen |= 1U << arg;
			if (arg == ARG_SORT)
				memcpy(sort, value, sizeof(sort));
			else
				why = set_arg(r, arg, value);
			if (why)
				return why;
		}
		query += len + (query[len] == '&');
	}
	return page == &view_args ? finish_view(r, seen, sort) : finish_profile(r);
}

/* --- Requests --- */

#define PPROF "/debug/pprof/"

static bool find_page(struct q_request *r, const char *path, size_t len)
{
	char name[16];
	int kind;

	if ((len == 1 && *path == '/') || (len == strlen(PPROF) && !strncmp(path, PPROF, len))) {
		r->endpoint = Q_INDEX;
		return true;
	}
	if (len == strlen("/metrics") && !strncmp(path, "/metrics", len)) {
		r->endpoint = Q_METRICS;
		return true;
	}
	if (len == strlen("/live") && !strncmp(path, "/live", len)) {
		r->endpoint = Q_LIVE;
		return true;
	}
	if (len == strlen("/live.json") && !strncmp(path, "/live.json", len)) {
		r->endpoint = Q_LIVE_JSON;
		return true;
	}
	if (len <= strlen(PPROF) || len - strlen(PPROF) >= sizeof(name) ||
	    strncmp(path, PPROF, strlen(PPROF)))
		return false;
	len -= strlen(PPROF);
	memcpy(name, path + strlen(PPROF), len);
	name[len] = '\0';
	kind = q_kind_number(name);
	r->endpoint = Q_PROFILE;
	r->kind = (unsigned int)kind;
	return kind >= 0;
}

int q_request_parse(struct q_request *r, const char *method, const char *target,
		    char why[Q_WHY_LEN])
{
	size_t len = strcspn(target, "?");
	const char *wrong = NULL;

	*r = (struct q_request){ .rows = Q_ROWS };
	*why = '\0';
	if (!find_page(r, target, len)) {
		snprintf(why, Q_WHY_LEN, "There is no such page; / lists them.");
		return 404;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD")) {
		snprintf(why, Q_WHY_LEN, "Pages can only be read, with GET or HEAD.");
		return 405;
	}
	/* Other pages have no arguments, and a scraper may add some. */
	if (r->endpoint == Q_PROFILE)
		wrong = set_args(r, target + len + !!target[len], &profile_args);
	if (r->endpoint == Q_LIVE_JSON)
		wrong = set_args(r, target + len + !!target[len], &view_args);
	if (wrong) {
		snprintf(why, Q_WHY_LEN, "Bad request: %s.", wrong);
		return 400;
	}
	return 200;
}

bool q_request_same(const struct q_request *a, const struct q_request *b)
{
	/* The deltas of two clients begin at different moments. */
	return !a->seconds && !b->seconds && a->endpoint == b->endpoint && a->kind == b->kind &&
	       a->domain == b->domain && a->text == b->text && a->drain == b->drain &&
	       a->openmetrics == b->openmetrics && a->view == b->view && a->sort == b->sort &&
	       a->rows == b->rows && !strcmp(a->filter, b->filter);
}

bool q_accepts_openmetrics(const char *accept)
{
	static const char type[] = "application/openmetrics-text";

	while (accept && *accept) {
		accept += strspn(accept, " \t,");
		if (!strncasecmp(accept, type, strlen(type)) &&
		    strchr(" \t;,", accept[strlen(type)])) {
			size_t len = strcspn(accept, ",");
			const char *q = memmem(accept, len, "q=0", 3);

			/* "q=0" refuses it, "q=0.5" does not. */
			return !q || (q[3] == '.' && q[4] > '0' && q[4] <= '9');
		}
		accept += strcspn(accept, ",");
	}
	return false;
}

/* --- Who may ask --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *q_token_parse(struct q_token *t, const char *bytes, size_t size)
{
	while (size && is_blank(bytes[size - 1]))
		size--;
	while (size && is_blank(*bytes)) {
		bytes++;
		size--;
	}
	*t = (struct q_token){ 0 };
	if (!size)
		return "it is empty";
	if (size >= Q_TOKEN_MAX)
		return "a token has at most 255 characters";
	for (size_t i = 0; i < size; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return "a token has no blanks and no characters beyond ASCII";
	memcpy(t->text, bytes, size);
	return NULL;
}

bool q_token_allows(const struct q_token *t, const char *authorization)
{
	char given[Q_TOKEN_MAX] = { 0 };
	volatile unsigned char differs = 0;
	size_t len;

	if (!authorization || strncasecmp(authorization, "Bearer ", 7))
		return false;
	authorization += 7;
	authorization += strspn(authorization, " ");
	len = strlen(authorization);
	if (len >= sizeof(given))
		return false;
	memcpy(given, authorization, len);
	for (size_t i = 0; i < sizeof(given); i++)
		differs |= (unsigned char)(given[i] ^ t->text[i]);
	return !differs;
}

bool q_host_is_local(const char *host)
{
	size_t len = strcspn(host, ":");
	unsigned char address[16];
	char name[64];

	if (*host == '[') {
		host++;
		len = strcspn(host, "]");
	}
	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return !strcasecmp(name, "localhost") || inet_pton(AF_INET, name, address) == 1 ||
	       inet_pton(AF_INET6, name, address) == 1;
}
