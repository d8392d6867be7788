// SPDX-License-Identifier: GPL-2.0
/* SLUB, the kernel's own allocator, as a side. */
#include "slub_side.h"

const struct bench_side bench_slub = SIDE_TABLE("slub");
