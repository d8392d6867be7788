// SPDX-License-Identifier: GPL-2.0
/*
 * Lockdown and the rules for addresses.  kptr_restrict is not exported, but "%pK" obeys it, so
 * what "%pK" prints tells what a caller may see.
 */
#include "core/exposure.h"

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/security.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <quarry/exposure.h>
#include "compat.h"

static siphash_key_t key;

int qr_may_change(void)
{
	return security_locked_down(LOCKDOWN_DEBUGFS);
}

int qr_may_set_parameter(void)
{
	if (THIS_MODULE->state != MODULE_STATE_LIVE)
		return 0;
	return security_locked_down(LOCKDOWN_MODULE_PARAMETERS);
}

static int uint_set(const char *text, const struct kernel_param *kp)
{
	return qr_may_set_parameter() ?: param_set_uint(text, kp);
}

const struct kernel_param_ops qr_uint_param_ops = {
	.set = uint_set,
	.get = param_get_uint,
};

static int bool_set(const char *text, const struct kernel_param *kp)
{
	return qr_may_set_parameter() ?: param_set_bool(text, kp);
}

const struct kernel_param_ops qr_bool_param_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = bool_set,
	.get = param_get_bool,
};

bool qr_hides_addresses(void)
{
	return security_locked_down(LOCKDOWN_PERF);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_hides_addresses);

void qr_address_text(char *text, const void *p, bool hide)
{
	char bare[QR_ADDRESS_LEN];

	static_assert(sizeof(bare) == 2 * sizeof(p) + 1);
	snprintf(text, QR_ADDRESS_LEN, "%pK", p);
	if (!hide)
		return;
	snprintf(bare, sizeof(bare), "%016lx", (unsigned long)p);
	if (strcmp(text, bare))
		return;
	snprintf(text, QR_ADDRESS_LEN, "%p", p);
	if (!strcmp(text, bare)) /* with no_hash_pointers */
		memset(text, '0', QR_ADDRESS_LEN - 1);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_address_text);

bool qr_shows_addresses(void)
{
	char text[QR_ADDRESS_LEN], bare[QR_ADDRESS_LEN];

	qr_address_text(text, &key, false);
	snprintf(bare, sizeof(bare), "%016lx", (unsigned long)&key);
	return !strcmp(text, bare) && !qr_hides_addresses();
}
EXPORT_SYMBOL_QUARRY_TEST(qr_shows_addresses);

u64 qr_address_number(const void *p)
{
	return siphash_1u64((unsigned long)p, &key);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_address_number);

void qr_exposure_init(void)
{
	get_random_bytes(&key, sizeof(key));
}
