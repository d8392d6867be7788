// SPDX-License-Identifier: GPL-2.0
/*
 * Quarry through the kernel's slab API: the same source as SLUB's side, built with
 * quarry/kmem_shim.h.  In the results it is "called", in cases of its own.
 */
#include "slub_side.h"

const struct bench_side bench_shimmed = SIDE_TABLE("called");
