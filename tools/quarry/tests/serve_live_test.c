// SPDX-License-Identifier: GPL-2.0
/*
 * The live page and its views, from a whole server and from its library.  The device is a file that
 * has a profile, and ioctl() is a function here that does what the module would.
 */
#include "tests/serve_device.h"
#include "tests/serve_util.h"

#include <json-c/json.h>
#include <math.h>
#include "lib/serve_jobs.h"
#include "lib/serve_live.h"
#include "lib/view.h"
#include "tests/profile_make.h"

#define MANY 1000

/* --- The module --- */

/* Two call stacks, one of them by two processes, that allocated @allocated bytes. */
static void make_profile(int64_t allocated)
{
	uint64_t frames[] = { 1, 2 };
	unsigned char *data;
	char path[300];
	struct make m;
	size_t size;
	FILE *f;

	make_begin(&m);
	make_type(&m, "inuse_space", "bytes");
	make_type(&m, "alloc_space", "bytes");
	make_location(&m, "leaf", 0);
	make_location(&m, "caller", 0);
	make_label(&m, make_sample(&m, 2, frames, INT64_C(4096), allocated), "comm", "sh");
	make_label(&m, make_sample(&m, 2, frames, INT64_C(1024), INT64_C(0)), "comm", "bash");
	make_label(&m, make_sample(&m, 1, frames + 1, INT64_C(512), INT64_C(0)), "comm", "bash");
	data = make_end(&m, &size);
	snprintf(path, sizeof(path), "%s/device", dir);
	f = fopen(path, "we");
	if (!f || !fwrite(data, size, 1, f) || fclose(f))
		exit(1);
	free(data);
}

static void make_caches(int nr, int mallocs)
{
	static char text[MANY * 80];
	int n = sprintf(text,
			"#name id size inuse_bytes waste_pct live_objs cached mallocs state\n");

	for (int i = 0; i < nr; i++)
		n += sprintf(text + n, "cache-%d %d 8 %d 12.5 3 4 %d active\n", i, i + 1,
			     4096 * (i + 1), mallocs);
	put("caches/table", text);
	sprintf(text, "sys_bytes 4096\nmallocs %d\nuptime_ns %d\n", mallocs, mallocs);
	put("stats", text);
}

/* --- JSON --- */

static struct json_object *doc;

static struct json_object *member(const char *name)
{
	struct json_object *o = NULL;

	json_object_object_get_ex(doc, name, &o);
	return o;
}

static struct json_object *cell(const char *view, unsigned int row, const char *name)
{
	struct json_object *o = json_object_array_get_idx(member(view), row), *found = NULL;

	json_object_object_get_ex(o, name, &found);
	return found;
}

static void take_json(const char *text, const char *what)
{
	json_object_put(doc);
	doc = json_tokener_parse(text);
	ok(json_object_get_int(member("schema")) == 1, what);
	same_text(json_object_get_string(member("command")), "live", "the document's name");
}

static void ask(const char *query, const char *what)
{
	char head[512];

	snprintf(head, sizeof(head),
		 "GET /live.json%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		 query);
	get(head, "HTTP/1.1 200", what);
	take_json(strstr(answer, "\r\n\r\n") + 4, what);
}

static void refused(const char *query, const char *want, const char *what)
{
	char head[512];

	snprintf(head, sizeof(head),
		 "GET /live.json%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		 query);
	get(head, want, what);
}

/* Is a rate that of @n in the time between the readings?  It is rounded. */
static bool is_rate(const char *view, const char *name, double n)
{
	double seconds = json_object_get_double(member("seconds"));
	struct json_object *o = cell(view, 0, name);

	return o && seconds > 0 && fabs(json_object_get_double(o) * seconds - n) <= seconds;
}

/* A reading that is a second old is not shown again. */
static void wait_for_another(void)
{
	usleep(1100000);
}

/* --- Tests --- */

static void page(void)
{
	get(ASK("/live", ""), "HTTP/1.1 200", "the live page");
	ok(strstr(answer, "Content-Type: text/html") &&
		   strstr(answer, "<title>Quarry, live</title>"),
	   "is a page");
	ok(strstr(answer, "connect-src 'self'") && strstr(answer, "frame-ancestors 'none'"),
	   "which asks only this server, and is in no other page");
	ok(!strstr(answer, "{{") && !strstr(answer, "\nimport ") && !strstr(answer, "\nexport "),
	   "whose parts are all there");
	get(ASK("/", ""), "href=\"/live\"", "the index leads to it");
}

static void caches(void)
{
	int64_t begin, time;

	ask("", "a view");
	same_text(json_object_get_string(member("view")), "caches", "it is caches");
	ok(!member("domain"), "of no domain");
	same(json_object_get_int(member("rows")), 2, "with two rows");
	same_text(json_object_get_string(cell("caches", 0, "name")), "cache-1",
		  "the largest first");
	same(json_object_get_int(cell("caches", 0, "inuse_bytes")), 8192, "and what it holds");
	ok(!cell("caches", 0, "mallocs_per_second"), "one reading has no rate");
	begin = q_jobs_now();
	ask("?sort=name", "the same sorted by names");
	same_text(json_object_get_string(cell("caches", 0, "name")), "cache-0",
		  "is in their order");
	time = json_object_get_int64(member("time_ns"));
	ask("?filter=CACHE-1", "the same with a filter");
	same(json_object_get_int(member("rows")), 1, "has one row");
	if (q_jobs_now() - begin < 900)
		same(json_object_get_int64(member("time_ns")), time,
		     "nothing is read twice in a second");
	make_caches(2, 1017);
	wait_for_another();
	ask("?view=caches", "a second reading");
	ok(is_rate("caches", "mallocs_per_second", 1000), "has rates");
	make_caches(MANY, 1017);
	wait_for_another();
	ask("", "many caches");
	same(json_object_get_int(member("rows")), MANY, "are counted");
	same((int64_t)json_object_array_length(member("caches")), 100, "100 of them come");
	ask("?rows=500", "as many as can be had");
	same((int64_t)json_object_array_length(member("caches")), 500, "are 500");
	refused("?rows=501", "HTTP/1.1 400", "more are not");
}

static void profiles(void)
{
	ask("?view=sites", "sites");
	same(json_object_get_int(member("rows")), 2, "two stacks");
	same_text(json_object_get_string(cell("sites", 0, "stack")), "leaf < caller",
		  "the first has most");
	same(json_object_get_int(cell("sites", 0, "live_bytes")), 5120, "which is the sum");
	make_profile(9000);
	wait_for_another();
	ask("?view=sites", "sites again");
	ok(is_rate("sites", "allocated_bytes_per_second", 5000), "have rates");
	ask("?view=processes&sort=comm", "processes");
	same_text(json_object_get_string(cell("processes", 0, "comm")), "bash", "by their names");
	same(json_object_get_int(cell("processes", 0, "live_bytes")), 1536, "with what they hold");
	ask("?view=kernel", "a domain");
	same_text(json_object_get_string(member("domain")), "slab", "is slab if not told");
	refused("?view=kernel&domain=pages", "HTTP/1.1 409", "a domain that is off");
	ok(strstr(answer, "quarry kernel on pages") != NULL, "and how to switch it on");
}

static void wrong(void)
{
	refused("?view=nix", "view takes caches, sites, kernel", "no such view");
	refused("?sort=nix", "sort takes", "no such column");
	refused("?view=sites&sort=name", "sort takes", "a column of another view");
	refused("?view=kernel&domain=quarry", "the view sites", "not the kernel's");
	refused("?view=caches&domain=slab", "quarry's own heap", "caches have no domain");
	refused("?seconds=5", "the arguments are view, domain", "an argument of profiles");
	refused("?view=caches&view=sites", "given twice", "two views");
	refused("?filter=0123456789012345678901234567890123456789012345678901234567890123",
		"too long", "a filter of 64 characters");
	ask("?filter=%25%22%3c", "a filter with signs");
	same(json_object_get_int(member("rows")), 0, "matches nothing");
}

static void reload(void)
{
	char path[300], hidden[320];

	snprintf(path, sizeof(path), "%s/stats", dir);
	snprintf(hidden, sizeof(hidden), "%s.hidden", path);
	wait_for_another();
	ok(!rename(path, hidden), "the module is unloaded");
	refused("", "HTTP/1.1 503", "then there is no view");
	ok(!rename(hidden, path), "it is loaded again");
	ask("", "and there is one again");
	same(json_object_get_double(member("seconds")) == 0, true, "which begins anew");
}

static void with_token(void)
{
	struct q_token token;
	pid_t pid;

	q_token_parse(&token, "t0ken", 5);
	pid = start(&token);
	get(ASK("/live", ""), "HTTP/1.1 200", "the page asks for the token, so it needs none");
	get(ASK("/live.json", ""), "HTTP/1.1 401", "a view needs it");
	get(ASK("/live.json", "Authorization: Bearer t0ken\r\n"), "HTTP/1.1 200",
	    "and comes with it");
	stop(pid);
}

/* Without a server: what is kept, and for how long. */
static void look(struct q_opener *o, unsigned int view, unsigned int domain)
{
	struct q_request r = { .view = view, .domain = domain, .rows = 1 };
	struct q_answer a;

	q_answer_live(&a, o, &r);
	same(a.status, 200, "a view of the library's");
	take_json(a.data, "is a document");
	q_answer_free(&a);
}

static void kept(void)
{
	struct q_opener o;
	int64_t now;

	ok(!q_opener_start(&o, getuid() ?: 65534, getgid() ?: 65534), "an opener");
	look(&o, Q_VIEW_CACHES, 0);
	wait_for_another();
	look(&o, Q_VIEW_CACHES, 0);
	ok(json_object_get_double(member("seconds")) > 1, "the second reading knows the first");
	now = q_jobs_now();
	ok(q_live_forget(now) > now, "it is kept for a while");
	same(q_live_forget(now + 3600000), 0, "and not for ever");
	look(&o, Q_VIEW_CACHES, 0);
	same(json_object_get_double(member("seconds")) == 0, true, "then all begins anew");
	wait_for_another();
	look(&o, Q_VIEW_SITES, 0);
	look(&o, Q_VIEW_PROCESSES, 0);
	look(&o, Q_VIEW_CGROUPS, 0);
	look(&o, Q_VIEW_KERNEL, QUARRY_DEV_DOMAIN_SLAB);
	look(&o, Q_VIEW_CACHES, 0);
	same(json_object_get_double(member("seconds")) == 0, true, "four views are kept, not five");
	same((int64_t)q_held(), 0, "no answer is held");
	q_live_forget(INT64_MAX);
	json_object_put(doc);
	doc = NULL;
	close(o.socket);
}

int main(void)
{
	char device[300];
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	make_module();
	make_caches(2, 17);
	make_profile(4000);
	snprintf(device, sizeof(device), "%s/device", dir);
	q_options.device = device;
	pid = start(NULL);
	page();
	caches();
	profiles();
	wrong();
	reload();
	stop(pid);
	with_token();
	kept();
	remove_module();
	return tap_end();
}
