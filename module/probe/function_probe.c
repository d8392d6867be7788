// SPDX-License-Identifier: GPL-2.0
/*
 * A kprobe sees the entry of a function, a kretprobe also the return.  A kernel without kretprobes,
 * or on which a probe cannot read the arguments of a function, can have no probe.
 */
#define pr_fmt(fmt) "quarry: " fmt

#include "probe/function_probe.h"

#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/printk.h>

#if defined(CONFIG_KRETPROBES) && defined(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API)

/* Tasks that may be in one function at a time; it may sleep. */
#define CALLS_UNDER_WAY 256

static int kernel_entry(struct kprobe *kp, struct pt_regs *regs)
{
	struct qr_function_probe *p = container_of(kp, struct qr_function_probe, kernel.kp);

	p->entry(p->data, regs, NULL);
	return 0;
}

/* NULL while the probe is taken off. */
static struct qr_function_probe *probe_of(struct kretprobe_instance *ri)
{
	struct kretprobe *rp = get_kretprobe(ri);

	return rp ? container_of(rp, struct qr_function_probe, kernel) : NULL;
}

static int kernel_call(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct qr_function_probe *p = probe_of(ri);

	if (p)
		p->entry(p->data, regs, ri->data);
	return 0;
}

static int kernel_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct qr_function_probe *p = probe_of(ri);

	if (p)
		p->leave(p->data, regs_return_value(regs), get_kretprobe_retaddr(ri), ri->data);
	return 0;
}

/* A probe cannot be registered again with what the kernel has left in it. */
static int probe_on(struct qr_function_probe *p, void *data)
{
	p->data = data;
	p->kernel = (struct kretprobe){ .kp.symbol_name = p->name };
	if (!p->leave) {
		p->kernel.kp.pre_handler = kernel_entry;
		return register_kprobe(&p->kernel.kp);
	}
	p->kernel.handler = kernel_return;
	p->kernel.entry_handler = p->entry ? kernel_call : NULL;
	p->kernel.data_size = p->call_size;
	p->kernel.maxactive = CALLS_UNDER_WAY;
	return register_kretprobe(&p->kernel);
}

#else

static int probe_on(struct qr_function_probe *p, void *data)
{
	return -EOPNOTSUPP;
}

#endif

int qr_function_probes_on(struct qr_function_probe *probes, unsigned int n, void *data)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < n; i++) {
		err = probe_on(&probes[i], data);
		if (err) {
			pr_err("no probe on the kernel's function %s() (error %d)\n",
			       probes[i].name, err);
			qr_function_probes_off(probes, i);
			break;
		}
		probes[i].on = true;
	}
	return err;
}

void qr_function_probes_off(struct qr_function_probe *probes, unsigned int n)
{
	while (n--) {
		if (probes[n].on && probes[n].leave)
			unregister_kretprobe(&probes[n].kernel);
		else if (probes[n].on)
			unregister_kprobe(&probes[n].kernel.kp);
		probes[n].on = false;
	}
}

u64 qr_function_probes_missed(const struct qr_function_probe *probes, unsigned int n)
{
	u64 missed = 0;

	while (n--)
		missed += probes[n].kernel.nmissed + probes[n].kernel.kp.nmissed;
	return missed;
}
