// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) "quarry: " fmt

#include "probe/tracepoints.h"

#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

struct search {
	const char *name;
	struct tracepoint *found;
};

static void look_at(struct tracepoint *tp, void *priv)
{
	struct search *s = priv;

	if (!strcmp(tp->name, s->name))
		s->found = tp;
}

int qr_probes_on(struct qr_probe *probes, unsigned int n, void *data)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < n; i++) {
		struct search s = { .name = probes[i].name };

		for_each_kernel_tracepoint(look_at, &s);
		err = s.found ? tracepoint_probe_register(s.found, probes[i].probe, data) : -ENOENT;
		if (err) {
			pr_err("no probe on the kernel's tracepoint %s (error %d)\n",
			       probes[i].name, err);
			qr_probes_off(probes, i, data);
			break;
		}
		probes[i].tp = s.found;
	}
	return err;
}

void qr_probes_off(struct qr_probe *probes, unsigned int n, void *data)
{
	while (n--) {
		if (probes[n].tp)
			tracepoint_probe_unregister(probes[n].tp, probes[n].probe, data);
		probes[n].tp = NULL;
	}
}
