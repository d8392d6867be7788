/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes on functions of the kernel that have no tracepoint, found by name.
 *
 * The kernel leaves out a probe that is hit while the handler of another one runs on the same CPU.
 * It also leaves out the return of a call if too many calls are under way.  It counts both.
 */
#ifndef QR_FUNCTION_PROBE_H
#define QR_FUNCTION_PROBE_H

#include <linux/kprobes.h>
#include <linux/ptrace.h>
#include <linux/types.h>

/**
 * struct qr_function_probe - a probe
 * @name: the function's name
 * @entry: called when the function is, with preemption off; may be NULL if @leave is not.  @data is
 *	the pointer that is given to qr_function_probes_on(), @regs is for qr_function_arg(), and
 *	@call is memory for this call, which @leave gets too
 * @leave: called when the function returns @value to the address @ip; may be NULL, then a call has
 *	no memory
 * @call_size: bytes of @call
 * @data: the pointer
 * @kernel: the kernel's part; of a probe without @leave only @kernel.kp
 * @on: it is on
 */
struct qr_function_probe {
	const char *name;
	void (*entry)(void *data, struct pt_regs *regs, void *call);
	void (*leave)(void *data, unsigned long value, unsigned long ip, void *call);
	size_t call_size;
	void *data;
	struct kretprobe kernel;
	bool on;
};

/* Argument @n of a function, the first one being 0, while @entry runs. */
static inline unsigned long qr_function_arg(struct pt_regs *regs, unsigned int n)
{
#ifdef CONFIG_HAVE_FUNCTION_ARG_ACCESS_API
	return regs_get_kernel_argument(regs, n);
#else
	return 0;
#endif
}

/*
 * Put @n probes on, in their order.  0, or -EOPNOTSUPP or another error, which is logged: then none
 * is on.  Sleeps.
 */
int qr_function_probes_on(struct qr_function_probe *probes, unsigned int n, void *data);

/* Take them off, the last one first.  No probe runs any more when it returns.  Sleeps. */
void qr_function_probes_off(struct qr_function_probe *probes, unsigned int n);

/* Calls that were not reported, since the probes were put on. */
u64 qr_function_probes_missed(const struct qr_function_probe *probes, unsigned int n);

#endif /* QR_FUNCTION_PROBE_H */
