#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A processor that goes offline leaves nothing in its magazines, and works when it comes back.
# Meanwhile clients may create and destroy caches in callbacks of CPU hotplug.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

online=/sys/devices/system/cpu/cpu1/online
[ -w "$online" ] || skip_all "no second processor that can be switched off"
load_anew quarry_client
trap 'echo 1 >"$online" 2>/dev/null; rm -rf "$TMP"' EXIT

cached()
{
	cache_stat malloc-64 cached_objects
}

client place n=200 size=64 cpu=1 free_cpu=1 || fail "place"
within "objects cached by processor 1 and its depot" "$(cached)" 1 1000
expect "processor 1 goes off" sh -c "echo 0 >$online"
expect "the equations hold" balanced
expect "the walker finds no error" validate
# A drain empties the magazines of the processors that run. Objects that are still cached after
# it would be those of the dead processor.
drain
same "objects that are still cached" "$(cached)" 0
same "slabs that are still held" "$(stat slabs)" 0
expect "processor 0 goes on" client place n=200 size=64 cpu=0 free_cpu=0
expect "processor 1 comes back" sh -c "echo 1 >$online"
expect "and works" client place n=200 size=64 cpu=1 free_cpu=1
expect "and frees what the other allocated" client place n=200 size=64 cpu=0 free_cpu=1
expect "the walker finds no error" validate

# The load keeps the work that looks at all magazines once a second going.
client callbacks || fail "callbacks"
client stress "seconds=$(choose 5 5)" threads=5 seed=7 &
pid=$!
rounds=0
while kill -0 "$pid" 2>/dev/null; do
	echo 0 >"$online" || fail "off"
	validate || fail "walk with processor 1 off"
	sleep 0.2
	echo 1 >"$online" || fail "on"
	drain
	rounds=$((rounds + 1))
done
wait "$pid"
same "status of the stress" $? 0
sed 's/^/# /' "$CLIENT/result"
within "times off and on under load" "$rounds" 2 1000000
client uncallbacks || fail "uncallbacks"
same "callbacks that created a cache and destroyed it" "$(result called)" $((4 * rounds))
same "callbacks that failed" "$(result failed)" 0
same "zombie caches" "$(stat zombie_caches)" 0
same "live objects" "$(stat live_objects)" 0
drain
same "cached objects after a drain" "$(stat cached_objects)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
finish
