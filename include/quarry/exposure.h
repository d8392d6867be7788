/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What observers may change, and which addresses they may show.  Documentation/exposure.rst has
 * the policy as a table.
 *
 * Two rules of the kernel apply.  A kernel that is locked down for integrity (Debian's is, under
 * Secure Boot) lets root read, but not change it; locked down for confidentiality, it does not
 * tell root where its memory lies either.  And kptr_restrict says who may see an address at all.
 */
#ifndef QUARRY_EXPOSURE_H
#define QUARRY_EXPOSURE_H

#include <linux/types.h>

/*
 * May the caller change settings, or empty caches?  Returns 0, or -EPERM if the kernel is locked
 * down, which is logged.  Files and ioctls ask for each change, because an open file may be older
 * than the lockdown.
 */
int qr_may_change(void);
/* The same for module parameters.  While the module is loaded they may always be given. */
int qr_may_set_parameter(void);

/* Does the kernel keep all addresses secret?  Ask once for each text: the kernel logs the "yes". */
bool qr_hides_addresses(void);

/* May the caller see addresses as they are?  Process context. */
bool qr_shows_addresses(void);

#define QR_ADDRESS_LEN 17

/*
 * Write @p to @text (QR_ADDRESS_LEN bytes) as the caller may see it: as %pK does, which is a hash,
 * the address, or zeroes.  If @hide, from qr_hides_addresses(), it is never the address.
 */
void qr_address_text(char *text, const void *p, bool hide);

/*
 * A number that stands for the address @p.  It is the same until the module is unloaded, and
 * cannot be turned back into the address.  Two addresses have the same number with a
 * probability of 2^-64.  Any context.
 */
u64 qr_address_number(const void *p);

#endif /* QUARRY_EXPOSURE_H */
