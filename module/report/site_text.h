/* SPDX-License-Identifier: GPL-2.0 */
/* Sites of a profile as the log names them: one line for each place in the code. */
#ifndef QR_SITE_TEXT_H
#define QR_SITE_TEXT_H

#include <linux/kallsyms.h>
#include <quarry/profile.h>

/**
 * struct qr_site_text - memory for the text of a stack
 * @text: the text
 * @symbol: the name of a function
 */
struct qr_site_text {
	char text[400];
	char symbol[KSYM_SYMBOL_LEN];
};

/* The names of a site's @most innermost functions: "user+0x1c/0x80 [module] <- caller+0x5/0x9". */
const char *qr_site_text(struct qr_site_text *buf, const struct quarry_site *site,
			 unsigned int most);

/*
 * Rows of one stack and cache differ in their labels only, and the log names the place once: merge
 * what is in use in the rows of each place into one of them, and sort these, the largest first.
 * Returns how many places have live objects.  Sleeps, but asks for no memory.
 */
u32 qr_sites_merge(struct quarry_site *site, u32 nr);

/* A number of objects, rounded. */
static inline u64 qr_whole_objects(u64 objects)
{
	return (objects + (1ULL << (QR_OBJECTS_SHIFT - 1))) >> QR_OBJECTS_SHIFT;
}

#endif /* QR_SITE_TEXT_H */
