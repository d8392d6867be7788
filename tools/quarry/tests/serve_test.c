// SPDX-License-Identifier: GPL-2.0
/* What "quarry serve" accepts: requests, tokens, hosts, addresses; and how it limits clients. */
#include "tests/tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/device.h"
#include "lib/listen.h"
#include "lib/serve_answer.h"
#include "lib/serve_client.h"
#include "lib/serve_http.h"
#include "lib/serve_request.h"

/* --- Requests --- */

static void request(const char *method, const char *target, int want, const char *want_why)
{
	struct q_request r;
	char why[Q_WHY_LEN], what[300];
	int got = q_request_parse(&r, method, target, why);

	snprintf(what, sizeof(what), "%s %.250s", method, target);
	same(got, want, what);
	if (!strstr(why, want_why))
		same_text(why, want_why, "and the sentence");
	ok((want == 200) == !*why, "a sentence if it is refused");
}

static void profile(const char *target, struct q_request want)
{
	struct q_request r;
	char why[Q_WHY_LEN];

	same(q_request_parse(&r, "GET", target, why), 200, target);
	want.endpoint = Q_PROFILE;
	ok(r.endpoint == want.endpoint && r.kind == want.kind && r.domain == want.domain &&
		   r.seconds == want.seconds && r.text == want.text && r.drain == want.drain,
	   "and it means that");
}

static void requests(void)
{
	request("GET", "/", 200, "");
	request("GET", "/?x=1", 200, "");
	request("HEAD", "/debug/pprof/", 200, "");
	request("GET", "/metrics", 200, "");
	request("GET", "/metrics?collect[]=x", 200, "");
	profile("/debug/pprof/heap", (struct q_request){ 0 });
	profile("/debug/pprof/heap?", (struct q_request){ 0 });
	profile("/debug/pprof/heap?&", (struct q_request){ 0 });
	profile("/debug/pprof/allocs?seconds=5",
		(struct q_request){ .kind = QUARRY_DEV_KIND_ALLOCS, .seconds = 5 });
	profile("/debug/pprof/peak?debug=1",
		(struct q_request){ .kind = QUARRY_DEV_KIND_PEAK, .text = true });
	profile("/debug/pprof/lifetime?debug=0&gc=1",
		(struct q_request){ .kind = QUARRY_DEV_KIND_LIFETIME, .drain = true });
	profile("/debug/pprof/fragmentation?gc=0",
		(struct q_request){ .kind = QUARRY_DEV_KIND_FRAGMENTATION });
	profile("/debug/pprof/heap?domain=slab&seconds=600&debug=2",
		(struct q_request){
			.domain = QUARRY_DEV_DOMAIN_SLAB, .seconds = 600, .text = true });
	profile("/debug/pprof/heap?d%6fmain=vmallo%63",
		(struct q_request){ .domain = QUARRY_DEV_DOMAIN_VMALLOC });
	profile("/debug/pprof/heap?domain=quarry&gc=1", (struct q_request){ .drain = true });

	request("GET", "/nix", 404, "no such page");
	request("GET", "", 404, "no such page");
	request("GET", "*", 404, "no such page");
	request("GET", "//", 404, "no such page");
	request("GET", "/metrics/", 404, "no such page");
	request("GET", "/debug/pprof", 404, "no such page");
	request("GET", "/debug/pprof/heap/", 404, "no such page");
	request("GET", "/debug/pprof/../../etc/passwd", 404, "no such page");
	request("GET", "/debug/pprof/symbol", 404, "no such page");
	request("GET", "/debug/pprof/heapheapheapheapheapheap", 404, "no such page");
	request("POST", "/debug/pprof/heap", 405, "GET or HEAD");
	request("get", "/metrics", 405, "GET or HEAD");
	request("GET", "/debug/pprof/heap?seconds=0", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds=601", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds=-1", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds=", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds=1.5", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds=4294967297", 400, "1 to 600");
	request("GET", "/debug/pprof/heap?seconds=5%00", 400, "not text");
	request("GET", "/debug/pprof/heap?seconds=5%", 400, "not text");
	request("GET", "/debug/pprof/heap?seconds=5%2", 400, "not text");
	request("GET", "/debug/pprof/heap?seconds=%zz", 400, "not text");
	request("GET", "/debug/pprof/heap?seconds=\xc3\xa4", 400, "not text");
	request("GET", "/debug/pprof/heap?seconds=1&seconds=2", 400, "twice");
	request("GET", "/debug/pprof/heap?debug=3", 400, "debug takes");
	request("GET", "/debug/pprof/heap?gc=2", 400, "gc takes");
	request("GET", "/debug/pprof/heap?gc=1&domain=slab", 400, "nothing to drain");
	request("GET", "/debug/pprof/fragmentation?domain=slab", 400, "only quarry's own");
	request("GET", "/debug/pprof/heap?domain=heap", 400, "domain takes");
	request("GET", "/debug/pprof/heap?domain=slab,pages", 400, "domain takes");
	request("GET",
		"/debug/pprof/heap?domain=slabslabslabslabslabslabslabslabslabslabslabslabslabslabslabslab",
		400, "too long");
	request("GET", "/debug/pprof/heap?rate=1", 400, "the arguments are");
	request("GET", "/debug/pprof/heap?=1", 400, "the arguments are");
}

/* Random targets made of pieces that mean something: none may read or write where it must not. */
static void random_requests(void)
{
	static const char *const piece[] = {
		"/",	"debug",  "pprof",   "heap", "allocs", "?",
		"&",	"=",	  "seconds", "gc",   "domain", "slab",
		"%",	"%2",	  "%41",     "%ff",  "600",    "99999999999999999999",
		"\x80", "metrics"
	};
	unsigned int seed = 1, accepted = 0, refused = 0;

	for (int i = 0; i < 200000; i++) {
		unsigned int pieces = (seed >> 8) % 12;
		char target[512] = "/debug/pprof/heap?";
		struct q_request r;
		char why[Q_WHY_LEN];
		int status;

		if (i % 2)
			*target = '\0';
		while (pieces--) {
			seed = seed * 1103515245 + 12345;
			strcat(target, piece[(seed >> 16) % (sizeof(piece) / sizeof(*piece))]);
		}
		seed = seed * 1103515245 + 12345;
		status = q_request_parse(&r, "GET", target, why);
		accepted += status == 200;
		refused += status == 400 || status == 404;
		if (status == 200 && (r.kind >= QUARRY_DEV_KINDS ||
				      r.domain >= QUARRY_DEV_DOMAINS || r.seconds > Q_SECONDS_MAX))
			ok(false, target);
	}
	same(accepted + refused, 200000, "random targets are accepted or refused");
	ok(accepted && refused, "both happens");
}

static void sharing(void)
{
	struct q_request a = { .endpoint = Q_PROFILE }, b = a;

	ok(q_request_same(&a, &b), "equal requests share an answer");
	b.drain = true;
	ok(!q_request_same(&a, &b), "but not if one drains");
	b = a;
	b.text = true;
	ok(!q_request_same(&a, &b), "or has another format");
	b = a;
	b.domain = 1;
	ok(!q_request_same(&a, &b), "or another domain");
	b = a;
	b.kind = 1;
	ok(!q_request_same(&a, &b), "or another kind");
	a.seconds = b.seconds = 5;
	b.kind = 0;
	ok(!q_request_same(&a, &b), "and deltas never share, because they begin apart");
}

static void accepting(void)
{
	ok(!q_accepts_openmetrics(NULL), "no Accept is no OpenMetrics");
	ok(!q_accepts_openmetrics("*/*"), "any type is not either: promtool wants the old format");
	ok(!q_accepts_openmetrics("text/plain"), "text/plain");
	ok(q_accepts_openmetrics("application/openmetrics-text"), "OpenMetrics alone");
	/* What Prometheus 2.42 sends. */
	ok(q_accepts_openmetrics("application/openmetrics-text;version=1.0.0,"
				 "application/openmetrics-text;version=0.0.1;q=0.75,"
				 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
	   "Prometheus");
	ok(q_accepts_openmetrics("text/plain;q=0.5, Application/OpenMetrics-Text;q=0.9"), "second");
	ok(!q_accepts_openmetrics("application/openmetrics-text;q=0, text/plain"),
	   "refused by q=0");
	ok(!q_accepts_openmetrics("application/openmetrics-textual"), "a longer name");
	ok(!q_accepts_openmetrics(",,, ,"), "only commas");
}

/* --- Who may ask --- */

static void tokens(void)
{
	char bytes[300], header[400];
	struct q_token t, other;
	bool all = true;

	ok(!q_token_parse(&t, " secret-1\n", 10), "a token in a line");
	same_text(t.text, "secret-1", "without what is around it");
	ok(q_token_allows(&t, "Bearer secret-1"), "the token");
	ok(q_token_allows(&t, "bearer  secret-1"), "with another spelling of its scheme");
	ok(!q_token_allows(&t, NULL), "none");
	ok(!q_token_allows(&t, ""), "an empty one");
	ok(!q_token_allows(&t, "Bearer "), "only the scheme");
	ok(!q_token_allows(&t, "Bearer"), "less than the scheme");
	ok(!q_token_allows(&t, "Basic secret-1"), "another scheme");
	ok(!q_token_allows(&t, "secret-1"), "no scheme");
	ok(!q_token_allows(&t, "Bearer secret-"), "a shorter one");
	ok(!q_token_allows(&t, "Bearer secret-12"), "a longer one");
	ok(!q_token_allows(&t, "Bearer secret-1 "), "one with a blank behind it");
	ok(!q_token_allows(&t, "Bearer Secret-1"), "other letters");

	memset(bytes, 'x', sizeof(bytes));
	ok(!q_token_parse(&t, bytes, 255), "255 characters");
	snprintf(header, sizeof(header), "Bearer %.255s", bytes);
	ok(q_token_allows(&t, header), "and all of them");
	for (int i = 0; i < 255; i++) {
		header[7 + i] ^= 1;
		all &= !q_token_allows(&t, header);
		header[7 + i] ^= 1;
	}
	ok(all, "one wrong character anywhere is refused");
	snprintf(header, sizeof(header), "Bearer %.256s", bytes);
	ok(!q_token_allows(&t, header), "256 are too many");
	snprintf(header, sizeof(header), "Bearer %.290s", bytes);
	ok(!q_token_allows(&t, header), "290 too");
	ok(q_token_parse(&other, bytes, 256) != NULL, "no token of 256 characters");
	ok(q_token_parse(&other, "", 0) != NULL, "no empty token");
	ok(q_token_parse(&other, " \r\n\t", 4) != NULL, "no token of blanks");
	ok(q_token_parse(&other, "a b", 3) != NULL, "no blank in it");
	ok(q_token_parse(&other, "a\0b", 3) != NULL, "no zero in it");
	ok(q_token_parse(&other, "\xc3\xa4", 2) != NULL, "only ASCII");
}

static void hosts(void)
{
	static const char *const local[] = { "localhost",      "LocalHost:6061", "127.0.0.1",
					     "127.0.0.1:6061", "[::1]:6061",	 "[::1]",
					     "10.0.0.1:1" };
	static const char *const name[] = { "",
					    ":6061",
					    "evil.example",
					    "evil.example:6061",
					    "localhost.evil.example",
					    "127.0.0.1.evil.example",
					    "[",
					    "[evil",
					    "127.0.0.1x",
					    "[]" };

	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		ok(q_host_is_local(local[i]), local[i]);
	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++)
		ok(!q_host_is_local(name[i]), *name[i] ? name[i] : "no host");
}

static void address(const char *text, const char *want, bool loopback)
{
	struct q_address a;
	char buf[Q_ADDRESS_LEN];

	same_text(q_address_parse(&a, text) ?: q_address_text(buf, &a), want, text);
	same(a.loopback, loopback, "can others reach it?");
}

static void addresses(void)
{
	static const char *const bad[] = { "",
					   ":",
					   "6061",
					   ":6061",
					   "127.0.0.1",
					   "127.0.0.1:",
					   "127.0.0.1:65536",
					   "127.0.0.1:-1",
					   "127.0.0.1: 1",
					   "127.0.0.1:1x",
					   "localhost:6061",
					   "::1:6061",
					   "[::1]",
					   "[::1:6061",
					   "[]:1",
					   "[127.0.0.1]:1",
					   "256.0.0.1:1" };
	struct q_address a;

	address("127.0.0.1:6061", "127.0.0.1:6061", true);
	address("127.255.0.1:0", "127.255.0.1:0", true);
	address("[::1]:6061", "[::1]:6061", true);
	address("0.0.0.0:6061", "0.0.0.0:6061", false);
	address("[::]:6061", "[::]:6061", false);
	address("192.168.1.7:65535", "192.168.1.7:65535", false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(q_address_parse(&a, bad[i]) != NULL, *bad[i] ? bad[i] : "an empty address");
}

/* --- Limits --- */

static void memory(void)
{
	struct q_answer a;

	same((int64_t)q_held(), 0, "nothing is held");
	ok(q_held_add(Q_ANSWERS_MAX), "all of the memory");
	ok(!q_held_add(1), "and not a byte more");
	q_answer_text(&a, 503, "No.");
	same(a.status, 503, "a sentence can always be had");
	same_text(a.data, "No.\n", "with its text");
	ok(a.retry > 0, "and 503 says when to ask again");
	q_answer_free(&a);
	q_held_drop(Q_ANSWERS_MAX);
	ok(!q_held_add(Q_ANSWERS_MAX + 1), "more than all is refused");
	ok(!q_held_add(SIZE_MAX), "without an overflow");
	same((int64_t)q_held(), 0, "nothing is held at the end");
}

static bool is_shut(int other_end)
{
	char c;

	return recv(other_end, &c, 1, MSG_DONTWAIT) == 0;
}

static void clients(void)
{
	struct q_clients all = { .max = 8 };
	struct q_client *c[8] = { NULL };
	int pair[8][2], i;

	for (i = 0; i < 8; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]))
			exit(1);
	for (i = 0; i < 7; i++)
		c[i] = q_client_add(&all, pair[i][0], 1000 + i);
	same(all.nr, 7, "seven clients");
	q_client_phase(c[0], Q_WAITS, 2000, 0);
	q_client_phase(c[1], Q_READS, 1500, Q_READ_TIME);
	q_client_phase(c[2], Q_IDLE, 1400, Q_IDLE_TIME);
	c[7] = q_client_add(&all, pair[7][0], 3000);
	ok(is_shut(pair[3][1]), "one that sends no request is shut when room is short");
	for (i = 0; i < 8; i++)
		if (i != 3)
			ok(!is_shut(pair[i][1]), "and no other one");
	same(q_clients_reap(&all, 3000), 1004 + Q_HEAD_TIME, "the next one that takes too long");
	same(q_clients_reap(&all, 1006 + Q_HEAD_TIME), 3000 + Q_HEAD_TIME, "three take too long");
	ok(is_shut(pair[4][1]) && is_shut(pair[5][1]) && is_shut(pair[6][1]), "they are shut");
	q_clients_shut_reader(&all, 2000);
	ok(!is_shut(pair[1][1]), "a reader has a second");
	q_clients_shut_reader(&all, 3000);
	ok(is_shut(pair[1][1]), "and is shut when memory is short");
	same(q_clients_reap(&all, 1400 + Q_IDLE_TIME + 1), 0, "all are shut but");
	ok(!is_shut(pair[0][1]), "the one that waits for the server");
	for (i = 0; i < 8; i++)
		q_client_remove(&all, c[i]);
	same(all.nr, 0, "no client");
	for (i = 0; i < 8; i++) {
		close(pair[i][0]);
		close(pair[i][1]);
	}
}

int main(void)
{
	requests();
	random_requests();
	sharing();
	accepting();
	tokens();
	hosts();
	addresses();
	memory();
	clients();
	return tap_end();
}
