/* SPDX-License-Identifier: GPL-2.0 */
/* Names of caches, tasks and labels, made safe for every text that shows them. */
#ifndef QR_CLEAN_NAME_H
#define QR_CLEAN_NAME_H

#include <linux/types.h>

/*
 * Copy @name to @to, which has @size bytes, as one word.  A name is cleaned once, where Quarry
 * takes it, so all texts, the log and the tracepoints show the same word.  Each character that
 * could be mistaken for a part of a text becomes '_': blanks, control characters, invisible
 * characters, malformed UTF-8, and
 *
 *	"  \	end a string (pprof -svg writes a name into one)
 *	;	separates the frames of a folded stack
 *	=	separates the key of a label from its value
 *	#	begins a comment or the names of columns
 *
 * An empty name becomes "_".  Returns the length.
 */
size_t qr_clean_name(char *to, const char *name, size_t size);

/* Bytes of the character at @s, of at most @left; 0 for a control character or no UTF-8. */
size_t qr_character(const u8 *s, size_t left);

#endif /* QR_CLEAN_NAME_H */
