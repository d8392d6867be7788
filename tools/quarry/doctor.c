// SPDX-License-Identifier: GPL-2.0
/*
 * doctor: what keeps Quarry from working, each with the command that helps.  It goes on after a
 * fault, as far as that makes sense, so that one run finds all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "command.h"
#include "lib/debugfs.h"
#include "lib/device.h"
#include "lib/table.h"

enum verdict { GOOD, NOTE, BAD };

/**
 * struct visit - the answers so far
 * @answers: for JSON
 * @worst: the worst verdict
 */
struct visit {
	struct json_object *answers;
	enum verdict worst;
};

/* One answer, and what helps, or NULL. */
__attribute__((format(printf, 4, 5))) static void say(struct visit *v, enum verdict verdict,
						      const char *help, const char *fmt, ...)
{
	static const char *const name[] = { "ok", "note", "wrong" };
	static const char *const colour[] = { "\033[32m", "\033[33m", "\033[31m" };
	struct json_object *o;
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (verdict > v->worst)
		v->worst = verdict;
	if (!q_options.json) {
		printf("%s%-5s%s  %s\n", q_options.colour ? colour[verdict] : "", name[verdict],
		       q_options.colour ? "\033[0m" : "", text);
		if (help)
			printf("       %s\n", help);
	}
	o = json_object_new_object();
	json_object_object_add(o, "verdict", json_object_new_string(name[verdict]));
	json_object_object_add(o, "text", json_object_new_string(text));
	json_object_object_add(o, "help", help ? json_object_new_string(help) : NULL);
	json_object_array_add(v->answers, o);
}

/* The first line of a file, without its end; "" if it cannot be read. */
static const char *line_of(const char *path)
{
	static char line[256];
	FILE *f = fopen(path, "re");

	*line = '\0';
	if (f && fgets(line, sizeof(line), f))
		line[strcspn(line, "\n")] = '\0';
	if (f)
		fclose(f);
	return line;
}

static bool look_at_module(struct visit *v)
{
	struct utsname u;
	unsigned int major = 0, minor = 0;
	const char *version;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	if (major < 6 || (major == 6 && minor < 1))
		say(v, BAD, "Quarry is for Linux 6.1 and later.", "The kernel is %s.", u.release);
	else
		say(v, GOOD, NULL, "The kernel is %s.", u.release);
	if (access("/sys/module/quarry", F_OK)) {
		say(v, BAD, "modprobe quarry     (or insmod quarry.ko, where it was built)",
		    "The module is not loaded.");
		return false;
	}
	version = line_of("/sys/module/quarry/version");
	if (strcmp(version, QUARRY_VERSION))
		say(v, NOTE, "rmmod quarry && modprobe quarry     (after both are installed anew)",
		    "The module that is loaded has version %s, this program " QUARRY_VERSION ".",
		    version);
	else
		say(v, GOOD, NULL, "The module is loaded, version %s.", version);
	return true;
}

static void look_at_lockdown(struct visit *v)
{
	const char *line = line_of("/sys/kernel/security/lockdown");

	if (strstr(line, "[integrity]"))
		say(v, NOTE, NULL,
		    "The kernel is locked down for integrity: all can be read, and nothing changed.");
	else if (strstr(line, "[confidentiality]"))
		say(v, NOTE, NULL,
		    "The kernel is locked down for confidentiality: nothing can be changed, no "
		    "address is shown, and parts of the kernel profile may be missing.");
	else
		say(v, GOOD, NULL, "The kernel is not locked down.");
}

static void look_at_debugfs(struct visit *v)
{
	if (!access(q_debugfs_path("stats"), R_OK)) {
		say(v, GOOD, NULL, "%s can be read.", q_options.debugfs);
		return;
	}
	if (geteuid())
		say(v, BAD, "sudo quarry doctor", "%s is for root only.", q_options.debugfs);
	else if (!q_debugfs_mounted())
		say(v, BAD, "mount -t debugfs debugfs /sys/kernel/debug",
		    "debugfs is not mounted.");
	else
		say(v, BAD, "dmesg | grep quarry", "%s is not there.", q_options.debugfs);
}

static void look_at_domains(struct visit *v, struct q_device *d)
{
	for (unsigned int i = 1; i < d->info.domains; i++) {
		struct quarry_dev_domain state = { .domain = i };

		if (ioctl(d->fd, QUARRY_IOC_DOMAIN, &state))
			say(v, BAD, NULL, "Domain %u cannot be read: %s.", i, strerror(errno));
		else if (state.enabled && state.missed_calls)
			say(v, NOTE, NULL,
			    "Domain %s: the kernel did not report %llu bulk calls; the profile heals.",
			    state.name, (unsigned long long)state.missed_calls);
	}
	if (line_of("/proc/sys/kernel/kptr_restrict")[0] == '2')
		say(v, NOTE, "sysctl kernel.kptr_restrict=1",
		    "kptr_restrict is 2: profiles have no addresses, and no source lines.");
}

static void look_at_device(struct visit *v)
{
	struct q_device d = { .fd = open(q_options.device, O_RDONLY | O_CLOEXEC) };
	int error = errno;

	if (d.fd < 0 && (error == EPERM || error == EACCES)) {
		say(v, BAD, "sudo quarry doctor", "%s is for root and for CAP_PERFMON.",
		    q_options.device);
		return;
	}
	if (d.fd < 0) {
		say(v, BAD, "systemctl status systemd-udevd", "%s: %s.", q_options.device,
		    strerror(error));
		return;
	}
	if (ioctl(d.fd, QUARRY_IOC_INFO, &d.info) || d.info.version != QUARRY_ABI_VERSION) {
		say(v, BAD, "install module and program from one version, and load the module anew",
		    "The module's interface is another one than this program's.");
	} else {
		say(v, GOOD, NULL, "%s answers, interface %u.", q_options.device, d.info.version);
		look_at_domains(v, &d);
	}
	close(d.fd);
}

/* The books of all layers. */
static void look_at_books(struct visit *v)
{
	struct q_values books;
	const char *verdict;
	int status;
	char *text;

	if (access(q_debugfs_path("control/validate"), R_OK))
		return;
	text = q_read_file(q_debugfs_path("control/validate"), NULL, &status);
	if (!text)
		return;
	q_values_parse(&books, text);
	verdict = q_value_text(&books, "verdict");
	if (!strcmp(verdict, "ok"))
		say(v, GOOD, NULL, "The walker finds no error in the books.");
	else
		say(v, BAD, "cat /sys/kernel/debug/quarry/control/validate", "The walker: %s.",
		    verdict);
	q_values_free(&books);
}

int q_doctor(int argc, char **argv)
{
	struct visit v = { .answers = json_object_new_array() };
	struct json_object *o;

	q_parse_common(argc, argv,
		       "Look for what keeps Quarry from working, and say what helps.  The status is 6 if "
		       "anything is wrong.");
	if (look_at_module(&v)) {
		look_at_lockdown(&v);
		look_at_debugfs(&v);
		look_at_device(&v);
		look_at_books(&v);
	}
	if (q_options.json) {
		o = json_object_new_object();
		json_object_object_add(o, "answers", json_object_get(v.answers));
		q_json_print(o, "doctor");
	}
	json_object_put(v.answers);
	return v.worst == BAD ? Q_FOUND : Q_OK;
}
