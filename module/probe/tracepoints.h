/* SPDX-License-Identifier: GPL-2.0 */
/* Probes on tracepoints of the kernel, found by name: a kernel may lack one, or not export it. */
#ifndef QR_TRACEPOINTS_H
#define QR_TRACEPOINTS_H

struct tracepoint;

/**
 * struct qr_probe - a probe
 * @name: the tracepoint's name
 * @probe: the function; its first argument is the pointer that is given to qr_probes_on()
 * @tp: the tracepoint while the probe is on it, otherwise NULL
 */
struct qr_probe {
	const char *name;
	void *probe;
	struct tracepoint *tp;
};

/* Put @n probes on, in their order.  0, or -ENOENT or another error: then none is on.  Sleeps. */
int qr_probes_on(struct qr_probe *probes, unsigned int n, void *data);

/* Take them off, the last one first.  Calls may still be under way.  Sleeps. */
void qr_probes_off(struct qr_probe *probes, unsigned int n, void *data);

#endif /* QR_TRACEPOINTS_H */
