#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Threads and interrupts allocate, pass on and free objects for some seconds, and check each
# byte of them. In the meantime the caches are drained and shrunk, and the walker runs.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

seconds=$(choose 6 4)
seed=${QUARRY_SEED:-$(date +%s)}
note "seed $seed"

rounds=0 invalid=0 wrong=0 unread=0
pid=
start()
{
	client stress "seconds=$seconds" threads=$(($(cpus_online) * 2 + 1)) "seed=$seed" &
	pid=$!
}

# Does the load run? If it has ended before three walks, as on a busy machine, it runs again.
under_load()
{
	[ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null || return 0
	[ "$rounds" -lt 3 ] || return 1
	[ -z "$pid" ] || wait "$pid" || return 1
	start
}

while under_load; do
	drain
	validate || invalid=$((invalid + 1))
	read_verdict
	[ "$verdict" = ok ] || {
		note "in slices: $verdict"
		wrong=$((wrong + 1))
	}
	cat "$QUARRY/caches/all" "$QUARRY"/nodes/*/chunks "$QUARRY/classes" \
		"$QUARRY/stats" >/dev/null || unread=$((unread + 1))
	# These come and go with the run.
	cat "$QUARRY"/caches/client_*/slabs >/dev/null 2>&1
	rounds=$((rounds + 1))
done
wait "$pid"
same "status of the stress" $? 0
sed 's/^/# /' "$CLIENT/result"
within "drains and walks meanwhile" "$rounds" 3 1000000
same "walks that found errors" "$invalid" 0
same "walks in slices that found errors" "$wrong" 0
same "files that did not read" "$unread" 0
for who in task hardirq softirq; do
	within "allocations by $who" "$(result "${who}_allocs")" 100 1000000000000
done
[ "$(cpus_online)" = 1 ] ||
	within "frees on another processor" "$(result cross_cpu_frees)" 100 1000000000000
within "shrinks" "$(result shrinks)" 3 1000000
same "failed allocations" "$(result failed)" 0
same "frees" "$(result frees)" "$(result allocs)"
same "live objects" "$(stat live_objects)" 0
same "misuse" "$(awk '/^misuse|^leaked/ { n += $2 } END { print n }' "$QUARRY/stats")" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
drain
same "slabs after a drain" "$(stat slabs)" 0
unload quarry_client quarry
expect "both modules unload" test ! -d "$QUARRY"
finish
