// SPDX-License-Identifier: GPL-2.0
/* "misuse": the last reports of what clients did wrong, the oldest first. */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/time64.h>
#include <quarry/misuse.h>
#include "private.h"

static void show_time(struct seq_file *m, u64 ns)
{
	u32 rest;
	u64 seconds = div_u64_rem(ns, NSEC_PER_SEC, &rest);

	seq_printf(m, "%llu.%06lu", seconds, rest / NSEC_PER_USEC);
}

static void show_object(struct seq_file *m, const struct quarry_misuse *r, bool hide)
{
	char addr[QR_ADDRESS_LEN];

	qr_address_text(addr, r->object, hide);
	seq_printf(m, "  object %s", addr);
	if (r->size)
		seq_printf(m, ", byte %zu of %zu", r->offset, r->size);
	seq_printf(m, ", cache %s", r->cache[0] ? r->cache : "none");
	if (r->given[0])
		seq_printf(m, ", given to %s", r->given);
	seq_printf(m, "; %s\n", r->result);
}

static void show_frames(struct seq_file *m, unsigned long *const *frames, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		seq_printf(m, "    %pB\n", (void *)(*frames)[i]);
}

static void show_stacks(struct seq_file *m, const struct quarry_misuse *r)
{
	unsigned long *frames;
	unsigned int n = qr_misuse_stack(r, &frames);

	if (!n)
		return;
	if (r->was_free) {
		seq_puts(m, "  allocated in\n");
		show_frames(m, &frames, n);
		seq_puts(m, "  freed ");
	} else {
		seq_puts(m, "  allocated ");
	}
	show_time(m, r->age_ns);
	seq_puts(m, " s before");
	if (r->was_free)
		n = qr_misuse_freed_stack(r, &frames);
	seq_puts(m, n ? ", in\n" : "\n");
	show_frames(m, &frames, n);
}

static int misuse_show(struct seq_file *m, void *unused)
{
	struct quarry_misuse *r = kzalloc(sizeof(*r), GFP_KERNEL);
	bool hide = qr_hides_addresses();

	if (!r)
		return -ENOMEM;
	while (qr_misuse_next(r->number, r)) {
		seq_printf(m, "%llu: ", r->number);
		show_time(m, r->first_ns);
		seq_printf(m, " %s: %s, in %s\n", r->what, r->text, r->caller);
		show_object(m, r, hide);
		seq_printf(m, "  task %s (%d), CPU %u%s", r->comm, r->pid, r->cpu,
			   r->interrupt ? ", in an interrupt" : "");
		if (r->times > 1) {
			seq_printf(m, "; %llu times, the last at ", r->times);
			show_time(m, r->last_ns);
		}
		seq_putc(m, '\n');
		show_stacks(m, r);
	}
	kfree(r);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(misuse);

void qr_debugfs_misuse(struct dentry *root)
{
	debugfs_create_file("misuse", 0400, root, NULL, &misuse_fops);
}
