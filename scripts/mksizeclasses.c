// SPDX-License-Identifier: GPL-2.0
/*
 * Generates the size classes.  `mksizeclasses fold` prints include/quarry/sizeclass.h, which
 * turns a constant size into a class; `mksizeclasses table` prints
 * module/slab/sizeclass_table.h.  Both files are checked in, and scripts/check-generated compares
 * them with what this program prints.
 *
 * The classes are the same whatever the size of a page, but their slabs are not: the table shows
 * those for pages of 4 KiB.  `mksizeclasses check` checks the slabs of all sizes of objects for
 * pages of QR_GEO_PAGE bytes.
 *
 * The rule: a request, rounded up to the least alignment, leaves at most 1/8 of its object unused.
 * Every power of two is a class.  Between two powers of two, each next class is the largest
 * that the rule allows and that is a multiple of 1/16 of the lower power.  The multiples keep
 * odd strides out of slabs.
 *
 * Below the least alignment there are tiny classes, for short strings and the like.
 */
#include <stdio.h>
#include <string.h>

#include "../module/slab/geometry.h"

#define MAX_CLASSES 128

static const unsigned int tiny[] = { 4, 6 };

#define TINY_STEP 2u /* bytes: tiny requests are rounded up to a multiple of this */
#define NR_TINY	  (sizeof(tiny) / sizeof(*tiny))

static void header(void)
{
	/* In two parts, so that tools do not take it for this file's own licence line. */
	printf("/* %s-License-Identifier: GPL-2.0 */\n", "SPDX");
	printf("/* Generated: see \"make generate\".  Do not edit. */\n");
}

static unsigned int cls[MAX_CLASSES], nr = 1; /* sizes in bytes; class 0 means "none" */

static void make(void)
{
	unsigned int lo, c = QR_MIN_OBJECT, k;

	for (k = 0; k < NR_TINY; k++)
		cls[nr++] = tiny[k];
	cls[nr++] = c;
	for (lo = QR_MIN_OBJECT; lo < QR_MAX_OBJECT; lo *= 2) {
		unsigned int grid = lo / 16 > QR_MIN_OBJECT ? lo / 16 : QR_MIN_OBJECT;

		while (c < 2 * lo) {
			/* the least request above class c, and the largest class that suits it */
			unsigned int low = c + QR_MIN_OBJECT;
			unsigned int next = low * 8 / 7 / grid * grid;

			if (next < low)
				next = c + grid;
			c = next < 2 * lo ? next : 2 * lo;
			cls[nr++] = c;
		}
	}
}

static void fold(void)
{
	unsigned int k;

	header();
	printf("#ifndef QUARRY_SIZECLASS_H\n#define QUARRY_SIZECLASS_H\n\n"
	       "#define QR_NR_CLASSES\t\t%u\t/* with class 0, \"none\" */\n"
	       "#define QUARRY_MAX_SMALL\t%uUL\t/* bytes; larger requests get whole pages */\n"
	       "#define QR_MAX_TINY\t\t%uUL\t/* bytes; the largest class below %u bytes */\n\n"
	       "/* The class for @size.  It must be constant: then this folds to one number. */\n"
	       "static __always_inline unsigned int qr_class_const(unsigned long size)\n{\n",
	       nr, QR_MAX_OBJECT, tiny[NR_TINY - 1], QR_MIN_OBJECT);
	for (k = 1; k < nr; k++)
		printf("\tif (size <= %u)\n\t\treturn %u;\n", cls[k], k);
	printf("\treturn 0;\n}\n\n"
	       "/* Size in bytes of an object of @class, which must be constant. */\n"
	       "static __always_inline unsigned int qr_class_const_size(unsigned int class)\n{\n"
	       "\tswitch (class) {\n");
	for (k = 1; k < nr; k++)
		printf("\tcase %u:\n\t\treturn %u;\n", k, cls[k]);
	printf("\tdefault:\n\t\treturn 0;\n\t}\n}\n\n#endif /* QUARRY_SIZECLASS_H */\n");
}

static void table(void)
{
	double worst_internal = 0, worst_tail = 0;
	unsigned int k;

	header();
	printf("/*\n"
	       " * size: bytes of an object.  pages, objects: of a slab.  internal: unused share of an\n"
	       " * object, worst and mean over the requests that the class serves, each rounded up to\n"
	       " * a multiple of %u bytes, or of %u below that.  tail: share of a slab that holds no\n"
	       " * object.\n *\n"
	       " * class   size pages objects  internal worst   mean    tail\n",
	       QR_MIN_OBJECT, TINY_STEP);
	for (k = 1; k < nr; k++) {
		struct qr_geometry g = qr_geometry(cls[k], qr_class_align(cls[k]));
		unsigned int step = cls[k] < QR_MIN_OBJECT ? TINY_STEP : QR_MIN_OBJECT;
		unsigned int low = (cls[k - 1] / step + 1) * step, s, n = 0;
		double worst = 100.0 * (cls[k] - low) / cls[k], sum = 0;
		double tail = 100.0 * g.tail / (g.pages * QR_GEO_PAGE);

		for (s = low; s <= cls[k]; s += step, n++)
			sum += 100.0 * (cls[k] - s) / cls[k];
		printf(" * %5u %6u %5u %7u %14.1f%% %5.1f%% %6.1f%%\n", k, cls[k], g.pages,
		       g.objects, worst, sum / n, tail);
		if (worst > worst_internal && k > NR_TINY)
			worst_internal = worst;
		if (tail > worst_tail)
			worst_tail = tail;
	}
	printf(" *\n * worst internal %.1f%% from %u bytes on, worst tail %.1f%%\n */\n"
	       "#ifndef QR_SIZECLASS_TABLE_H\n#define QR_SIZECLASS_TABLE_H\n\n"
	       "static const unsigned short qr_class_sizes[] = {\n",
	       worst_internal, QR_MIN_OBJECT, worst_tail);
	for (k = 0; k < nr; k++)
		printf("%s%u,%s", k % 10 ? " " : "\t", cls[k],
		       k % 10 == 9 || k == nr - 1 ? "\n" : "");
	printf("};\n\n#endif /* QR_SIZECLASS_TABLE_H */\n");
}

static int bad; /* slabs that break a rule */

/* Objects of @size bytes at multiples of @align: what is wrong with their slab, or NULL. */
static const char *wrong(unsigned int size, unsigned int align)
{
	struct qr_geometry g = qr_geometry(size, align);
	unsigned int bytes = g.pages * QR_GEO_PAGE;

	if (!g.pages || g.pages > QR_SLAB_MAX_PAGES)
		return "pages";
	if (g.objects < QR_SLAB_MIN_OBJECTS || g.objects != bytes / g.stride)
		return "objects, or the map is too short for the slab's pages";
	if (g.objects * g.stride + g.tail != bytes)
		return "tail";
	if (g.tail > bytes >> QR_WASTE_SHIFT)
		return "waste";
	if (g.align * QR_GEO_PAGE < align || (align <= QR_GEO_PAGE && g.align != 1))
		return "alignment";
	return NULL;
}

static void check_one(unsigned int size, unsigned int align)
{
	const char *what = wrong(size, align);

	if (!what)
		return;
	bad++;
	fprintf(stderr, "pages of %u bytes, objects of %u aligned to %u: wrong %s\n", QR_GEO_PAGE,
		size, align, what);
}

static int check(void)
{
	unsigned int k, size, align;

	for (k = 1; k < nr; k++)
		check_one(cls[k], qr_class_align(cls[k]));
	for (size = QR_MIN_OBJECT; size <= QR_MAX_OBJECT; size += QR_MIN_OBJECT)
		for (align = QR_MIN_OBJECT; !(size % align); align *= 2)
			check_one(size, align);
	return bad != 0;
}

int main(int argc, char **argv)
{
	make();
	if (argc == 2 && !strcmp(argv[1], "fold"))
		fold();
	else if (argc == 2 && !strcmp(argv[1], "table"))
		table();
	else if (argc == 2 && !strcmp(argv[1], "check"))
		return check();
	else
		return fprintf(stderr, "usage: mksizeclasses fold|table|check\n"), 2;
	return 0;
}
