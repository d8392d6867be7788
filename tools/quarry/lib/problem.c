// SPDX-License-Identifier: GPL-2.0
#include "lib/problem.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "lib/options.h"

static char held[1024];
static int holding;

int q_problem(enum q_exit status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (holding) {
		if (!*held)
			vsnprintf(held, sizeof(held), fmt, args);
	} else {
		fflush(stdout);
		fputs("quarry: ", stderr);
		vfprintf(stderr, fmt, args);
		fputc('\n', stderr);
	}
	va_end(args);
	return status;
}

void q_problem_hold(int hold)
{
	holding = hold;
	if (!hold && *held)
		fprintf(stderr, "quarry: %s\n", held);
	*held = '\0';
}

int q_module_loaded(void)
{
	return access("/sys/module", F_OK) || !access("/sys/module/quarry", F_OK);
}

bool q_debugfs_mounted(void)
{
	struct statfs fs;

	return !statfs("/sys/kernel/debug", &fs) && fs.f_type == DEBUGFS_MAGIC;
}

bool q_locked_down(void)
{
	char line[128] = "";
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			*line = '\0';
		fclose(f);
	}
	return *line && !strstr(line, "[none]");
}

int q_cannot_open(const char *what)
{
	int error = errno;

	if (strncmp(what, q_options.debugfs, strlen(q_options.debugfs)) &&
	    strcmp(what, q_options.device))
		return q_problem(Q_FAILED, "%s: %s", what, strerror(error));
	if (q_options.recording)
		return q_problem(Q_FAILED, "%s: %s", what,
				 error == ENOENT ? "the recording does not have that" :
						   strerror(error));
	if (!q_module_loaded())
		return q_problem(Q_NO_MODULE,
				 "the module is not loaded; load it with \"modprobe quarry\"");
	if (error == EPERM && q_locked_down())
		return q_problem(Q_NO_PERMISSION,
				 "%s is closed, because the kernel is locked down; "
				 "\"cat /sys/kernel/security/lockdown\" says how far",
				 what);
	if (error == EPERM || error == EACCES)
		return q_problem(Q_NO_PERMISSION,
				 "%s is for root and for CAP_PERFMON; try it with sudo", what);
	if (error == ENOENT && !strncmp(what, "/sys/kernel/debug", 17) && !q_debugfs_mounted())
		return q_problem(Q_FAILED, "debugfs is not mounted; mount it with "
					   "\"mount -t debugfs debugfs /sys/kernel/debug\"");
	return q_problem(Q_FAILED, "%s: %s", what, strerror(error));
}
