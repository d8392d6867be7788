// SPDX-License-Identifier: GPL-2.0
/*
 * A server and a module that is files in a folder, for clients that are other programs.  The device
 * is a file, and ioctl() is a function here, so no module is needed and none is read.
 *
 *   serve_alone [DIR [TOKEN]]
 *       DIR is as the module's folder in debugfs, and has the file "device", which is what a profile
 *       of the module would be.  Without it there is one with little in it (sloppy.sh).
 *
 * Prints the port, and serves until SIGTERM.
 */
#include "tests/serve_device.h"
#include "tests/serve_util.h"

#define PROFILE_SIZE (1 << 20)

static void ready(void)
{
	printf("%u\n", ntohs(((struct sockaddr_in *)&address.store)->sin_port));
	fflush(stdout);
}

/* A module with a profile of 1 MiB, so that slow readers leave something unread. */
static void make_all(void)
{
	static char text[PROFILE_SIZE];

	make_module();
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 64 == 63 ? '\n' : 'a' + (char)(i % 23);
	put("device", text);
}

int main(int argc, char **argv)
{
	char device[300], command[300];
	struct q_opener opener;
	struct q_token token;
	struct q_server s = { .local = true, .connections = 512, .profiles = 4, .opener = &opener };
	int status;

	if (argc > 1)
		q_options.debugfs = argv[1];
	else
		make_all();
	if (argc > 2 && !q_token_parse(&token, argv[2], strlen(argv[2])))
		s.token = &token;
	snprintf(device, sizeof(device), "%s/device", q_options.debugfs);
	q_options.device = device;
	q_address_parse(&address, "127.0.0.1:0");
	s.listen = q_address_listen(&address);
	status = s.listen < 0 || q_opener_start(&opener, getuid() ?: 65534, getgid() ?: 65534) ||
		 q_server_run(&s, ready);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return (argc < 2 && system(command)) || status;
}
