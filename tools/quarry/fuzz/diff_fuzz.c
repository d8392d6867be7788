// SPDX-License-Identifier: GPL-2.0
/* Two profiles in files, the older one first: "quarry diff", and "quarry profile --input". */
#include "fuzz/fuzz.h"

#include "command.h"

static void run(q_command_fn command, const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = { (char *)a, (char *)b, (char *)c, (char *)d, NULL };

	q_options.json = false;
	command(4, argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_part part[2];
	char old[64], new[64];

	fuzz_cut(data, size, part, 2);
	fuzz_file(old, part[0].text, part[0].size);
	fuzz_file(new, part[1].text, part[1].size);
	run(q_diff, "diff", "--lines=20", old, new);
	run(q_diff, "diff", "--json", old, new);
	run(q_diff, "diff", "--output=-", old, new);
	run(q_profile, "profile", "--svg", "--input", new);
	fuzz_file_close(old);
	fuzz_file_close(new);
	fuzz_parts_free(part, 2);
	return 0;
}
