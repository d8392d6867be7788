// SPDX-License-Identifier: GPL-2.0
/* Quarry as most clients use it: the fast paths are inlined. */
#include "quarry_side.h"

const struct bench_side bench_inline = SIDE_TABLE("inline");
