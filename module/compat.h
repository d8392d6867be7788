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
#define EXPORT_SYMBOL_QUARRY(sym)		EXPORT_SYMBOL_NS_GPL(sym, "QUARRY")
#else
#define EXPORT_SYMBOL_QUARRY(sym)		EXPORT_SYMBOL_NS_GPL(sym, QUARRY)
#endif

/* 6.19 or so left lock tracking to clang and took sparse's macros away. */
#ifndef __cond_lock
#define __cond_lock(lock, taken)	(taken)
#endif

/* Inner symbols, for the KUnit modules of kernels that have KUnit. */
#if IS_ENABLED(CONFIG_KUNIT)
#define EXPORT_SYMBOL_QUARRY_TEST(sym)	EXPORT_SYMBOL_QUARRY(sym)
#else
#define EXPORT_SYMBOL_QUARRY_TEST(sym)
#endif

#endif /* QR_COMPAT_H */
