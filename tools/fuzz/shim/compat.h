/* SPDX-License-Identifier: GPL-2.0 */
/* In place of module/compat.h: there is no kernel whose release could differ. */
#include "shim.h"

#define EXPORT_SYMBOL_QUARRY(name)	_Static_assert(1, "")
#define EXPORT_SYMBOL_QUARRY_TEST(name) _Static_assert(1, "")
