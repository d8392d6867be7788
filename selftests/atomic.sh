#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Contexts that must not sleep, requests that must not fail, and a kernel that has no free
# block of 2 MiB.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

# The size classes have no slab yet, so slabs and chunks are made in these contexts.
for context in hardirq softirq irqsoff; do
	for size in 8 200 4096 20000; do
		expect "$context, $size bytes" client atomic "context=$context" "size=$size"
		within "$context, $size bytes: failures" "$(result failed)" 0 \
			$((size > 10000 ? 400 : 0))
	done
	drain
	expect "$context: the walker finds no error" validate
done
# A wait for work that memory must be free for would be a complaint of the kernel's here.
expect "a work item that reclaims memory shrinks and destroys" client reclaimer
expect "no failure allowed" client failnth op=nofail
same "and there is none" "$(result worked)" 1

# Empty books, so that every slab has to come from a kernel without free blocks.
load_anew quarry_client

# Take blocks from every processor, because each has some in its own lists.
take_blocks_apart()
{
	blocks=0 cpu=0
	while [ "$cpu" -lt "$(cpus_online)" ]; do
		on_cpus "$(printf %x $((1 << cpu)))"
		client fragment || fail "fragment"
		blocks=$((blocks + $(result blocks)))
		cpu=$((cpu + 1))
	done
	on_cpus "$(printf %x $(((1 << $(cpus_online)) - 1)))"
	note "$blocks blocks of 2 MiB were taken apart"
}

# While some memory is free the kernel compacts it into new blocks, at once or many requests
# later. So have it compacted, and repeat until there are none, and until half of the pages are in
# mixed chunks.
total=1 mixed=0
for try in 1 2 3 4 5 6 7 8 9 10; do
	echo 1 >/proc/sys/vm/compact_memory
	take_blocks_apart
	[ "$blocks" = 0 ] || continue
	client hold mib=16 || fail "hold"
	total=$(stat inuse_bytes)
	mixed=$(stat mixed_bytes)
	note "in use $total, of them in mixed chunks $mixed"
	[ $((mixed * 100 / total)) -lt 50 ] || break
	client release || fail "release"
	drain
	echo 1 >"$QUARRY/control/scavenge" || fail "scavenge"
done
same "whole blocks that are left" "$blocks" 0
within "per cent in mixed chunks" $((mixed * 100 / total)) 50 100
expect "the equations hold" balanced
expect "the walker finds no error" validate
client release || fail "release"
expect "the stress in mixed chunks" \
	client stress "seconds=$(choose 3 3)" threads=4 "seed=${QUARRY_SEED:-5}"
sed 's/^/# /' "$CLIENT/result"
for context in hardirq softirq; do
	expect "$context in mixed chunks" client atomic "context=$context" size=500
done
drain
same "live objects" "$(stat live_objects)" 0
same "mixed bytes after a drain" "$(stat mixed_bytes)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
client defragment || fail "defragment"
unload quarry_client quarry
expect "both modules unload" test ! -d "$QUARRY"
finish
