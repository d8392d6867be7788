/* SPDX-License-Identifier: GPL-2.0 */
/* Text from files, which somebody else may have made. */
#ifndef Q_CLEAN_H
#define Q_CLEAN_H

/*
 * Replace by '?' what a terminal would take for a command, and what is not UTF-8: the module's names
 * have neither, but a recording or a profile may have any bytes.  Lines and tabs stay.
 */
void q_clean_lines(char *text);

/* The same for a name: lines and tabs are replaced, too. */
void q_clean_name(char *name);

#endif
