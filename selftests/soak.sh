#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Everything at once, for as long as is asked: threads and interrupts allocate and check each byte,
# caches come and go, memory is taken back, profiles are read while the rate changes, checks of live
# caches are switched, and where the emulator can bear it (QUARRY_EVENTS) a processor goes and comes
# and the kernel profile is switched. The walker runs in each round.
#
# QUARRY_SECONDS: how long (60)   QUARRY_SEED: of the load

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

seconds=${QUARRY_SECONDS:-60}
seed=${QUARRY_SEED:-$(date +%s)}
last=/sys/devices/system/cpu/cpu$(($(cpus_online) - 1))/online
note "seed $seed, $seconds s"
mkdir "$TMP/files"
mkfifo "$TMP/wait"

# pause SECONDS, without a new process.
pause()
{
	# shellcheck disable=SC3045 # busybox has -t
	read -r -t "$1" _ <>"$TMP/wait"
}

# more NAME: the turns of a disturber.
more()
{
	turns=$((turns + 1))
	echo "$turns" >"$TMP/$1"
}

# A disturber ends by itself: one that is killed leaves a process behind that has a file open.
running()
{
	[ ! -e "$TMP/stop" ]
}

read_all()
{
	turns=0
	while running; do
		cat "$QUARRY"/profile/* "$QUARRY"/kernel/*/[ahlpt]* "$QUARRY/caches/all" \
			"$QUARRY/caches/table" "$QUARRY/classes" "$QUARRY/stats" "$QUARRY"/caches/*/slabs \
			"$QUARRY"/nodes/*/chunks "$QUARRY/misuse" >/dev/null 2>&1
		read_verdict
		[ "$verdict" = ok ] || echo "$verdict" >>"$TMP/verdicts"
		more reads
		pause 1
	done
}

change_rates()
{
	turns=0
	while running; do
		for rate in 1 65536 4096 off 524288; do
			echo "$rate" >"$QUARRY/profile/rate"
			pause 1
		done
		echo 1 >"$QUARRY/profile/reset"
		more rates
	done
}

take_back()
{
	turns=0
	while running; do
		echo 3 >/proc/sys/vm/drop_caches
		echo 1 >"$QUARRY/control/scavenge"
		drain
		[ $((turns % 8)) != 7 ] || cat "$QUARRY/control/findleaks" >/dev/null
		more reclaims
		pause 2
	done 2>/dev/null
}

# Caches of the load come and go, so a file may be gone when it is written to.
switch_checks()
{
	turns=0
	while running; do
		for check in sane redzone stacks none; do
			for file in "$QUARRY"/caches/*/check; do
				echo "$check" >"$file"
			done
			pause 1
		done
		more checks
	done 2>/dev/null
}

switch_processor()
{
	turns=0
	while running && [ -w "$last" ] && [ -n "${QUARRY_EVENTS:-}" ] && [ "$QUARRY_EVENTS" != 0 ]; do
		echo 0 >"$last"
		pause 1
		echo 1 >"$last"
		more processors
		pause 4
	done 2>/dev/null
}

switch_kernel()
{
	turns=0
	while running && [ -n "${QUARRY_EVENTS:-}" ] && [ "$QUARRY_EVENTS" != 0 ]; do
		echo 1 >"$QUARRY/kernel/slab/enable"
		./kernload 20 "$TMP/files" >/dev/null 2>&1
		pause 2
		echo 0 >"$QUARRY/kernel/slab/enable"
		more kernel
		pause 2
	done 2>/dev/null
}

read_all &
pids=$!
change_rates &
pids="$pids $!"
take_back &
pids="$pids $!"
switch_checks &
pids="$pids $!"
switch_processor &
pids="$pids $!"
switch_kernel &
pids="$pids $!"
# shellcheck disable=SC2086 # pids are words
trap 'touch "$TMP/stop"; wait $pids; rm -rf "$TMP"' EXIT

# uptime has a fraction
now()
{
	cut -d. -f1 /proc/uptime
}

end=$(($(now) + seconds)) rounds=0 allocs=0 failed_allocs=0
while [ "$(now)" -lt "$end" ] && [ "$failed" = 0 ]; do
	client stress seconds=10 threads=$(($(cpus_online) * 2 + 1)) "seed=$((seed + rounds))" ||
		fail "stress, seed $((seed + rounds)): $(cat "$TMP/error")"
	allocs=$((allocs + $(result allocs)))
	failed_allocs=$((failed_allocs + $(result failed)))
	[ "$(result allocs)" = "$(result frees)" ] || fail "frees, seed $((seed + rounds))"
	validate || fail "the walker, after seed $((seed + rounds))"
	rounds=$((rounds + 1))
done
touch "$TMP/stop"
# shellcheck disable=SC2086
wait $pids
[ ! -w "$last" ] || [ "$(cat "$last")" = 1 ] || echo 1 >"$last"
echo 0 >"$QUARRY/kernel/slab/enable"
for file in "$QUARRY"/caches/*/check; do
	echo none >"$file"
done 2>/dev/null

within "rounds" "$rounds" 1 1000000
within "allocations" "$allocs" 1000 1000000000000
same "failed allocations" "$failed_allocs" 0
for what in reads rates reclaims checks; do
	within "$what" "$(cat "$TMP/$what" 2>/dev/null || echo 0)" 1 1000000
done
note "did $rounds rounds, $allocs allocations; processor switched $(cat "$TMP/processors" \
	2>/dev/null || echo 0) times, kernel profile $(cat "$TMP/kernel" 2>/dev/null || echo 0)"
same "walks in slices that found errors" "$(sort -u "$TMP/verdicts" 2>/dev/null)" ""
same "live objects" "$(stat live_objects)" 0
same "misuse" "$(awk '/^misuse|^leaked/ { n += $2 } END { print n }' "$QUARRY/stats")" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
unload quarry_client quarry
expect "both modules unload" test ! -d "$QUARRY"
finish
