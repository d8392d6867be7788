#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# What the command costs while the profiler holds 16,384 call stacks and a million live samples: the
# memory of each command, and what it reads. No command reads more than what it shows needs.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

command -v quarry >/dev/null || skip_all "the command quarry is not here"
EVENTS=/sys/kernel/tracing/events/syscalls
[ -e "$EVENTS/sys_exit_read" ] || skip_all "the kernel has no events of system calls"

unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" rate=1 profile_kib=1048576 profile_rows=32768 || {
	fail "insmod quarry"
	finish
}
load quarry_client
client crowd requests=16384 visits=1 objects=62 stacks=16384 keep=1
within "live samples" "$(stat live_samples)" 1000000 1100000
within "sites" "$(stat profile_sites)" 16384 20000
same "dropped samples" "$(stat dropped_samples)" 0

# --- What is read -------------------------------------------------------------

echo 40000 >/sys/kernel/tracing/buffer_size_kb
for event in sys_enter_ioctl sys_exit_read; do
	echo 'common_pid != 0' >"$EVENTS/$event/filter"
done

# cost TEXT KIB READ COMMAND...: it takes at most so many KiB of memory, and reads so many bytes by
# read(). Sets snapshots: how often it asked for the profile.
cost()
{
	text=$1 most=$2 read=$3
	shift 3
	echo >/sys/kernel/tracing/trace
	for event in sys_enter_ioctl sys_exit_read; do
		echo 1 >"$EVENTS/$event/enable"
	done
	busybox time -v "$@" >"$TMP/out" 2>"$TMP/time"
	for event in sys_enter_ioctl sys_exit_read; do
		echo 0 >"$EVENTS/$event/enable"
	done
	grep '^ *quarry-' /sys/kernel/tracing/trace >"$TMP/calls"
	bytes=$(sed -n 's/.*sys_read -> 0x\([0-9a-f]*\)$/\1/p' "$TMP/calls" |
		awk '{ n += length($1) < 9 ? hex($1) : 0 }
		function hex(s, i, v) {
			for (i = 1; i <= length(s); i++)
				v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
			return v
		}
		END { printf "%.0f", n }')
	# The number of QUARRY_IOC_SNAPSHOT and QUARRY_IOC_DELTA: type 'Q', number 2 and 4.
	snapshots=$(grep -c 'sys_ioctl(.*cmd: [0-9a-f]*510[24]' "$TMP/calls")
	kib=$(sed -n 's/.*Maximum resident set size (kbytes): //p' "$TMP/time")
	seconds=$(sed -n 's/.*Elapsed.*): //p' "$TMP/time")
	note "$text: $seconds, $kib KiB of memory, $bytes bytes read, $snapshots snapshots"
	within "$text: KiB of memory" "$kib" 1 "$most"
	within "$text: bytes read" "$bytes" 0 "$read"
}

# plain COMMAND...: it shows no call stacks, so it asks for none. Most of its memory is that of shared
# libraries.
plain()
{
	cost "$*" 32768 65536 "$@"
	same "$*: snapshots" "$snapshots" 0
}

# sites N MIB COMMAND...: it looks at the profile N times, and takes so much memory at most.
sites()
{
	wanted=$1 mib=$2
	shift 2
	cost "$*" $((mib << 10)) 1048576 "$@"
	same "$*: snapshots" "$snapshots" "$wanted"
}

plain quarry caches
plain quarry nodes
plain quarry limit
plain quarry rate
plain quarry doctor
plain quarry top --batch 1 --view caches
sites 1 128 quarry status
sites 1 128 quarry profile -o "$TMP/a.pb.gz"
sites 1 128 quarry profile -o "$TMP/a.folded"
sites 1 128 quarry profile
sites 1 128 quarry profile -o "$TMP/a.html"
sites 1 128 quarry profile --cache malloc-64 -o "$TMP/b.pb.gz"
sites 13 192 quarry leaks --seconds 12
sites 0 128 quarry diff "$TMP/a.pb.gz" "$TMP/a.pb.gz"

client uncrowd
unload quarry_client quarry
finish
