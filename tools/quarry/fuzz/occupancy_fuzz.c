// SPDX-License-Identifier: GPL-2.0
/* How full caches are, of Quarry's own table and of the kernel's /proc/slabinfo. */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include "lib/occupancy.h"
#include "lib/page.h"
#include "quarry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char type[] = "inuse_space", unit[] = "bytes";
	const struct q_pprof p = { .type = { type }, .unit = { unit }, .types = 1 };
	const char *const name = "fuzz";

	for (unsigned int domain = 0; domain < 2; domain++) {
		struct q_occupancies o;
		const struct q_page page = {
			.title = name, .moment = &p, .name = &name, .moments = 1, .caches = &o
		};
		struct fuzz_part part;
		size_t html_size;
		char *html;

		fuzz_cut(data, size, &part, 1);
		q_occupancies_parse(&o, domain, fuzz_take(&part));
		expect(o.nr == o.lines.nr);
		expect(!q_page_make(&page, &html, &html_size));
		free(html);
		q_occupancies_free(&o);
	}
	return 0;
}
