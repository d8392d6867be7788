/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/quarry: the interface of the Quarry allocator's heap profiler to programs.
 *
 * This header needs only <linux/types.h> and <linux/ioctl.h>, also in user space.
 */
#ifndef _UAPI_QUARRY_H
#define _UAPI_QUARRY_H

#include <linux/types.h>
#include <linux/ioctl.h>

/**
 * DOC: the device
 *
 * The device's mode is 0600.  open() needs CAP_PERFMON or CAP_SYS_ADMIN and fails
 * with EPERM otherwise.  An open file that is passed on to another process keeps its
 * right to read.  The ioctls that change something for others (QUARRY_DEV_RATE_SET,
 * QUARRY_DEV_DOMAIN_SET, QUARRY_IOC_RESET, QUARRY_IOC_DRAIN, and all with
 * QUARRY_DEV_DRAIN) check the caller again.
 *
 * A domain is a heap that can be profiled: Quarry's own, which always is, and allocators
 * of the kernel's, which QUARRY_IOC_DOMAIN switches on and off.  The member "domain" chooses
 * one; 0 is Quarry's own heap, also for programs that are older than the member.
 *
 * An ioctl that makes a profile or a heap dump stores the result in the open file, in
 * place of the result before, and sets the file's position to 0.  read() and pread()
 * read the result; lseek() takes SEEK_SET, SEEK_CUR and SEEK_END and knows the result's
 * size.  Before the first result, read(), pread() and lseek() fail with ENODATA.
 *
 * Threads may share an open file.  Each ioctl and each read is done as a whole, and
 * a read returns bytes of one result only.  Threads that share a file must agree
 * among themselves when a new result replaces the one that another thread reads,
 * and on the file's position.  Independent readers open the device separately.
 *
 * Every ioctl takes a pointer to a structure.  Members are marked "in" or "out";
 * the value of an "out" member is ignored on entry.  Every member named reserved
 * must be 0, or the ioctl fails with EINVAL.  Sizes are in bytes unless said
 * otherwise, times in nanoseconds.  A structure has the same layout for 32-bit and
 * 64-bit programs.
 *
 * Errors of all ioctls: EINVAL for a value, flag or reserved member that is not
 * allowed, and for a domain that the module does not have; EPERM for one of those that
 * change something, if the caller has neither CAP_PERFMON nor CAP_SYS_ADMIN, or the kernel
 * is locked down; EFAULT for a pointer that cannot be read or written; ENOTTY for an
 * ioctl number that is not listed here, which includes a number with another size of the
 * structure.  If EFAULT means that the answer could not be written, the action has been
 * carried out.
 */

#define QUARRY_ABI_VERSION 1
#define QUARRY_DEVICE	   "/dev/quarry"

/* In place of a cache's number: all caches. */
#define QUARRY_DEV_CACHE_ALL 0xffffffffU

/* Member "domain": the heap that is profiled. */
#define QUARRY_DEV_DOMAIN_QUARRY  0 /* Quarry's own */
#define QUARRY_DEV_DOMAIN_SLAB	  1 /* the kernel's kmalloc() and kmem_cache_alloc() */
#define QUARRY_DEV_DOMAIN_PAGES	  2 /* the kernel's alloc_pages() */
#define QUARRY_DEV_DOMAIN_PERCPU  3 /* the kernel's alloc_percpu() */
#define QUARRY_DEV_DOMAIN_VMALLOC 4 /* the kernel's vmalloc(), vmap() and ioremap() */
#define QUARRY_DEV_DOMAINS	  5 /* the module may have more: quarry_dev_info.domains */

/* What is profiled. */
#define QUARRY_DEV_KIND_HEAP	      0 /* all allocations and live objects */
#define QUARRY_DEV_KIND_ALLOCS	      1 /* as HEAP; allocated bytes are the default value */
#define QUARRY_DEV_KIND_PEAK	      2 /* objects that were live when the heap was largest */
#define QUARRY_DEV_KIND_LIFETIME      3 /* objects by age */
#define QUARRY_DEV_KIND_FRAGMENTATION 4 /* bytes given but not asked for */
#define QUARRY_DEV_KINDS	      5

/* In which format. */
#define QUARRY_DEV_FORMAT_PPROF	 0 /* profile.proto, not compressed */
#define QUARRY_DEV_FORMAT_TEXT	 1 /* legacy heap text */
#define QUARRY_DEV_FORMAT_FOLDED 2 /* one line per stack, for flame graphs */
#define QUARRY_DEV_FORMAT_TOP	 3 /* a table, largest first; in a delta, growth first */
#define QUARRY_DEV_FORMATS	 4

/* Member "flags" of struct quarry_dev_snapshot and struct quarry_dev_action. */
#define QUARRY_DEV_DRAIN (1U << 0) /* empty magazines and depots first */

/* Member "features" of struct quarry_dev_info. */
#define QUARRY_DEV_FEATURE_DELTA    (1U << 0) /* QUARRY_IOC_MARK and _DELTA */
#define QUARRY_DEV_FEATURE_HEAPDUMP (1U << 1) /* QUARRY_IOC_HEAPDUMP */
#define QUARRY_DEV_FEATURE_RING	    (1U << 2) /* QUARRY_IOC_RING and mmap() */
#define QUARRY_DEV_FEATURE_DOMAINS  (1U << 3) /* QUARRY_IOC_DOMAIN, and members "domain" */
#define QUARRY_DEV_FEATURE_MISUSE   (1U << 4) /* QUARRY_IOC_MISUSE */

/**
 * struct quarry_dev_info - for QUARRY_IOC_INFO: version, limits and numbers
 * @flags: in: 0
 * @version: out: QUARRY_ABI_VERSION of the module.  It changes only if programs written
 *	for the version before would go wrong; additions show in @features
 * @features: out: QUARRY_DEV_FEATURE_*
 * @page_size: out: bytes of a page; lengths of mmap() are multiples of it
 * @kinds: out: kinds of profiles, numbered from 0
 * @formats: out: formats, numbered from 0
 * @record_size: out: bytes of a record in the ring
 * @ring_max: out: most records that a ring can have
 * @rate: out: bytes between samples, on average; 1 samples everything, 0 nothing
 * @sites: out: rows of the profiler's table
 * @max_sites: out: the most rows that the table may have
 * @label_sets: out: distinct label sets
 * @time_ns: out: now, by the wall clock
 * @samples: out: objects that were sampled since the module was loaded
 * @live_samples: out: sampled objects that are live
 * @dropped_samples: out: samples that could not be recorded, for lack of memory,
 *	since the module was loaded or the profile was reset
 * @dropped_bytes: out: bytes that these samples stood for
 * @other_samples: out: samples recorded without their stack or labels, for lack of
 *	room, since the module was loaded or the profile was reset
 * @live_objects: out: live objects, sampled or not
 * @live_bytes: out: their bytes
 * @sampled_live_bytes: out: the profiler's estimate of @live_bytes
 * @sys_bytes: out: bytes that the allocator holds from the kernel
 * @metadata_bytes: out: the part of @sys_bytes that is the allocator's book-keeping
 * @profile_bytes: out: the part of @metadata_bytes that is the profiler's
 * @profile_max_bytes: out: the limit of @profile_bytes
 * @domains: out: domains, numbered from 0
 * @reserved0: 0
 * @reserved: 0
 *
 * All but @domains is of Quarry's own heap.
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
	__u32 domains;
	__u32 reserved0;
	__aligned_u64 reserved[4];
};

/* Member "flags" of struct quarry_dev_rate. */
#define QUARRY_DEV_RATE_SET	(1U << 0) /* set the rate; otherwise only read it */
#define QUARRY_DEV_RATE_INHERIT (1U << 1) /* with _SET: use the rate of all caches */

/**
 * struct quarry_dev_rate - for QUARRY_IOC_RATE: how often samples are taken
 * @cache: in: a cache's number, or QUARRY_DEV_CACHE_ALL for the rate of all caches
 *	that have no rate of their own
 * @flags: in: QUARRY_DEV_RATE_*; _INHERIT needs a cache's number and a @rate of 0
 * @rate: in: with QUARRY_DEV_RATE_SET the new rate; otherwise ignored.
 *	out: the rate after the ioctl: bytes between samples, on average; 1 samples
 *	everything, 0 nothing
 * @own: out: 1 if @cache has a rate of its own, else 0
 * @domain: in: QUARRY_DEV_DOMAIN_*.  Each domain has one rate, also while it is off; with
 *	another one than _QUARRY, @cache has to be QUARRY_DEV_CACHE_ALL
 * @reserved: 0
 *
 * Errors: ENOENT for no such cache; EOPNOTSUPP for setting the rate of a cache that is
 * never sampled; EBADF for QUARRY_DEV_RATE_SET if the file is not open for writing;
 * EINVAL for QUARRY_DEV_RATE_INHERIT without _SET, with QUARRY_DEV_CACHE_ALL, or with a
 * @rate that is not 0, and for a cache's number with a domain of the kernel's.
 */
struct quarry_dev_rate {
	__u32 cache;
	__u32 flags;
	__u32 rate;
	__u32 own;
	__u32 domain;
	__u32 reserved[3];
};

/**
 * struct quarry_dev_snapshot - for QUARRY_IOC_SNAPSHOT and QUARRY_IOC_DELTA
 * @kind: in: QUARRY_DEV_KIND_*
 * @format: in: QUARRY_DEV_FORMAT_*
 * @cache: in: a cache's number, 0 for objects over 32 KiB, or QUARRY_DEV_CACHE_ALL
 * @flags: in: QUARRY_DEV_DRAIN or 0
 * @size: out: bytes of the result, which can be read
 * @time_ns: out: the moment that the profile shows, by the wall clock
 * @drained: out: objects that QUARRY_DEV_DRAIN moved
 * @domain: in: QUARRY_DEV_DOMAIN_*.  A domain that is off gives a profile without rows
 * @reserved0: 0
 * @reserved: 0
 *
 * In a delta, allocations are the difference to the last mark or delta of this open
 * file, of whichever cache that was, and live objects are those of now.  An open file has
 * one mark, which is of one domain; to watch several domains, open the device as often.
 *
 * Errors: ENOENT for no such cache; ENOMEM; ENODATA for a delta before the first
 * mark; EINVAL for a delta if the mark is of another domain; EINVAL for what only
 * Quarry's own heap has, with another domain: a cache's number, QUARRY_DEV_DRAIN, and
 * QUARRY_DEV_KIND_FRAGMENTATION.  An error changes neither the result nor the mark.
 */
struct quarry_dev_snapshot {
	__u32 kind;
	__u32 format;
	__u32 cache;
	__u32 flags;
	__aligned_u64 size;
	__aligned_u64 time_ns;
	__aligned_u64 drained;
	__u32 domain;
	__u32 reserved0;
	__aligned_u64 reserved[2];
};

/**
 * struct quarry_dev_action - for QUARRY_IOC_MARK, _DRAIN, _RESET and _HEAPDUMP
 * @flags: in: QUARRY_DEV_DRAIN or 0; for QUARRY_IOC_DRAIN 0
 * @domain: in: QUARRY_DEV_DOMAIN_*; for QUARRY_IOC_DRAIN and _HEAPDUMP 0
 * @size: out: for QUARRY_IOC_HEAPDUMP bytes of the result, which can be read; otherwise 0
 * @time_ns: out: when the action was done, by the wall clock
 * @drained: out: objects that QUARRY_IOC_DRAIN or QUARRY_DEV_DRAIN moved
 * @reserved: 0
 *
 * Errors: ENOMEM for QUARRY_IOC_MARK and _HEAPDUMP, which leaves the mark and the result
 * as they were; a heap dump that would take more than an eighth of the machine's memory
 * gives ENOMEM too (read "heapdump" in debugfs, which is made while it is read); EBADF for
 * QUARRY_IOC_RESET if the file is not open for writing; EINVAL for QUARRY_DEV_DRAIN,
 * QUARRY_IOC_DRAIN and _HEAPDUMP with a domain of the kernel's.
 */
struct quarry_dev_action {
	__u32 flags;
	__u32 domain;
	__aligned_u64 size;
	__aligned_u64 time_ns;
	__aligned_u64 drained;
	__aligned_u64 reserved[2];
};

#define QUARRY_DEV_NAME_LEN 16

/* Member "flags" of struct quarry_dev_domain. */
#define QUARRY_DEV_DOMAIN_SET (1U << 0) /* switch on or off; otherwise only read */

/**
 * struct quarry_dev_domain - for QUARRY_IOC_DOMAIN: state and numbers of a domain
 * @domain: in: QUARRY_DEV_DOMAIN_*, but not _QUARRY, for which there is QUARRY_IOC_INFO
 * @flags: in: QUARRY_DEV_DOMAIN_SET or 0
 * @enabled: in: with QUARRY_DEV_DOMAIN_SET 1 to switch it on, 0 to switch it off and to
 *	forget all that was recorded; otherwise ignored.  out: 1 if it is on after the ioctl,
 *	else 0
 * @rate: out: bytes between samples, on average, also while it is off
 * @name: out: the domain's name, ending with a zero
 * @samples: out: objects that were sampled since it was switched on
 * @live_samples: out: sampled objects that are live
 * @live_bytes: out: estimate of the bytes that were allocated since, and are live
 * @dropped_samples: out: samples not recorded, for lack of room, or in an NMI
 * @dropped_bytes: out: bytes that those without room stood for
 * @other_samples: out: samples recorded without their stack or labels, for lack of room
 * @missed_frees: out: samples whose free was not seen, but found out later
 * @late_frees: out: frees that an NMI could not record
 * @unknown_frees: out: frees of other objects on pages with samples
 * @missed_calls: out: bulk calls that the kernel did not report
 * @table_samples: out: entries of the table of samples in use
 * @table_max_samples: out: entries that there are
 * @sites: out: rows of the profile's table
 * @max_sites: out: the most rows that the table may have
 * @memory_bytes: out: memory of the domain's own
 * @reserved: 0
 *
 * While the domain is off, all numbers but @rate are 0.  They are those of the file
 * kernel/<name>/stats in debugfs.
 *
 * Errors: EINVAL for QUARRY_DEV_DOMAIN_QUARRY, and for an @enabled of more than 1 with
 * QUARRY_DEV_DOMAIN_SET; EBADF for QUARRY_DEV_DOMAIN_SET if the file is not open for
 * writing; ENOMEM; EOPNOTSUPP if this kernel cannot be probed, and the log says why.
 */
struct quarry_dev_domain {
	__u32 domain;
	__u32 flags;
	__u32 enabled;
	__u32 rate;
	char name[QUARRY_DEV_NAME_LEN];
	__aligned_u64 samples;
	__aligned_u64 live_samples;
	__aligned_u64 live_bytes;
	__aligned_u64 dropped_samples;
	__aligned_u64 dropped_bytes;
	__aligned_u64 other_samples;
	__aligned_u64 missed_frees;
	__aligned_u64 late_frees;
	__aligned_u64 unknown_frees;
	__aligned_u64 missed_calls;
	__aligned_u64 table_samples;
	__aligned_u64 table_max_samples;
	__aligned_u64 sites;
	__aligned_u64 max_sites;
	__aligned_u64 memory_bytes;
	__aligned_u64 reserved[5];
};

#define QUARRY_DEV_RINGS_MAX 16 /* at one time, in the whole system */

/* Member "flags" of struct quarry_dev_ring. */
#define QUARRY_DEV_RING_FREES (1U << 0) /* record frees as well as allocations */

/**
 * struct quarry_dev_ring - for QUARRY_IOC_RING: make this open file's ring of events
 * @records: in: records that the ring holds: a power of two up to quarry_dev_info.ring_max
 * @flags: in: QUARRY_DEV_RING_FREES or 0
 * @record_size: out: bytes of a record
 * @reserved0: 0
 * @size: out: bytes to mmap()
 * @data_offset: out: where the records begin, in bytes from the start of the mapping
 * @reserved: 0
 *
 * Events of Quarry's own heap are written from now on until the file is closed.  Domains of
 * the kernel's have no events.  An open file can have one ring.
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

#define QUARRY_DEV_CACHE_LEN  48  /* of a cache's name, with the zero at its end */
#define QUARRY_DEV_CALLER_LEN 128 /* of a function's */

/**
 * struct quarry_dev_misuse - for QUARRY_IOC_MISUSE: a report of what a client did wrong
 * @after: in: the number of a report, or 0.  The next one that is kept is read; so a program that
 *	passes @number of the last answer gets one after the other
 * @number: out: how many reports there had been, this one included; 0: there is no other, and all
 *	further members are 0
 * @times: out: how often the caller did this, as long as the report is kept
 * @first_ns: out: when it did so first, by the monotonic clock
 * @last_ns: out: when it did so last
 * @object: out: the address that the client passed, as &struct quarry_event_record shows @ptr
 * @size: out: bytes of the object with what lies between it and the next; 0 if @object is none
 * @offset: out: where in the object @object points to
 * @age_ns: out: how long the object had been live; 0 if that is not known
 * @flags: in: 0
 * @stack: out: number of the call stack that allocated it; 0 if it is not known
 * @pid: out: the task that was running
 * @cpu: out: on this CPU
 * @interrupt: out: 1 if that was in an interrupt, else 0
 * @reserved0: 0
 * @what: out: the kind: the end of the name of a counter misuse_* of "stats" in debugfs
 * @comm: out: the task's name
 * @result: out: what became of the object, as the log says it
 * @cache: out: the cache that the object belongs to; empty if none is known
 * @given: out: the cache that the caller named, if it is another one; else empty
 * @caller: out: the client's function, as the log names it
 * @reserved: 0
 *
 * The last 64 reports are kept.  A caller that does the same again has one report for all times.
 */
struct quarry_dev_misuse {
	__aligned_u64 after;
	__aligned_u64 number;
	__aligned_u64 times;
	__aligned_u64 first_ns;
	__aligned_u64 last_ns;
	__aligned_u64 object;
	__aligned_u64 size;
	__aligned_u64 offset;
	__aligned_u64 age_ns;
	__u32 flags;
	__u32 stack;
	__u32 pid;
	__u32 cpu;
	__u32 interrupt;
	__u32 reserved0;
	char what[QUARRY_DEV_NAME_LEN];
	char comm[QUARRY_DEV_NAME_LEN];
	char result[2 * QUARRY_DEV_NAME_LEN];
	char cache[QUARRY_DEV_CACHE_LEN];
	char given[QUARRY_DEV_CACHE_LEN];
	char caller[QUARRY_DEV_CALLER_LEN];
	__aligned_u64 reserved[4];
};

/*
 * INFO		read version, limits and numbers
 * RATE		read or set the sampling rate
 * SNAPSHOT	make a profile
 * MARK		begin the next delta of this open file now
 * DELTA	make a profile of what happened since the last mark or delta; the
 *		next delta begins here.  ENODATA without a mark
 * DRAIN	empty magazines and depots, so that free objects do not look live
 * RESET	forget past allocations, frees and the peak, but not live objects;
 *		for all readers of the profile
 * HEAPDUMP	make a list of every live object, one line each; exact with
 *		QUARRY_DEV_DRAIN if nothing is allocated or freed meanwhile
 * RING		make the ring of events
 * DOMAIN	read state and numbers of a domain of the kernel's, switch it on or off
 * MISUSE	read a report of what a client did wrong
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
#define QUARRY_IOC_DOMAIN   _IOWR('Q', 0x09, struct quarry_dev_domain)
#define QUARRY_IOC_MISUSE   _IOWR('Q', 0x0a, struct quarry_dev_misuse)

/**
 * DOC: the ring
 *
 * After QUARRY_IOC_RING, mmap() of quarry_dev_ring.size bytes at offset 0 with
 * MAP_SHARED gives one page with struct quarry_ring_control, followed by the
 * records.  mmap() fails with EINVAL for any other length or offset, MAP_PRIVATE or
 * PROT_EXEC, and with ENODATA before QUARRY_IOC_RING.  The ring may be mapped more
 * than once; all mappings show the same memory, which lives as long as they do.
 *
 * The counters head and tail only grow, and wrap at 2^64.  Record n is at index n
 * modulo records.  Records tail to head - 1 can be read; the ring is empty when tail
 * equals head.  There is one reader.  It
 *
 *   1. loads head with acquire semantics, which pairs with the kernel's store
 *      with release semantics after a record was written;
 *   2. reads the records from tail to head - 1;
 *   3. stores the new tail with release semantics, so that these reads come
 *      before the kernel's next writes.
 *
 * The load of head and the store of tail are single 64-bit accesses.
 *
 * When the ring is full, or head - tail is larger than records, the kernel drops new
 * events and counts them in overruns.  The kernel reads no member but tail, and
 * a wrong tail costs the reader only its own events.
 *
 * poll() reports POLLIN | POLLRDNORM while tail differs from head, and nothing else.
 * It concerns only the ring, not the results of ioctls.  Before QUARRY_IOC_RING it
 * waits for the ring's first event.
 */

/**
 * struct quarry_ring_control - the ring's first page
 * @version: QUARRY_ABI_VERSION
 * @record_size: bytes of a record
 * @records: records that the ring holds, a power of two
 * @flags: as given to QUARRY_IOC_RING
 * @data_offset: where the records begin, in bytes from the start of this page
 * @reserved: 0
 * @head: records written so far; stored by the kernel
 * @overruns: events dropped so far; stored by the kernel
 * @reserved_head: 0
 * @tail: records read so far; stored by the reader, 0 at first
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
 * @cpu: the CPU that did it
 * @seq: events before this one, dropped events included; a jump by more than one
 *	shows that events were dropped
 * @time_ns: when, by the monotonic clock
 * @ptr: the object: its address, if the process that made the ring may see addresses
 *	(kptr_restrict, CAP_SYSLOG) and the kernel is not locked down for
 *	confidentiality; else a number that stands for it.  The events of one object
 *	have the same value
 * @size: bytes it was given
 * @asked: bytes that were asked for
 * @weighted: bytes that it stands for in the profile
 * @age_ns: for a free, how long the object lived; otherwise 0
 * @site: number of its row in the profile; 0 if the table had no room
 * @cache: number of its cache, 0 for objects over 32 KiB
 * @stack: number of the call stack that allocated it; 0 if it is not known
 * @labels: number of its label set; 0 if it is not known
 * @pid: the task that did it, 0 in interrupts
 * @reserved0: 0
 * @reserved: 0
 *
 * A number stands for the same thing until the module is unloaded.  The exception is
 * @site: the number of a row without live objects may be used again after a module of its
 * stack was unloaded or its cache was destroyed.
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
