/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process that opens the module's files for a server.
 *
 * The files of the module can be opened by root only, and the process that talks to clients shall
 * have no rights at all.  It could keep open files.  But one that is open keeps the module from
 * being unloaded, and a profile needs an open file of its own.  So "quarry serve" has two processes.
 * The server has no capability and no open file of the module.  The opener has two capabilities, to
 * open what only root may open and to open /dev/quarry.  It takes one byte from the server, which
 * is a number of the list below, and sends back the file that it has opened, or an error.  It never
 * sees a byte of a client's.
 */
#ifndef Q_OPENER_H
#define Q_OPENER_H

#include <stdint.h>
#include <sys/types.h>
#include "quarry.h"

/**
 * enum q_file - what the server can ask for
 * @Q_FILE_DEVICE: /dev/quarry, to read
 * @Q_FILE_STATS: stats
 * @Q_FILE_CACHES: caches/table
 * @Q_FILE_DOMAIN: kernel/<domain>/stats of the domain with the number 0, which there is not; those
 *	of the others follow
 * @Q_FILE_DRAIN: no file: empty magazines and depots.  The module lets only a process with rights
 *	do that
 * @Q_FILES: how many there are
 */
enum q_file {
	Q_FILE_DEVICE,
	Q_FILE_STATS,
	Q_FILE_CACHES,
	Q_FILE_DOMAIN,
	Q_FILE_DRAIN = Q_FILE_DOMAIN + QUARRY_DEV_DOMAINS,
	Q_FILES
};

/**
 * struct q_opener - the server's end
 * @socket: to the process
 * @pid: its number
 */
struct q_opener {
	int socket;
	pid_t pid;
};

/*
 * Start the process.  It becomes the user and the group, and ends when the server ends.  An exit
 * status.
 */
int q_opener_start(struct q_opener *o, uid_t uid, gid_t gid);

/* An open file, 0 after Q_FILE_DRAIN, or an error below 0.  Threads may call it. */
int q_opener_ask(struct q_opener *o, enum q_file file);

#endif
