/* SPDX-License-Identifier: GPL-2.0 */
/* Sets up what <quarry/exposure.h> offers. */
#ifndef QR_CORE_EXPOSURE_H
#define QR_CORE_EXPOSURE_H

#include <linux/moduleparam.h>

/* For a parameter that is a number, or Y or N, and may be set unless the kernel is locked down. */
extern const struct kernel_param_ops qr_uint_param_ops, qr_bool_param_ops;

/* Choose the key of qr_address_number(). */
void qr_exposure_init(void);

#endif /* QR_CORE_EXPOSURE_H */
