/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where kernel releases differ, oldest first.  The only file that may name a
 * release.  Supported: 6.1 to 7.2.
 */
#ifndef QR_COMPAT_H
#define QR_COMPAT_H

#include <linux/export.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "Quarry needs Linux 6.1 or later"
#endif

/* 6.13 made the namespace a string; until then it is a bare token. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define QUARRY_EXPORT(sym)		EXPORT_SYMBOL_NS_GPL(sym, "QUARRY")
#else
#define QUARRY_EXPORT(sym)		EXPORT_SYMBOL_NS_GPL(sym, QUARRY)
#endif

/* A per-CPU symbol is exported by the same entry. */
#define QUARRY_EXPORT_PER_CPU(sym)	QUARRY_EXPORT(sym)

#if IS_ENABLED(CONFIG_KUNIT)
#define VISIBLE_IF_QR_TEST
#define QR_EXPORT_FOR_TESTS(sym)	QUARRY_EXPORT(sym)
#else
#define VISIBLE_IF_QR_TEST static
#define QR_EXPORT_FOR_TESTS(sym)
#endif

#endif /* QR_COMPAT_H */
