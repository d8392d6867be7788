// SPDX-License-Identifier: GPL-2.0
/* The arithmetic of sampling, beside the same in floating point. */
#include <math.h>
#include "fuzz.h"
#include "profile/draw.h"

/* The largest errors that the KUnit suite quarry_draw allows as well. */
#define LOG_ERROR    4e-6
#define WEIGHT_ERROR 1e-4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	u32 random = take(&in, 4), rate = take(&in, 4), bytes = take(&in, 4);
	double log2_of = -log2(((double)random + 1) / 4294967296.0), weight, objects;
	unsigned int n;
	bool drawn;
	u64 w;

	rate = rate ?: 1;
	bytes = bytes ?: 1;
	expect(fabs((double)qr_neg_log2(random) / (1 << QR_LOG2_SHIFT) - log2_of) < LOG_ERROR);

	w = qr_weight(rate, bytes);
	weight = rate == 1 ? 1 : 1 / -expm1(-(double)bytes / rate);
	expect(w >= QR_WEIGHT_ONE);
	expect(fabs((double)w / QR_WEIGHT_ONE - weight) <=
	       1.0 / QR_WEIGHT_ONE + weight * WEIGHT_ERROR);

	n = qr_draw_from(random, rate, bytes, &drawn);
	objects = rate == 1 ? 0 : floor(log2_of * M_LN2 * rate / bytes);
	expect(n <= QR_DRAW_MAX);
	if (drawn)
		expect(fabs(n - objects) <= 1 + objects * LOG_ERROR + LOG_ERROR * rate / bytes);
	else
		expect(n == QR_DRAW_MAX && objects >= QR_DRAW_MAX * (1 - LOG_ERROR));
	return 0;
}
