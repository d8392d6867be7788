#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Memory that comes after Quarry was loaded: no allocation fails while it is free, __GFP_NOFAIL
# returns, and a node that gets its first memory serves caches that exist already. And what the
# book-keeping costs when the memory of a device lies far up.
#
# Runs in a machine of its own with two nodes, and two modules of memory that are offline, one of
# them on a third node.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
unload wordindex quarry_client quarry

BLOCKS=/sys/devices/system/memory
added=$(grep -l offline "$BLOCKS"/memory*/state | xargs -r -n 1 dirname)
[ -n "$added" ] || skip_all "no memory to add"

# The node that has all of its memory in the blocks that are offline.
new_node=
for dir in $added; do
	for node in "$dir"/node*; do
		node=${node##*/node}
		memory_nodes | grep -qx "${node#node}" || new_node=$node
	done
done

# --- Memory of a device ---

load quarry
small=$(stat metadata_bytes)
unload quarry
if insmod "$MODULES/quarry_far.ko" 2>"$TMP/error"; then
	load quarry
	within "KiB of book-keeping with a device's memory at 33,000 GiB" \
		$(($(stat metadata_bytes) >> 10)) 1 $(((small >> 10) + 64))
	unload quarry
	rmmod quarry_far || fail "rmmod quarry_far"
else
	skip "no device's memory far up: $(cat "$TMP/error")"
fi

# --- Memory that is added ---

load quarry quarry_client
within "KiB of book-keeping" $(($(stat metadata_bytes) >> 10)) 1 \
	$((1024 + $(stat profile_bytes) / 1024))
before=$(awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo)
expect "objects before" client hold mib=64
for dir in $added; do
	echo online_kernel >"$dir/state" || fail "${dir##*/} does not come online"
done
free=$(awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo)
note "$before MiB free, and $free MiB with the memory that was added"
want=$((before + (free - before) * 3 / 4))
mark
expect "$want MiB" client hold "mib=$want"
expect "the walker finds no error" validate
expect "the equations hold" balanced
expect "all are unchanged" client release
echo 1 >"$QUARRY/control/drain"
echo 1 >"$QUARRY/control/scavenge"
expect "$want MiB that must not fail" client hold "mib=$want" nofail=1
expect "all of these are unchanged" client release
same "lines of failures" "$(since_mark | grep -c 'no memory')" 0

if [ -n "$new_node" ]; then
	client place n=500 size=64 cpu=0 free_cpu=0 "node=$((${new_node#node} + 1))" thisnode=1 ||
		fail "place"
	same "objects of $new_node, of a cache that is older" "$(result placed)" 500
fi
expect "the walker finds no error in the end" validate
mark
unload quarry_client quarry
same "lines that say something was not given back" \
	"$(since_mark | grep -c 'not given back\|never freed')" 0
finish
