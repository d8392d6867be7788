// SPDX-License-Identifier: GPL-2.0
/* Quarry in its small form: every operation is a call into quarry.ko. */
#define QUARRY_CALLED
#include "quarry_side.h"

const struct bench_side bench_called = SIDE_TABLE("called");
