/* SPDX-License-Identifier: GPL-2.0 */
/* What is not as it should be, in words; and memory as a bar. */
#ifndef Q_WARNINGS_H
#define Q_WARNINGS_H

#include "lib/debugfs.h"
#include "lib/device.h"

struct json_object;

/* An array of texts, which is to be given back: by the file stats and the domains of the kernel. */
struct json_object *q_warnings(const struct q_values *v, const struct quarry_dev_domain *domain,
			       unsigned int domains);

/*
 * What is held, in @width characters and a zero: objects that are live, the rest of what is in use,
 * idle pages, metadata.
 */
void q_memory_bar(char *buf, int width, const struct q_values *v);
extern const char q_memory_legend[];

#endif
