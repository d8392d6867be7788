// SPDX-License-Identifier: GPL-2.0
/*
 * What a client of "quarry serve" sends, line by line: method, target, and the headers Accept,
 * Authorization and Host.  The target is the first, as it has most in it.
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include "lib/serve_request.h"
#include "quarry.h"

static void request(const char *method, const char *target)
{
	struct q_request r, again;
	char why[Q_WHY_LEN];
	int status = q_request_parse(&r, method, target, why);

	expect(status == 200 || status == 400 || status == 404 || status == 405);
	expect(!*why == (status == 200) && strlen(why) < Q_WHY_LEN);
	if (status != 200)
		return;
	expect(r.kind < QUARRY_DEV_KINDS && r.domain < QUARRY_DEV_DOMAINS);
	expect(r.seconds <= Q_SECONDS_MAX);
	expect(q_request_parse(&again, method, target, why) == 200);
	expect(q_request_same(&r, &again) == !r.seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part part[6];
	struct q_token token;

	fuzz_cut(data, size, part, 6);
	request("GET", part[0].text);
	request(part[1].text, part[0].text);
	q_accepts_openmetrics(part[2].text);
	if (!q_token_parse(&token, part[3].text, part[3].size)) {
		expect(strlen(token.text) && strlen(token.text) < Q_TOKEN_MAX);
		q_token_allows(&token, part[4].text);
	}
	q_host_is_local(part[5].text);
	fuzz_parts_free(part, 6);
	return 0;
}
