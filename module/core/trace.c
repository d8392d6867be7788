// SPDX-License-Identifier: GPL-2.0
/* Defines the tracepoints.  The layers call them where the events happen. */
#define CREATE_TRACE_POINTS
#include <trace/events/quarry.h>
