// SPDX-License-Identifier: GPL-2.0
#include "lib/signals.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int q_signals_open(bool resize)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (resize)
		sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int q_signals_next(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

int64_t q_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

bool q_signals_wait(int fd, int64_t until_ns)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int64_t left;

	while ((left = until_ns - q_now_ns()) > 0) {
		struct timespec time = { left / 1000000000, left % 1000000000 };

		if (ppoll(&ready, 1, &time, NULL) > 0)
			return true;
	}
	/* Also one that came while something else was done. */
	return poll(&ready, 1, 0) > 0;
}
