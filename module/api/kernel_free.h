/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frees of Quarry's memory by the kernel's own functions, and the modules that may cause them:
 * those that were built with quarry/kmem_shim.h.
 */
#ifndef QR_KERNEL_FREE_H
#define QR_KERNEL_FREE_H

#include <linux/atomic.h>

/* Frees by the kernel's own functions that were handed to Quarry. */
extern atomic64_t qr_kernel_frees;

/*
 * Copies to @name (@size bytes) the name of the shimmed module that the code at @ip belongs to;
 * an empty string if it belongs to none.  The caller runs on behalf of that module.
 */
void qr_shimmed_name(unsigned long ip, char *name, size_t size);

int qr_kernel_free_init(void);
void qr_kernel_free_exit(void);

#endif /* QR_KERNEL_FREE_H */
