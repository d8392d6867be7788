/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/quarry: the heap profiler of the Quarry allocator, for programs.
 *
 * Needs nothing but <linux/types.h> and <linux/ioctl.h>, in user space too.
 */
#ifndef _UAPI_QUARRY_H
#define _UAPI_QUARRY_H

#include <linux/types.h>
#include <linux/ioctl.h>

/**
 * DOC: the device
 *
 * The device's mode is 0600, and opening it takes CAP_PERFMON or CAP_SYS_ADMIN,
 * else EPERM.  What the ioctls make (a profile, a heap dump) belongs to the open
 * file, replaces what was there, and is read with read() or pread(); lseek() knows
 * its size, and SEEK_SET, SEEK_CUR and SEEK_END.  Before the first, all of these
 * say ENODATA.  An ioctl that makes something new puts the file's position at 0.
 *
 * Threads may share an open file.  Each ioctl and each read is done as a whole,
 * and a read returns bytes of one result only; who takes a result while another
 * reads has to agree with it, as about the file's position.  Independent readers
 * open the device for themselves.
 *
 * Every ioctl takes a pointer to a structure.  Members are marked "in" or "out";
 * "out" is ignored on entry.  Every member named reserved has to be 0, or the
 * ioctl is refused with EINVAL.  Sizes are in bytes unless said otherwise, times
 * in nanoseconds.  A structure has the same layout for 32-bit and 64-bit programs.
 *
 * All ioctls: EINVAL for a value, flag or reserved member that is not allowed;
 * EFAULT for a pointer that cannot be read or written; ENOTTY for a number that
 * is not listed here, which includes one with another size of the structure.
 * Where the answer cannot be written (EFAULT) the deed has been done.
 */

#define QUARRY_ABI_VERSION 1
#define QUARRY_DEVICE	   "/dev/quarry"

/* In place of a cache's number: all of them. */
#define QUARRY_DEV_CACHE_ALL 0xffffffffU

/* What is profiled. */
#define QUARRY_DEV_KIND_HEAP	      0 /* what was allocated and what is live */
#define QUARRY_DEV_KIND_ALLOCS	      1 /* the same, what was allocated first */
#define QUARRY_DEV_KIND_PEAK	      2 /* what was live when the heap was largest */
#define QUARRY_DEV_KIND_LIFETIME      3 /* objects by age */
#define QUARRY_DEV_KIND_FRAGMENTATION 4 /* bytes given but not asked for */
#define QUARRY_DEV_KINDS	      5

/* How it is written down. */
#define QUARRY_DEV_FORMAT_PPROF	 0 /* profile.proto, not compressed */
#define QUARRY_DEV_FORMAT_TEXT	 1 /* legacy heap text */
#define QUARRY_DEV_FORMAT_FOLDED 2 /* one line per stack, for flame graphs */
#define QUARRY_DEV_FORMAT_TOP	 3 /* a table, largest first */
#define QUARRY_DEV_FORMATS	 4

/* Members "flags" of what is asked. */
#define QUARRY_DEV_DRAIN (1U << 0) /* empty magazines and depots first */

/* Member "features" of struct quarry_dev_info. */
#define QUARRY_DEV_FEATURE_DELTA    (1U << 0) /* QUARRY_IOC_MARK and _DELTA */
#define QUARRY_DEV_FEATURE_HEAPDUMP (1U << 1) /* QUARRY_IOC_HEAPDUMP */
#define QUARRY_DEV_FEATURE_RING	    (1U << 2) /* QUARRY_IOC_RING and mmap() */

/**
 * struct quarry_dev_info - what QUARRY_IOC_INFO answers
 * @flags: in: 0
 * @version: out: QUARRY_ABI_VERSION of the module.  It changes only when a
 *	program of before would be wrong; what is added shows in @features
 * @features: out: QUARRY_DEV_FEATURE_*
 * @page_size: out: bytes of a page, which lengths of mmap() are multiples of
 * @kinds: out: kinds of profiles, numbered from 0
 * @formats: out: formats, numbered from 0
 * @record_size: out: bytes of a record in the ring
 * @ring_max: out: most records that a ring can have
 * @rate: out: bytes between samples, on average; 1 samples everything, 0 nothing
 * @sites: out: rows of the profile's table
 * @max_sites: out: the most that it may have
 * @label_sets: out: distinct sets of labels
 * @time_ns: out: now, by the wall clock
 * @samples: out: objects that were sampled since the module was loaded
 * @live_samples: out: those of @samples that are live
 * @dropped_samples: out: samples that could not be recorded, for want of memory,
 *	since the module was loaded or the profile reset
 * @dropped_bytes: out: bytes they stood for
 * @other_samples: out: samples recorded without their stack or labels, for want of
 *	room, likewise
 * @live_objects: out: objects that are allocated, sampled or not
 * @live_bytes: out: their bytes
 * @sampled_live_bytes: out: @live_bytes by the profiler's estimate
 * @sys_bytes: out: bytes the allocator holds
 * @metadata_bytes: out: those of @sys_bytes that are its own bookkeeping
 * @profile_bytes: out: those of @metadata_bytes that are the profiler's
 * @profile_max_bytes: out: the most that these may be
 * @reserved: 0
 */
struct quarry_dev_info {
	__u32 flags;
	__u32 version;
	__u32 features;
	__u32 page_size;
	__u32 kinds;
	__u32 formats;
	__u32 record_size;
	__u32 ring_max;
	__u32 rate;
	__u32 sites;
	__u32 max_sites;
	__u32 label_sets;
	__aligned_u64 time_ns;
	__aligned_u64 samples;
	__aligned_u64 live_samples;
	__aligned_u64 dropped_samples;
	__aligned_u64 dropped_bytes;
	__aligned_u64 other_samples;
	__aligned_u64 live_objects;
	__aligned_u64 live_bytes;
	__aligned_u64 sampled_live_bytes;
	__aligned_u64 sys_bytes;
	__aligned_u64 metadata_bytes;
	__aligned_u64 profile_bytes;
	__aligned_u64 profile_max_bytes;
	__aligned_u64 reserved[5];
};

/* Member "flags" of struct quarry_dev_rate. */
#define QUARRY_DEV_RATE_SET	(1U << 0) /* set it; otherwise only ask */
#define QUARRY_DEV_RATE_INHERIT (1U << 1) /* with _SET: as all other caches */

/**
 * struct quarry_dev_rate - for QUARRY_IOC_RATE: how often samples are taken
 * @cache: in: a cache's number, or QUARRY_DEV_CACHE_ALL for the rate of all caches
 *	that have none of their own
 * @flags: in: QUARRY_DEV_RATE_*; _INHERIT takes a cache and a @rate of 0
 * @rate: in: with QUARRY_DEV_RATE_SET the new rate; otherwise ignored.
 *	out: bytes between samples, on average, as they are after this; 1 samples
 *	everything, 0 nothing
 * @own: out: 1 if @cache has a rate of its own, else 0
 * @reserved: 0
 *
 * Errors: ENOENT for no such cache; EOPNOTSUPP to set that of a cache which is never
 * sampled; EBADF for QUARRY_DEV_RATE_SET when the file is not open for writing;
 * EINVAL for QUARRY_DEV_RATE_INHERIT without _SET, with all caches, or with a @rate.
 */
struct quarry_dev_rate {
	__u32 cache;
	__u32 flags;
	__u32 rate;
	__u32 own;
	__aligned_u64 reserved[2];
};

/**
 * struct quarry_dev_snapshot - for QUARRY_IOC_SNAPSHOT and QUARRY_IOC_DELTA
 * @kind: in: QUARRY_DEV_KIND_*
 * @format: in: QUARRY_DEV_FORMAT_*
 * @cache: in: a cache's number, 0 for objects over 32 KiB, or QUARRY_DEV_CACHE_ALL
 * @flags: in: QUARRY_DEV_DRAIN or 0
 * @size: out: bytes that can be read
 * @time_ns: out: of which moment it is, by the wall clock
 * @drained: out: objects that QUARRY_DEV_DRAIN moved
 * @reserved: 0
 *
 * In a delta, what was allocated is the difference to the last mark or delta of
 * this open file, whatever its cache, and what is in use is the level of now.
 *
 * Errors: ENOENT for no such cache; ENOMEM; ENODATA for a delta before the first
 * mark.  After an error the last result is still there, and so is the mark.
 */
struct quarry_dev_snapshot {
	__u32 kind;
	__u32 format;
	__u32 cache;
	__u32 flags;
	__aligned_u64 size;
	__aligned_u64 time_ns;
	__aligned_u64 drained;
	__aligned_u64 reserved[3];
};

/**
 * struct quarry_dev_action - for QUARRY_IOC_MARK, _DRAIN, _RESET and _HEAPDUMP
 * @flags: in: QUARRY_DEV_DRAIN or 0; for QUARRY_IOC_DRAIN 0
 * @reserved0: 0
 * @size: out: of QUARRY_IOC_HEAPDUMP: bytes that can be read; otherwise 0
 * @time_ns: out: when it was done, by the wall clock
 * @drained: out: objects that QUARRY_IOC_DRAIN or QUARRY_DEV_DRAIN moved
 * @reserved: 0
 *
 * Errors: ENOMEM for QUARRY_IOC_MARK and _HEAPDUMP, which then changed nothing;
 * EBADF for QUARRY_IOC_RESET when the file is not open for writing.
 */
struct quarry_dev_action {
	__u32 flags;
	__u32 reserved0;
	__aligned_u64 size;
	__aligned_u64 time_ns;
	__aligned_u64 drained;
	__aligned_u64 reserved[2];
};

#define QUARRY_DEV_RINGS_MAX 16 /* at one time, in the whole system */

/* Member "flags" of struct quarry_dev_ring. */
#define QUARRY_DEV_RING_FREES (1U << 0) /* frees too, not only allocations */

/**
 * struct quarry_dev_ring - for QUARRY_IOC_RING: make this open file's ring of events
 * @records: in: how many it holds: a power of two up to quarry_dev_info.ring_max
 * @flags: in: QUARRY_DEV_RING_FREES or 0
 * @record_size: out: bytes of a record
 * @reserved0: 0
 * @size: out: bytes to mmap()
 * @data_offset: out: where in that the records begin
 * @reserved: 0
 *
 * Events are written from now on until the file is closed.  A ring is made once.
 *
 * Errors: EBUSY if this open file has a ring; EUSERS if
 * QUARRY_DEV_RINGS_MAX open files have one; ENOMEM.
 */
struct quarry_dev_ring {
	__u32 records;
	__u32 flags;
	__u32 record_size;
	__u32 reserved0;
	__aligned_u64 size;
	__aligned_u64 data_offset;
	__aligned_u64 reserved[2];
};

/*
 * INFO		version, limits and numbers
 * RATE		ask for or set the rate of sampling
 * SNAPSHOT	make a profile
 * MARK		deltas of this open file begin now
 * DELTA	make a profile of what happened since the last mark or delta; the
 *		next one begins here.  ENODATA without a mark
 * DRAIN	empty magazines and depots, so that free objects are free
 * RESET	forget what was allocated and freed so far, and the peak, but not
 *		what is live; for all who look at the profile
 * HEAPDUMP	make a list of every live object, one line each; exact with
 *		QUARRY_DEV_DRAIN while nobody allocates
 * RING		make the ring of events
 */
#define QUARRY_IOC_INFO	    _IOWR('Q', 0x00, struct quarry_dev_info)
#define QUARRY_IOC_RATE	    _IOWR('Q', 0x01, struct quarry_dev_rate)
#define QUARRY_IOC_SNAPSHOT _IOWR('Q', 0x02, struct quarry_dev_snapshot)
#define QUARRY_IOC_MARK	    _IOWR('Q', 0x03, struct quarry_dev_action)
#define QUARRY_IOC_DELTA    _IOWR('Q', 0x04, struct quarry_dev_snapshot)
#define QUARRY_IOC_DRAIN    _IOWR('Q', 0x05, struct quarry_dev_action)
#define QUARRY_IOC_RESET    _IOWR('Q', 0x06, struct quarry_dev_action)
#define QUARRY_IOC_HEAPDUMP _IOWR('Q', 0x07, struct quarry_dev_action)
#define QUARRY_IOC_RING	    _IOWR('Q', 0x08, struct quarry_dev_ring)

/**
 * DOC: the ring
 *
 * After QUARRY_IOC_RING, mmap() of quarry_dev_ring.size bytes at offset 0 with
 * MAP_SHARED gives one page of struct quarry_ring_control, and after it the
 * records.  Any other length or offset, MAP_PRIVATE and PROT_EXEC are refused with
 * EINVAL, a mapping before QUARRY_IOC_RING with ENODATA.  It may be mapped more
 * than once; all mappings show the same memory, which lives as long as they do.
 *
 * Both counters only grow, and wrap at 2^64: record n is at index n modulo
 * records, those from tail to head - 1 can be read, and the ring is empty when
 * tail is head.  There is one reader, who
 *
 *   1. loads head with acquire semantics, which pairs with the kernel's store
 *      with release semantics after a record was written;
 *   2. reads the records from tail up to it;
 *   3. stores the new tail with release semantics, so that these reads come
 *      before the kernel's next writes.
 *
 * All three are accesses of 64 bits at once.
 *
 * When the ring is full, or tail is not within records of head, new events are
 * dropped and counted in overruns.  The kernel looks at no other member than tail,
 * and a wrong one costs the reader its own events only.
 *
 * poll() says POLLIN | POLLRDNORM while tail is not head, and nothing else; it
 * is about the ring only, and not about results of ioctls.  Before QUARRY_IOC_RING
 * it waits for the ring's first event.
 */

/**
 * struct quarry_ring_control - the ring's first page
 * @version: QUARRY_ABI_VERSION
 * @record_size: bytes of a record
 * @records: how many the ring holds, a power of two
 * @flags: as given to QUARRY_IOC_RING
 * @data_offset: where the records begin, from the start of this page
 * @reserved: 0
 * @head: number of records written so far; by the kernel
 * @overruns: events that were dropped so far; by the kernel
 * @reserved_head: 0
 * @tail: number of records read so far; by the reader, 0 at first
 * @reserved_tail: 0
 */
struct quarry_ring_control {
	__u32 version;
	__u32 record_size;
	__u32 records;
	__u32 flags;
	__aligned_u64 data_offset;
	__aligned_u64 reserved[5];
	__aligned_u64 head;
	__aligned_u64 overruns;
	__aligned_u64 reserved_head[6];
	__aligned_u64 tail;
	__aligned_u64 reserved_tail[7];
};

/* Member "type" of struct quarry_event_record. */
#define QUARRY_DEV_EVENT_ALLOC 1
#define QUARRY_DEV_EVENT_FREE  2

/**
 * struct quarry_event_record - a sampled object was allocated or freed
 * @type: QUARRY_DEV_EVENT_*
 * @cpu: where
 * @seq: how many events came before, dropped ones included; a jump by more than
 *	one is a gap
 * @time_ns: when, by the monotonic clock
 * @ptr: the object's address
 * @size: bytes it was given
 * @asked: bytes that were asked for
 * @weighted: bytes that it stands for in the profile
 * @age_ns: of a free: how long it lived; otherwise 0
 * @site: number of its row in the profile; 0 is what found no room
 * @cache: number of its cache, 0 for objects over 32 KiB
 * @stack: number of the call stack that allocated it; 0 if it is not known
 * @labels: number of its set of labels; 0 if it is not known
 * @pid: of the task that did it, 0 in interrupts
 * @reserved0: 0
 * @reserved: 0
 *
 * Numbers tell things apart, and are unique until the module is unloaded.
 */
struct quarry_event_record {
	__u32 type;
	__u32 cpu;
	__aligned_u64 seq;
	__aligned_u64 time_ns;
	__aligned_u64 ptr;
	__aligned_u64 size;
	__aligned_u64 asked;
	__aligned_u64 weighted;
	__aligned_u64 age_ns;
	__u32 site;
	__u32 cache;
	__u32 stack;
	__u32 labels;
	__u32 pid;
	__u32 reserved0;
	__aligned_u64 reserved[5];
};

#endif /* _UAPI_QUARRY_H */
