// SPDX-License-Identifier: GPL-2.0
#include "lib/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/problem.h"

const char *q_address_parse(struct q_address *a, const char *text)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a->store;
	struct sockaddr_in *four = (struct sockaddr_in *)&a->store;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2], *end;
	unsigned long port;
	size_t len;

	memset(a, 0, sizeof(*a));
	if (!colon || colon == text)
		return "it is not of the form ADDRESS:PORT";
	errno = 0;
	port = strtoul(colon + 1, &end, 10);
	if (errno || *end || end == colon + 1 || colon[1] < '0' || colon[1] > '9' || port > 65535)
		return "its port is not a number up to 65535";
	len = (size_t)(colon - text);
	if (len >= sizeof(host))
		return "its address is too long";
	memcpy(host, text, len);
	host[len] = '\0';
	if (*host == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		a->size = sizeof(*six);
		if (inet_pton(AF_INET6, host + 1, &six->sin6_addr) != 1)
			return "what is between [ and ] is not an IPv6 address";
		a->loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
		return NULL;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	a->size = sizeof(*four);
	if (inet_pton(AF_INET, host, &four->sin_addr) != 1)
		return "it does not begin with an IPv4 address, or an IPv6 address in [ ]";
	a->loopback = ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return NULL;
}

const char *q_address_text(char buf[Q_ADDRESS_LEN], const struct q_address *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->store;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&a->store;
	char host[INET6_ADDRSTRLEN];

	if (a->store.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(buf, Q_ADDRESS_LEN, "[%s]:%u", host, ntohs(six->sin6_port));
	} else {
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(buf, Q_ADDRESS_LEN, "%s:%u", host, ntohs(four->sin_port));
	}
	return buf;
}

int q_address_listen(struct q_address *a)
{
	int fd = socket(a->store.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	char text[Q_ADDRESS_LEN];
	int error;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (a->store.ss_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (!bind(fd, (struct sockaddr *)&a->store, a->size) && !listen(fd, 511) &&
		    !getsockname(fd, (struct sockaddr *)&a->store, &a->size))
			return fd;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	q_problem(Q_FAILED, "listening at %s: %s%s", q_address_text(text, a), strerror(error),
		  error == EADDRINUSE ? "; choose another port with --listen" : "");
	return -1;
}
