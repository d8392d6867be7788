// SPDX-License-Identifier: GPL-2.0
/* Pages: what names become in JSON within HTML, and how full caches are. */
#include "lib/page.h"

#include <stdlib.h>
#include "lib/problem.h"
#include "lib/svg.h"
#include "quarry.h"
#include "tap.h"

static char *string(const char *text)
{
	char *made;
	size_t size;
	FILE *f = open_memstream(&made, &size);

	q_page_string(f, text);
	fclose(f);
	return made;
}

static void same_string(const char *text, const char *want, const char *what)
{
	char *made = string(text);

	same_text(made, want, what);
	free(made);
}

static void strings(void)
{
	same_string("kmalloc-64", "\"kmalloc-64\"", "a plain name stays");
	same_string("</script><!--&", "\"\\u003c/script\\u003e\\u003c!--\\u0026\"",
		    "nothing is left that HTML knows");
	same_string("a\"b\\c\n\t\x7f", "\"a\\u0022b\\u005cc\\u000a\\u0009\\u007f\"",
		    "what JSON knows is escaped");
	same_string("gr\xc3\xb6\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x87",
		    "\"gr\xc3\xb6\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x87\"", "UTF-8 stays");
	same_string("\xff\xc3", "\"\\ufffd\\ufffd\"", "other bytes are replaced");
	same_string("\xc0\xbc", "\"\\ufffd\\ufffd\"", "a \"<\" in too many bytes is replaced");
	same_string("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "half a pair is replaced");
	same_string("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"",
		    "what is above the last character is replaced");
	same_string("\xe2\x82", "\"\\ufffd\\ufffd\"", "a character that is cut off is replaced");
}

static void files(void)
{
	same_text(q_page_file("/tmp/a.pb"), "a.pb", "a title has the last part of a path");
	same_text(q_page_file("a.pb"), "a.pb", "which may be all of it");
	same_text(q_page_file("a/"), "a/", "or nothing");
}

static void caches(void)
{
	struct q_occupancies o;

	q_occupancies_parse(&o, QUARRY_DEV_DOMAIN_SLAB,
			    strdup("slabinfo - version: 2.1\n"
				   "# name <active_objs> <num_objs> <objsize> <objperslab>\n"
				   "filp 900 1024 256 32 : tunables 0 0 0\n"
				   "huge 1 9223372036854775807 9223372036854775807 1\n"));
	same(o.nr, 2, "the kernel's caches are read");
	same_text(o.cache[0].name, "filp", "with their names");
	same(o.cache[0].memory, 256 * 1024, "memory is that of all objects");
	same(o.cache[0].live, 900, "live objects are the active ones");
	same(o.cache[1].memory, 0, "a product that is too large is none");
	q_occupancies_free(&o);
	q_occupancies_parse(&o, QUARRY_DEV_DOMAIN_QUARRY,
			    strdup("#name id size inuse_bytes live_objs cached\n"
				   "session 3 128 8192 40 7\n"));
	same(o.nr, 1, "Quarry's caches are read");
	same(o.cache[0].memory, 8192, "with their memory");
	same(o.cache[0].cached, 7, "and what CPUs keep ready");
	q_occupancies_free(&o);
	q_occupancies_parse(&o, QUARRY_DEV_DOMAIN_SLAB, strdup(""));
	same(o.nr, 0, "an empty file has no caches");
	q_occupancies_free(&o);
}

static struct q_site site(const char *stack, const char *cache, int64_t value)
{
	return (struct q_site){ (char *)stack, (char *)cache, (char *)"", { value } };
}

/* Two moments with other sites: each site is in the page once, with a value for each moment. */
static void moments(void)
{
	struct q_site old[] = { site("a < main", "x", 1), site("b < main", "x", 2) };
	struct q_site new[] = { site("b < main", "x", 3), site("b < main", "y", 4) };
	struct q_pprof moment[] = {
		{ .type = { (char *)"space" },
		  .unit = { (char *)"bytes" },
		  .types = 1,
		  .site = old,
		  .sites = 2 },
		{ .type = { (char *)"space" },
		  .unit = { (char *)"bytes" },
		  .types = 1,
		  .site = new,
		  .sites = 2 },
	};
	const char *const names[] = { "old", "new" };
	struct q_page page = { .title = "t", .moment = moment, .name = names, .moments = 2 };
	char *html;
	size_t size;

	if (&q_page_html[0] == &q_page_html_end[0]) {
		same(q_page_make(&page, &html, &size), Q_FAILED, "no page without what npm builds");
		return;
	}
	same(q_page_make(&page, &html, &size), Q_OK, "a page is made");
	ok(strstr(html,
		  "\"sites\":[\n[[0,1],\"x\",\"\"],\n[[2,1],\"x\",\"\"],\n[[2,1],\"y\",\"\"]]"),
	   "each site is there once");
	ok(strstr(html, "\"frames\":[\n\"a\",\n\"main\",\n\"b\"]"), "each function, too");
	ok(strstr(html, "\"values\":[1,2,0]},"), "with its value at the first moment");
	ok(strstr(html, "\"values\":[0,3,4]}"), "and at the second");
	ok(size == strlen(html) && strstr(html, "</html>"), "the page has its end");
	ok(!strstr(html, "@QUARRY_DATA@"), "the mark is replaced");
	free(html);
}

static void pictures(void)
{
	struct q_site sites[] = { site("leaf < main", "x", 3), site("<b> < main", "x", 1),
				  site("\xff [m] < main", "x", 4), site("gone < main", "x", 0) };
	struct q_pprof p = { .type = { (char *)"inuse_space" },
			     .unit = { (char *)"bytes" },
			     .types = 1,
			     .site = sites,
			     .sites = 4 };
	char *svg;
	size_t size;

	same(q_svg_make(&p, "t", &svg, &size), Q_OK, "a picture is drawn");
	ok(strstr(svg,
		  "<title>main: 8 B, 100.0 %</title><rect x=\"0.00\" y=\"58\" width=\"1200.00\""),
	   "a function that calls all is as wide as all");
	ok(strstr(svg, "<title>leaf: 3 B, 37.5 %</title>") && strstr(svg, "width=\"450.00\""),
	   "others have their part");
	ok(strstr(svg, "&#60;b&#62;") && !strstr(svg, "<b>"), "a name is no XML");
	ok(!strchr(svg, '\xff') && strstr(svg, "\xef\xbf\xbd [m]"), "it is UTF-8");
	ok(!strstr(svg, "gone"), "what has no value has no box");
	free(svg);
	p.sites = 0;
	same(q_svg_make(&p, "t", &svg, &size), Q_OK, "an empty profile has a picture, too");
	ok(strstr(svg, "0 B</text>\n</svg>"), "without boxes");
	free(svg);
}

int main(void)
{
	strings();
	files();
	caches();
	moments();
	pictures();
	return tap_end();
}
