// SPDX-License-Identifier: GPL-2.0
#include "lib/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/problem.h"

/* The C library has no function for these system calls; libcap would be one more library. */
static int get_capabilities(uint64_t *permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	/* valgrind does not know that the kernel writes both. */
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data))
		return -1;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int set_capabilities(uint64_t caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)caps, .permitted = (uint32_t)caps },
		{ .effective = (uint32_t)(caps >> 32), .permitted = (uint32_t)(caps >> 32) },
	};

	return (int)syscall(SYS_capset, &head, data);
}

static int failed(const char *doing)
{
	return q_problem(Q_FAILED, "giving up rights: %s: %s", doing, strerror(errno));
}

static int become(uid_t uid, gid_t gid)
{
	/* Otherwise all capabilities would go with the user. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return failed("keeping capabilities");
	if (setgroups(0, NULL) || setresgid(gid, gid, gid))
		return failed("changing the group");
	if (setresuid(uid, uid, uid))
		return failed("changing the user");
	if (!setuid(0)) {
		errno = EPERM;
		return failed("root can be had back");
	}
	return Q_OK;
}

int q_confine(uid_t uid, gid_t gid, uint64_t keep)
{
	uint64_t has, now;
	int status;

	/* Not needed while a new program cannot gain rights, but it costs nothing. */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep & Q_CAP(cap)))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (!geteuid()) {
		status = become(uid, gid);
		if (status)
			return status;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (get_capabilities(&has) || set_capabilities(has & keep))
		return failed("dropping capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return failed("no_new_privs");
	/* No other process of this user may look into this one. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return failed("hiding memory");
	if (get_capabilities(&now) || now & ~keep) {
		errno = EPERM;
		return failed("capabilities are left");
	}
	return Q_OK;
}
