#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Everything goes back: after a peak of 256 MiB and rmmod, as many pages are free as
# before insmod.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
unload wordindex quarry_client quarry

mib=${QUARRY_MIB:-256}
bound=16
rounds=$(choose 3 1)

[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt $((mib + 64)) ] ||
	skip_all "less than $mib MiB of memory"

round()
{
	load quarry quarry_client
	client "hold mib=$mib" || fail "hold"
	peak=$(stat inuse_bytes)
	client release || fail "release"
	# A second wave, so that what was given back is used again.
	client "stress seconds=1 threads=3 seed=$1" || fail "stress"
	client "hold mib=$((mib / 2))" || fail "hold again"
	client release || fail "release again"
	unload quarry_client quarry
}

# Free pages at rest: some memory comes back later, by work of the kernel's own
# (empty per-CPU chunks, lazily unmapped areas), so the best of a few looks counts.
pages_at_rest()
{
	best=0
	for _ in 1 2 3; do
		settle_memory
		now=$(free_pages)
		[ "$now" -le "$best" ] || best=$now
	done
	grep -E '^(Slab|Percpu|PageTables|KernelStack|VmallocUsed|Cached|AnonPages):' \
		/proc/meminfo >"$TMP/meminfo.$1"
	note "round $round, $1: $best pages free, $(awk \
		'{ printf "%s %d ", $1, $2 / 4 }' "$TMP/meminfo.$1")"
}

# The first load makes the kernel allocate for itself what it then keeps: page
# tables of the module area, slabs of its own caches (inodes and dentries of
# debugfs and sysfs among them), per-CPU memory. None of that is Quarry's, and
# none of it grows for long.
round 7
round 7
for round in $(seq "$rounds"); do
	pages_at_rest before
	before=$best
	round 7
	pages_at_rest after
	after=$best
	note "round $round: $before pages free before insmod, $after after rmmod;" \
		"peak $((peak >> 20)) MiB in use"
	within "round $round: MiB in use at the peak" $((peak >> 20)) "$mib" $((mib * 5 / 4))
	if has_kasan; then
		skip "round $round: pages (KASAN keeps freed memory in quarantine)"
	else
		# More than before is the kernel's own memory, and no concern of this.
		within "round $round: pages that did not come back" $((before - after)) \
			-1000 $bound
	fi
done
same "lines that say something was not given back" \
	"$(dmesg | grep -c 'quarry: .*\(not given back\|never freed\)')" 0
finish
