// SPDX-License-Identifier: GPL-2.0
/* The code of the tracepoints; their calls are where things happen. */
#define CREATE_TRACE_POINTS
#include <trace/events/quarry.h>
