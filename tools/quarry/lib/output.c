// SPDX-License-Identifier: GPL-2.0
#include "lib/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/problem.h"

/* A device, a pipe or a link is written to.  A new file must not take its place. */
static bool replaceable(const char *file)
{
	struct stat st;

	return lstat(file, &st) || S_ISREG(st.st_mode);
}

int q_output(const char *file, const void *data, size_t size)
{
	bool to_stdout = !file || !strcmp(file, "-"), whole = !to_stdout && replaceable(file);
	char name[4096];
	FILE *f = stdout;

	if (!to_stdout) {
		snprintf(name, sizeof(name), whole ? "%s.new" : "%s", file);
		f = fopen(name, "we");
		if (!f)
			return q_problem(Q_FAILED, "%s: %s", name, strerror(errno));
	}
	if ((fwrite(data, 1, size, f) != size) | (f != stdout && fclose(f)) ||
	    (whole && rename(name, file))) {
		if (whole)
			unlink(name);
		return q_problem(Q_FAILED, "%s: %s", file ?: "standard output", strerror(errno));
	}
	return Q_OK;
}
