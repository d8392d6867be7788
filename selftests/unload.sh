#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Unloading gives all memory back. After a peak of 256 MiB and rmmod, as many pages are free as
# before insmod.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
unload wordindex quarry_client quarry

mib=${QUARRY_MIB:-256}
bound=16
page=$(page_bytes)
worst=128
[ "$page" = 4096 ] || worst=64
rounds=$(choose 5 1)

[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt $((mib + 64)) ] ||
	skip_all "less than $mib MiB of memory"

round()
{
	load quarry quarry_client
	client "hold mib=$mib" || fail "hold"
	peak=$(stat inuse_bytes)
	client release || fail "release"
	# A second wave, so that memory that was given back is used again.
	client "stress seconds=1 threads=3 seed=$1" || fail "stress"
	client "hold mib=$((mib / 2))" || fail "hold again"
	client release || fail "release again"
	unload quarry_client quarry
}

# Sets best, the free pages at rest. The kernel frees some memory later (empty per-CPU chunks,
# lazily unmapped areas), so the highest of four counts is used.
pages_at_rest()
{
	best=0
	for _ in 1 2 3 4; do
		settle_memory
		count_free_pages
		[ "$pages_free" -le "$best" ] || best=$pages_free
	done
	grep -E '^(Slab|Percpu|PageTables|KernelStack|VmallocUsed|Cached|AnonPages):' \
		/proc/meminfo >"$TMP/meminfo.$1"
	note "round $round, $1: $best pages free, $(awk \
		-v page="$page" '{ printf "%s %d ", $1, $2 * 1024 / page }' "$TMP/meminfo.$1")"
}

# At the first loads the kernel allocates memory that it then keeps for itself: page tables of
# the module area, slabs of its own caches (for inodes and dentries of debugfs and sysfs, for
# example), and per-CPU memory. None of it is Quarry's, and it soon stops growing. So the first
# two rounds are not measured.
round 7
round 7
losses=
# Nothing happens between two rounds, so the count after one round is the count before the next.
round=0
pages_at_rest before
first=$best
after=$best
for round in $(seq "$rounds"); do
	before=$after
	round 7
	pages_at_rest after
	after=$best
	losses="$losses $((before - after))"
	note "round $round: $before pages free before insmod, $after after rmmod;" \
		"peak $((peak >> 20)) MiB in use"
	within "round $round: MiB in use at the peak" $((peak >> 20)) "$mib" $((mib * 5 / 4))
done
# Pages that each unload loses add up over the rounds. What the kernel itself holds at a count, a
# stack or a slab that it is about to give back, is some 20 pages more or less, and does not add
# up. So what is missing after all rounds, for each of them, decides. No single round may lose more
# than 128 pages, a quarter of a chunk, or half of one if pages are larger. If more pages are free
# than before, the kernel has freed memory of its own, which does not matter here.
if has_kasan; then
	skip "pages (KASAN keeps freed memory in quarantine)"
else
	# shellcheck disable=SC2046,SC2086 # numbers are words
	set -- $(printf '%s\n' $losses | sort -n)
	note "pages that did not come back, by round:$losses"
	within "pages that did not come back, for each round" $(((first - after) / rounds)) -1000 $bound
	shift $(($# - 1))
	within "pages that did not come back, worst round" "$1" -1000 "$worst"
fi
same "lines that say something was not given back" \
	"$(dmesg | grep -c 'quarry: .*\(not given back\|never freed\)')" 0
finish
