// SPDX-License-Identifier: GPL-2.0
/* The page / of "quarry serve". */
#include "lib/serve_answer.h"

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<title>Quarry</title>\n"
	"<style>\n"
	":root { color-scheme: light dark }\n"
	"body { font: 16px/1.5 system-ui, sans-serif; max-width: 50em; margin: 2em auto; "
	"padding: 0 1em }\n"
	"td, th { padding: .1em 1.5em .1em 0; text-align: left; vertical-align: top }\n"
	"code { font-size: 95% }\n"
	"</style>\n"
	"<h1>Quarry</h1>\n"
	"<p>Profiles for <code>go tool pprof</code>, Parca and Pyroscope, and metrics for Prometheus.\n"
	"<table>\n"
	"<tr><th>Page<th>As text<th>What it shows\n"
	"<tr><td><a href=\"/debug/pprof/heap\">heap</a><td><a href=\"/debug/pprof/heap?debug=1\">text"
	"</a><td>Call stacks by the memory that they hold.\n"
	"<tr><td><a href=\"/debug/pprof/allocs\">allocs</a><td>"
	"<a href=\"/debug/pprof/allocs?debug=1\">text</a><td>Call stacks by what they have allocated "
	"so far.\n"
	"<tr><td><a href=\"/debug/pprof/peak\">peak</a><td><a href=\"/debug/pprof/peak?debug=1\">text"
	"</a><td>What was held when most memory was.\n"
	"<tr><td><a href=\"/debug/pprof/lifetime\">lifetime</a><td>"
	"<a href=\"/debug/pprof/lifetime?debug=1\">text</a><td>How long objects live.\n"
	"<tr><td><a href=\"/debug/pprof/fragmentation\">fragmentation</a><td>"
	"<a href=\"/debug/pprof/fragmentation?debug=1\">text</a><td>Whose objects keep almost empty "
	"slabs.\n"
	"<tr><td><a href=\"/metrics\">metrics</a><td><td>Every counter of the module, the largest "
	"caches, and the kernel profile.\n"
	"<tr><td><a href=\"/live\">live</a><td><td>What happens now, in a page that follows it.\n"
	"</table>\n"
	"<h2>Arguments of profiles</h2>\n"
	"<table>\n"
	"<tr><td><code>seconds=N</code><td>What is allocated in the next N seconds, at most 600.\n"
	"<tr><td><code>debug=1</code><td>The legacy text of pprof.\n"
	"<tr><td><code>gc=1</code><td>Empty magazines first, so that no free object looks live.\n"
	"<tr><td><code>domain=NAME</code><td>The kernel's own memory: slab, pages, percpu or vmalloc.\n"
	"</table>\n"
	"<p>For example: <code>go tool pprof -top http://HOST:PORT/debug/pprof/heap?domain=slab</code>\n"
	"</html>\n";

void q_answer_index(struct q_answer *a)
{
	q_answer_text(a, 200, page);
	a->type = "text/html; charset=utf-8";
}
