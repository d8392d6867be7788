#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Caches that are made and destroyed, and clients that are loaded and unloaded, leave nothing
# behind.

cd "$(dirname "$0")" || exit 1
# On one processor: on a processor of another node, the page heap of that node would grow.
[ -n "${PINNED:-}" ] || PINNED=1 exec taskset -c 0 sh ./caches.sh
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

caches=$(choose 10000 300 2500)
rounds=${QUARRY_ROUNDS:-$(choose 1000 20 100)}
bound=64	# pages: some 26 bytes for each of 10,000 caches
slab_bound=256	# KiB

slab_kib()
{
	awk '/^Slab:/ { print $2 }' /proc/meminfo
}

measure()
{
	drain
	echo 1 >"$QUARRY/control/scavenge"
	settle_memory
	metadata=$(settled_metadata)
	count_free_pages
	pages=$pages_free
	slab=$(slab_kib)
	profile=$(stat profile_bytes)
	sys=$(($(stat sys_bytes) - profile))
}

# compare TEXT: measure again, and compare with the last measurement. Sets lost, the free pages
# that are missing.
compare()
{
	old_metadata=$metadata old_pages=$pages old_slab=$slab old_sys=$sys
	old_profile=$profile
	measure
	lost=$((old_pages - pages))
	note "$1: metadata $old_metadata to $metadata, free pages $old_pages to $pages," \
		"Slab $old_slab to $slab KiB, profile $old_profile to $profile"
	same "$1: metadata_bytes" "$metadata" "$old_metadata"
	same "$1: sys_bytes without the profile" "$sys" "$old_sys"
	# The profiler keeps a row for each site, but only one.
	within "$1: growth of the profile" $((profile - old_profile)) 0 16384
	has_kasan || within "$1: growth of Slab in KiB" $((slab - old_slab)) -100000 $slab_bound
}

# pages_lost TEXT N...: N are the pages that were lost in each round. The middle one decides,
# because a single round also shows what the kernel does beside the test.
pages_lost()
{
	text=$1
	shift
	if has_kasan; then
		skip "$text: free pages and Slab (KASAN keeps freed memory in quarantine)"
		return
	fi
	middle=$(printf '%s\n' "$@" | sort -n | sed -n $((($# + 1) / 2))p)
	within "$text: free pages that are gone, of $*" "$middle" -100000 $bound
}

cycle()
{
	./modload cycle "$MODULES/quarry_client_tiny.ko" quarry_client_tiny "$1"
}

caches_before=$(stat caches)
# Make caches of every size that follows, so that the page heap has its final size. Sample the
# first ones, because sampled objects have chunks of their own.
rate=$(cat "$QUARRY/profile/rate")
echo 1 >"$QUARRY/profile/rate"
client caches n=100 || fail "warm-up"
echo "$rate" >"$QUARRY/profile/rate"
client caches "n=$(choose 4000 300 2500)" || fail "warm-up"
measure
start=$(cut -d ' ' -f 1 /proc/uptime)
all=
for round in 1 2 3; do
	expect "round $round: $caches caches are made and destroyed" client caches "n=$caches"
	same "caches in all" "$(result created)" "$caches"
	compare "$caches caches"
	all="$all $lost"
done
note "in $(awk -v s="$start" '{ print $1 - s }' /proc/uptime) s"
# shellcheck disable=SC2086 # numbers are words
pages_lost "$caches caches" $all
same "caches that are left" "$(stat caches)" "$caches_before"
same "directories that are left" \
	"$(find "$QUARRY/caches" -mindepth 1 -maxdepth 1 -type d | wc -l)" "$caches_before"

cycle 10 || fail "warm-up"
measure
start=$(cut -d ' ' -f 1 /proc/uptime)
expect "$rounds loads and unloads of a client" cycle "$rounds"
note "in $(awk -v s="$start" '{ print $1 - s }' /proc/uptime) s"
compare "$rounds loads"
pages_lost "$rounds loads" "$lost"

echo 1 >"$QUARRY/profile/rate"
cycle 2 || fail "warm-up"
measure
expect "40 loads and unloads with everything sampled" cycle 40
compare "40 loads"
pages_lost "40 loads" "$lost"
same "live objects" "$(stat live_objects)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
finish
