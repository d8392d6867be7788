// SPDX-License-Identifier: GPL-2.0
/*
 * How a layer reports an error to the walker.
 *
 * The walker (view/validate.c) checks that the books of all layers agree.  Each layer checks its
 * own part and reports each error through qr_invalid(); so this function is below all layers.
 * Only the first error is kept as text, because later ones often follow from it.
 */
#include <linux/kernel.h>
#include <linux/stdarg.h>
#include <quarry/stats.h>

void qr_invalid(struct quarry_validation *v, const char *fmt, ...)
{
	va_list args;

	if (!v->errors++) {
		va_start(args, fmt);
		vscnprintf(v->first, sizeof(v->first), fmt, args);
		va_end(args);
	}
}
