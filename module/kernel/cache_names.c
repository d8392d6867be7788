// SPDX-License-Identifier: GPL-2.0
/* A number is 1 + the index of the name in a hash table with linear probing. */
#include "kernel/cache_names.h"

#include <linux/jhash.h>
#include <linux/string.h>
#include "compat.h"
#include "core/clean_name.h"

u32 qr_cache_name_number(struct qr_cache_names *names, const char *name, const char **clean)
{
	char word[QUARRY_NAME_LEN];
	u32 i;

	i = jhash(word, qr_clean_name(word, name, sizeof(word)), 0);
	raw_spin_lock(&names->lock);
	while (names->name[i %= QR_CACHE_NAMES][0] && strcmp(names->name[i], word))
		i++;
	if (!names->name[i][0]) {
		if (names->nr == QR_CACHE_NAMES / 4 * 3) {
			raw_spin_unlock(&names->lock);
			*clean = "(other)";
			return 0;
		}
		names->nr++;
		strscpy(names->name[i], word, QUARRY_NAME_LEN);
	}
	raw_spin_unlock(&names->lock);
	*clean = names->name[i];
	return i + 1;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_cache_name_number);
