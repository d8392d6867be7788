#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel profile is switched on and off under load, while rates change, profiles are read, and
# a processor goes and comes. No free is missed meanwhile, and no memory stays.
#
# QUARRY_TURNS: how often

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

load_anew quarry_client
SLAB=$QUARRY/kernel/slab
turns=${QUARRY_TURNS:-$(choose 60 30 20)}
last=/sys/devices/system/cpu/cpu$(($(cpus_online) - 1))/online
mkdir "$TMP/files"

# The label sets that a profile has used stay.
echo 1 >"$SLAB/rate"
echo 1 >"$SLAB/enable"
./kernload 20 "$TMP/files" || fail "kernload"
cat "$SLAB/heap" >/dev/null
echo 0 >"$SLAB/enable"
before=$(stat metadata_bytes)

while :; do
	./kernload 100 "$TMP/files"
done >/dev/null 2>&1 &
load=$!
while :; do
	echo "kernel way=bulk n=500" >"$CLIENT/run"
	echo "unkernel way=bulk how=bulk" >"$CLIENT/run"
done 2>/dev/null &
more=$!
while :; do
	cat "$SLAB"/[ahlpt]* >/dev/null 2>&1
	sleep 3
done &
reader=$!

turn=0 samples=0 missed=0 unreported=0
while [ $turn -lt "$turns" ]; do
	case $((turn % 4)) in
	0) rate=1 ;;
	1) rate=65536 ;;
	2) rate=4096 ;;
	3) rate=off ;;
	esac
	echo "$rate" >"$SLAB/rate" || break
	echo 1 >"$SLAB/enable" || break
	if [ $((turn % 10)) = 3 ] && [ -w "$last" ]; then
		echo 0 >"$last" || break
	fi
	[ $((turn % 5)) != 0 ] || cat "$SLAB/heap" "$SLAB/top" >/dev/null || break
	echo 8192 >"$SLAB/rate" || break
	[ ! -w "$last" ] || [ "$(cat "$last")" = 1 ] || echo 1 >"$last" || break
	samples=$((samples + $(value "$SLAB/stats" samples)))
	missed=$((missed + $(value "$SLAB/stats" missed_frees)))
	unreported=$((unreported + $(value "$SLAB/stats" missed_calls)))
	echo 0 >"$SLAB/enable" || break
	turn=$((turn + 1))
done
same "switched on and off under load" $turn "$turns"
within "samples of all turns" $samples "$turns" 1000000000
same "missed frees of all turns" $missed 0
same "calls of functions that were not reported" $unreported 0
kill $load $more $reader
wait $load $more $reader 2>/dev/null
client unkernel way=bulk destroy=1
within "metadata_bytes more than before, KiB; label sets stay" \
	$((($(stat metadata_bytes) - before) / 1024)) -100 200
expect "the walker finds no error" validate
expect "the equations hold" balanced
unload quarry_client quarry
finish
