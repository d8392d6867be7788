// SPDX-License-Identifier: GPL-2.0
#include "lib/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/problem.h"

int q_output(const char *file, const void *data, size_t size)
{
	char name[4096];
	FILE *f = stdout;

	if (file && strcmp(file, "-")) {
		snprintf(name, sizeof(name), "%s.new", file);
		f = fopen(name, "we");
		if (!f)
			return q_problem(Q_FAILED, "%s: %s", name, strerror(errno));
	}
	if ((fwrite(data, 1, size, f) != size) | (f != stdout && fclose(f)) ||
	    (f != stdout && rename(name, file))) {
		if (f != stdout)
			unlink(name);
		return q_problem(Q_FAILED, "%s: %s", file ?: "standard output", strerror(errno));
	}
	return Q_OK;
}
