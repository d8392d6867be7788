/* SPDX-License-Identifier: GPL-2.0 */
/*
 * events/quarry/: tracepoints of what the allocator does.
 *
 * OpenTelemetry's memory profiler reads sample_alloc and sample_free, so their names
 * and fields stay.  The other events may get more fields.  An event may occur in
 * any context, and with raw locks held.
 *
 * Names are copied into arrays of fixed size.  The kernel's macro for strings takes
 * different arguments in each kernel series, and a named cache may be gone when the
 * buffer is read.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM quarry

#if !defined(_TRACE_QUARRY_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_QUARRY_H

#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/types.h>
#include <quarry/stats.h>

/* An object was drawn: its address, its bytes, and the bytes that it stands for. */
TRACE_EVENT(sample_alloc,
	    TP_PROTO(const void *ptr, u64 size, u64 weighted_bytes),
	    TP_ARGS(ptr, size, weighted_bytes),
	    TP_STRUCT__entry(__field(const void *, ptr)
			     __field(u64, size)
			     __field(u64, weighted_bytes)),
	    TP_fast_assign(__entry->ptr = ptr;
			   __entry->size = size;
			   __entry->weighted_bytes = weighted_bytes;),
	    TP_printk("ptr=0x%p size=%llu weighted_bytes=%llu", __entry->ptr, __entry->size,
		      __entry->weighted_bytes));

/* A sampled object was freed. */
TRACE_EVENT(sample_free,
	    TP_PROTO(const void *ptr),
	    TP_ARGS(ptr),
	    TP_STRUCT__entry(__field(const void *, ptr)),
	    TP_fast_assign(__entry->ptr = ptr;),
	    TP_printk("ptr=0x%p", __entry->ptr));

/* Objects moved from a depot to a CPU's magazine (refill) or back (flush). */
DECLARE_EVENT_CLASS(quarry_batch,
		    TP_PROTO(const char *cache, int node, unsigned int objects),
		    TP_ARGS(cache, node, objects),
		    TP_STRUCT__entry(__array(char, cache, QUARRY_NAME_LEN)
				     __field(int, node)
				     __field(unsigned int, objects)),
		    TP_fast_assign(strscpy(__entry->cache, cache, QUARRY_NAME_LEN);
				   __entry->node = node;
				   __entry->objects = objects;),
		    TP_printk("cache=%s node=%d objects=%u", __entry->cache, __entry->node,
			      __entry->objects));

DEFINE_EVENT(quarry_batch, refill,
	     TP_PROTO(const char *cache, int node, unsigned int objects),
	     TP_ARGS(cache, node, objects));

DEFINE_EVENT(quarry_batch, flush,
	     TP_PROTO(const char *cache, int node, unsigned int objects),
	     TP_ARGS(cache, node, objects));

/* Pages leave a node's page heap for a cache. */
TRACE_EVENT(slab_get,
	    TP_PROTO(const char *cache, const void *addr, unsigned int pages, int node),
	    TP_ARGS(cache, addr, pages, node),
	    TP_STRUCT__entry(__array(char, cache, QUARRY_NAME_LEN)
			     __field(const void *, addr)
			     __field(unsigned int, pages)
			     __field(int, node)),
	    TP_fast_assign(strscpy(__entry->cache, cache, QUARRY_NAME_LEN);
			   __entry->addr = addr;
			   __entry->pages = pages;
			   __entry->node = node;),
	    TP_printk("cache=%s addr=0x%p pages=%u node=%d", __entry->cache, __entry->addr,
		      __entry->pages, __entry->node));

/* Pages return to a node's page heap. */
TRACE_EVENT(slab_put,
	    TP_PROTO(const void *addr, unsigned int pages, int node),
	    TP_ARGS(addr, pages, node),
	    TP_STRUCT__entry(__field(const void *, addr)
			     __field(unsigned int, pages)
			     __field(int, node)),
	    TP_fast_assign(__entry->addr = addr;
			   __entry->pages = pages;
			   __entry->node = node;),
	    TP_printk("addr=0x%p pages=%u node=%d", __entry->addr, __entry->pages, __entry->node));

/* Idle pages go back to the kernel; why is "idle", "limit", "memory" or "asked". */
TRACE_EVENT(scavenge,
	    TP_PROTO(int node, unsigned long pages, const char *why),
	    TP_ARGS(node, pages, why),
	    TP_STRUCT__entry(__field(int, node)
			     __field(unsigned long, pages)
			     __array(char, why, 8)),
	    TP_fast_assign(__entry->node = node;
			   __entry->pages = pages;
			   strscpy(__entry->why, why, 8);),
	    TP_printk("node=%d pages=%lu why=%s", __entry->node, __entry->pages, __entry->why));

/* A limit was hit: cache is "all" for the module's limit, kind is "soft" or "hard". */
TRACE_EVENT(limit,
	    TP_PROTO(const char *cache, const char *kind, u64 limit_bytes, u64 held_bytes),
	    TP_ARGS(cache, kind, limit_bytes, held_bytes),
	    TP_STRUCT__entry(__array(char, cache, QUARRY_NAME_LEN)
			     __array(char, kind, 8)
			     __field(u64, limit_bytes)
			     __field(u64, held_bytes)),
	    TP_fast_assign(strscpy(__entry->cache, cache, QUARRY_NAME_LEN);
			   strscpy(__entry->kind, kind, 8);
			   __entry->limit_bytes = limit_bytes;
			   __entry->held_bytes = held_bytes;),
	    TP_printk("cache=%s kind=%s limit_bytes=%llu held_bytes=%llu", __entry->cache,
		      __entry->kind, __entry->limit_bytes, __entry->held_bytes));

/* Every case of misuse, including those that the log leaves out as repeated. */
TRACE_EVENT(misuse,
	    TP_PROTO(const char *what, const void *ptr, unsigned long ip),
	    TP_ARGS(what, ptr, ip),
	    TP_STRUCT__entry(__array(char, what, QUARRY_NAME_LEN)
			     __field(const void *, ptr)
			     __field(unsigned long, ip)),
	    TP_fast_assign(strscpy(__entry->what, what, QUARRY_NAME_LEN);
			   __entry->ptr = ptr;
			   __entry->ip = ip;),
	    TP_printk("what=%s ptr=0x%p caller=%pS", __entry->what, __entry->ptr,
		      (void *)__entry->ip));

/* A sampling rate was set; cache is 0 for the rate of all caches without their own. */
TRACE_EVENT(rate,
	    TP_PROTO(u32 cache, u32 bytes),
	    TP_ARGS(cache, bytes),
	    TP_STRUCT__entry(__field(u32, cache)
			     __field(u32, bytes)),
	    TP_fast_assign(__entry->cache = cache;
			   __entry->bytes = bytes;),
	    TP_printk("cache=%u bytes=%u", __entry->cache, __entry->bytes));

#endif /* _TRACE_QUARRY_H */

/* define_trace.h includes this file again, and finds it by the same path as <quarry/quarry.h>. */
#include <trace/define_trace.h>
