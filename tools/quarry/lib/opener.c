// SPDX-License-Identifier: GPL-2.0
#include "lib/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/confine.h"
#include "lib/device.h"
#include "lib/options.h"
#include "lib/problem.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

/* --- The opener --- */

static int drain(void)
{
	struct quarry_dev_action action = { 0 };
	int fd = open(q_options.device, O_RDONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, QUARRY_IOC_DRAIN, &action))
		error = -errno;
	close(fd);
	return error;
}

static int open_file(unsigned int file)
{
	char path[4096];
	int fd;

	if (file == Q_FILE_DEVICE)
		snprintf(path, sizeof(path), "%s", q_options.device);
	else if (file == Q_FILE_STATS)
		snprintf(path, sizeof(path), "%s/stats", q_options.debugfs);
	else if (file == Q_FILE_CACHES)
		snprintf(path, sizeof(path), "%s/caches/table", q_options.debugfs);
	else if (file > Q_FILE_DOMAIN && file < Q_FILE_DRAIN)
		snprintf(path, sizeof(path), "%s/kernel/%s/stats", q_options.debugfs,
			 q_domain_name[file - Q_FILE_DOMAIN]);
	else
		return -EINVAL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Room for one descriptor beside a message. */
union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int answer(int sock, int result)
{
	int error = result < 0 ? result : 0;
	struct iovec io = { &error, sizeof(error) };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	union control control = { 0 };
	struct cmsghdr *c;
	ssize_t n;

	if (result > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &result, sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (result > 0)
		close(result);
	return n < 0 ? -1 : 0;
}

/* Until the server has closed its end. */
static int serve(int sock)
{
	unsigned char file;
	ssize_t n;

	for (;;) {
		n = read(sock, &file, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			return n < 0 ? Q_FAILED : Q_OK;
		if (answer(sock, file == Q_FILE_DRAIN ? drain() : open_file(file)))
			return Q_FAILED;
	}
}

int q_opener_start(struct q_opener *o, uid_t uid, gid_t gid)
{
	int pair[2], error;
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return q_problem(Q_FAILED, "making a socket: %s", strerror(errno));
	/* A descriptor that is 0 could not be told from success, so 0 to 2 have to be taken. */
	o->pid = fork();
	if (o->pid < 0) {
		error = errno;
		close(pair[0]);
		close(pair[1]);
		return q_problem(Q_FAILED, "starting a process: %s", strerror(error));
	}
	if (!o->pid) {
		prctl(PR_SET_NAME, "quarry-opener");
		/* Signals of a terminal are for the server, whose end this process sees. */
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		if (q_confine(uid, gid, Q_CAP(CAP_DAC_READ_SEARCH) | Q_CAP(CAP_PERFMON)))
			_exit(Q_FAILED);
		/* After the change of the user, which would take it back. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(Q_OK);
		/* Nothing else of the server's stays open here: no socket of clients. */
		close_range(3, (unsigned int)pair[1] - 1, 0);
		close_range((unsigned int)pair[1] + 1, ~0U, 0);
		_exit(serve(pair[1]));
	}
	close(pair[1]);
	o->socket = pair[0];
	return Q_OK;
}

/* --- The server --- */

/* A question and its answer belong together. */
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;

static int ask(int sock, unsigned char file)
{
	union control control = { 0 };
	int error, fd = 0;
	struct iovec io = { &error, sizeof(error) };
	struct msghdr msg = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c;
	ssize_t n;

	if (send(sock, &file, 1, MSG_NOSIGNAL) != 1)
		return -EPIPE;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(error))
		return -EPIPE;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return error ?: fd;
}

int q_opener_ask(struct q_opener *o, enum q_file file)
{
	int result;

	pthread_mutex_lock(&asking);
	result = ask(o->socket, (unsigned char)file);
	pthread_mutex_unlock(&asking);
	return result;
}
