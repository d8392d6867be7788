// SPDX-License-Identifier: GPL-2.0
/* Quarry with QUARRY_CALLED, which makes clients small: every operation calls quarry.ko. */
#define QUARRY_CALLED
#include "quarry_side.h"

const struct bench_side bench_called = SIDE_TABLE("called");
