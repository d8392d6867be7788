// SPDX-License-Identifier: GPL-2.0
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/page.h"
#include "lib/problem.h"
#include "lib/table.h"

/* A page of which there is only the place for the data: the harnesses need no npm. */
const char q_page_html[] = "<script>@QUARRY_DATA@</script>";
const char q_page_html_end[] = "";

/* What commands print goes nowhere, and so do messages, but for those of libFuzzer. */
__attribute__((constructor)) static void be_quiet(void)
{
	expect(freopen("/dev/null", "w", stdout));
	q_problem_hold(1);
}

void fuzz_cut(const uint8_t *data, size_t size, struct fuzz_part *part, unsigned int nr)
{
	const uint8_t *end = data + size;

	for (unsigned int i = 0; i < nr; i++) {
		const uint8_t *cut = i < nr - 1 ? memmem(data, (size_t)(end - data), "@@\n", 3) :
						  NULL;

		part[i].size = (size_t)((cut ?: end) - data);
		part[i].text = q_alloc(part[i].size + 1);
		memcpy(part[i].text, data, part[i].size);
		data = cut ? cut + 3 : end;
	}
}

void fuzz_parts_free(struct fuzz_part *part, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		free(part[i].text);
}

char *fuzz_take(struct fuzz_part *part)
{
	char *text = part->text;

	part->text = NULL;
	return text;
}

const char *fuzz_file(char path[64], const void *data, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return path;
}

void fuzz_file_close(const char *path)
{
	close(atoi(strrchr(path, '/') + 1));
}
