// SPDX-License-Identifier: GPL-2.0
/*
 * Has the kernel free memory of two of its modules, if they are moved to Quarry:
 *
 *	hand port N	serport makes N ports, which serio's core frees with their last reference
 *	hand key N	dns_resolver makes the payloads of N keys, which the keys' collector frees
 *
 * "port" needs devpts at /dev/pts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/tty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "hand: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void wake(int unused)
{
	(void)unused;
}

/* A read of a terminal with this line discipline makes a port, which ends with the read. */
static void make_port(void)
{
	struct itimerval soon = { .it_value.tv_usec = 50000 };
	struct sigaction action = { .sa_handler = wake };
	int discipline = N_MOUSE, unlocked = 0;
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), slave;
	char c;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked))
		die("/dev/ptmx");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0)
		die("a terminal");
	if (ioctl(slave, TIOCSETD, &discipline))
		die("the line discipline of serport");
	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &soon, NULL))
		die("a timer");
	if (read(slave, &c, 1) != 0)
		die("the end of a port");
	close(slave);
	close(master);
}

static void make_key(int n)
{
	char name[32];
	long key;

	snprintf(name, sizeof(name), "quarry%d.test", n);
	key = syscall(SYS_add_key, "dns_resolver", name, "127.0.0.1", sizeof("127.0.0.1"),
		      KEY_SPEC_PROCESS_KEYRING);
	if (key < 0)
		die("add_key");
	if (syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_PROCESS_KEYRING))
		die("unlink of a key");
}

int main(int argc, char **argv)
{
	int n = argc == 3 ? atoi(argv[2]) : 0;

	if (n > 0 && !strcmp(argv[1], "port")) {
		while (n--)
			make_port();
	} else if (n > 0 && !strcmp(argv[1], "key")) {
		while (n--)
			make_key(n);
	} else {
		fprintf(stderr, "Usage: hand port|key N\n");
		return 2;
	}
	return 0;
}
