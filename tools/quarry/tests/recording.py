#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write a recording as "quarry record" would, but from made-up numbers, for tests.

Usage: recording.py DIR [MOMENTS [SECONDS]]

It is written by the format's description (Documentation/tool-record.rst), not by the program's code.
Each moment is SECONDS (60) after the one before.  What happens in it:

  leaker    leaks 64 KiB each moment, in 64 objects, of the process "tick" and the cgroup 4242
  filler    grows by 1 MiB each moment, and stops at 4 MiB
  churner   allocates 4 MiB each moment and frees it
  steady    nothing

Moment n (from 0) has 1,000 * n + 5,000 allocations, n of them live.
"""

import gzip
import os
import sys

KIB = 1024
START_NS = 1_790_000_000_000_000_000
UPTIME_NS = 3_600_000_000_000


def varint(n):
    """A number of the format, which is not negative."""
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def number(field, n):
    """A field with a number."""
    return varint(field << 3) + varint(n)


def message(field, body):
    """A field with bytes."""
    return varint(field << 3 | 2) + varint(len(body)) + body


class Profile:
    """A profile in the format of pprof."""

    def __init__(self, time_ns):
        self.strings = [""]
        self.functions = {}
        self.body = b""
        self.time_ns = time_ns
        for kind, unit in (
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ):
            self.body += message(1, number(1, self.string(kind)) + number(2, self.string(unit)))

    def string(self, text):
        """The index of a string."""
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)

    def function(self, name):
        """The number of a function, which is that of its location too."""
        return self.functions.setdefault(name, len(self.functions) + 1)

    def site(self, stack, values, **labels):
        """Add a call stack, innermost first, with its four values and its labels."""
        body = b"".join(number(1, self.function(name)) for name in stack)
        body += b"".join(number(2, value) for value in values)
        for key, value in labels.items():
            body += message(3, number(1, self.string(key)) + number(2, self.string(value)))
        self.body += message(2, body)

    def packed(self):
        """The profile, compressed."""
        body = self.body
        for name, at in self.functions.items():
            body += message(4, number(1, at) + number(3, at) + message(4, number(1, at)))
            body += message(5, number(1, at) + number(2, self.string(name)))
        body += message(11, number(1, self.string("space")) + number(2, self.string("bytes")))
        body += number(12, 1)
        body += number(9, self.time_ns)
        for text in self.strings:
            body += message(6, text.encode())
        return gzip.compress(body, mtime=0)


def quarry_profile(n, time_ns):
    """Quarry's own heap at moment n."""
    p = Profile(time_ns)
    p.site(
        ["leaker", "tick_work", "worker_thread", "kthread", "ret_from_fork"],
        [64 * (n + 1), 64 * KIB * (n + 1)] * 2,
        cache="leaky",
        comm="tick",
    )
    filled = min(n + 1, 4)
    p.site(["filler", "load_table", "do_init_module"], [filled * 16, filled * KIB * KIB] * 2,
           cache="table", comm="insmod")
    p.site(["churner", "read_block", "vfs_read", "ksys_read"],
           [1000 * (n + 1), 4 * KIB * KIB * (n + 1), 10, 40 * KIB], cache="block", comm="cat")
    p.site(["steady", "start_it", "do_init_module"], [5, 20 * KIB, 5, 20 * KIB],
           cache="large", comm="insmod")
    return p.packed()


def slab_profile(n, time_ns):
    """The kernel's slab allocator at moment n."""
    p = Profile(time_ns)
    p.site(["alloc_inode", "ext4_alloc_inode", "iget_locked", "ext4_lookup", "path_openat"],
           [100 * (n + 1), 100 * KIB * (n + 1)] * 2,
           cache="ext4_inode_cache", comm="find", cgroup="4242")
    p.site(["alloc_skb", "sock_alloc_send_pskb", "unix_stream_sendmsg"],
           [9000 * (n + 1), 9 * KIB * KIB * (n + 1), 12, 12 * KIB],
           cache="skbuff_head_cache", comm="dbus-daemon", cgroup="77")
    p.site(["alloc_skb", "sock_alloc_send_pskb", "unix_stream_sendmsg"], [3, 3 * KIB] * 2,
           cache="skbuff_head_cache", comm="sshd")
    return p.packed()


STATS = """\
sys_bytes 16777216
inuse_bytes 12582912
idle_bytes 3145728
metadata_bytes 1048576
live_bytes {live}
live_objects {n}
mallocs {mallocs}
frees {frees}
cached_objects 321
mixed_bytes 2097152
failed_allocs 3
hard_limit_bytes max
soft_limit_bytes max
uptime_ns {uptime}
slow_path_ns {slow}
sample_rate_bytes 524288
samples 1234
live_samples 321
profile_bytes 262144
"""

CACHES = """\
#name           id  size  inuse_bytes waste_pct live_objs  cached      mallocs  state
table           44 65536      4194304       0.0        64       0           64 active
leaky           42  1024      {leaky:7d}       1.5 {leaked:9d}       9 {leaked:12d} active
block           43  4096       131072      68.7        10      22 {churned:12d} active
quarry-{long}   45    64         4096      98.4         1      62          100 zombie
"""


def moment(folder, n, seconds):
    """Write the files of moment n."""
    time_ns = START_NS + n * seconds * 1_000_000_000
    uptime = UPTIME_NS + n * seconds * 1_000_000_000
    files = {
        "moment": f"time_ns {time_ns}\nmonotonic_ns {uptime + 5_000_000_000}\nboot 1a2b3c4d\n",
        "stats": STATS.format(
            live=8 * KIB * KIB + n * 64 * KIB, n=n, mallocs=5000 + 1000 * n * seconds,
            frees=5000 + 1000 * n * seconds - n, uptime=uptime, slow=n * seconds * 5_000_000),
        "caches.table": CACHES.format(
            leaky=64 * KIB * (n + 1), leaked=64 * (n + 1), churned=1000 * (n + 1),
            long="a-name-as-long-as-names-can-be-here"),
        "profile.heap.pb.gz": quarry_profile(n, time_ns),
        "kernel.slab.stats": f"enabled 1\nsample_rate_bytes 1\nsamples 9\nlive_samples 9\n"
                             f"sampled_live_bytes {100 * KIB * (n + 1) + 15 * KIB}\n",
        "kernel.slab.heap.pb.gz": slab_profile(n, time_ns),
    }
    os.mkdir(folder)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)


def main():
    """Write all moments."""
    folder = sys.argv[1]
    moments = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    os.mkdir(folder)
    with open(os.path.join(folder, "recording"), "w", encoding="ascii") as f:
        f.write("version 1\n")
    for n in range(moments):
        moment(os.path.join(folder, f"{n + 1:08d}"), n, seconds)


if __name__ == "__main__":
    main()
