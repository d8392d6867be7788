/* SPDX-License-Identifier: GPL-2.0 */
/* Memory that is about to be taken offline. */
#ifndef QR_HOTMEM_H
#define QR_HOTMEM_H

int qr_hotmem_init(void);
void qr_hotmem_exit(void);

#endif /* QR_HOTMEM_H */
