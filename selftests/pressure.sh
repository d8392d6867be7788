#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# What Quarry holds for later is not missing elsewhere: a process that needs more memory
# than is free gets it from there, and nobody is killed. With the shrinker switched off
# it is, which shows that there was no other way.
#
# In a machine of its own with 512 MiB (debug: 1 GiB), whose kernel may say "Call Trace".

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

mem_free()
{
	awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo
}

# Half of what the client had is free again. The other half is there so that
# by retain_percent the scavenger leaves it alone, on each node.
shrinker=/sys/module/quarry/parameters/shrinker
load_anew quarry_client
free=$(mem_free)
[ "$free" -le 1024 ] || skip_all "$free MiB free; a machine with 512 MiB would do"
# Twice of that is taken. It must not be all there is, or there is nothing for the test itself.
idle_mib=$((free * 48 / 100))
[ "$idle_mib" -le 200 ] || idle_mib=200
more_mib=$((idle_mib / 2))	# that the process takes of it
note "$free MiB free; $idle_mib to be held free by Quarry"
(echo 100 >"$QUARRY/control/retain_percent") || fail "retain_percent 100"
client mixed op=begin mib=$((2 * idle_mib)) low=65536 high=65536 || fail "begin"

# shrinker Y|N
set_shrinker()
{
	(echo "$1" >$shrinker) || fail "shrinker=$1"
	same "the shrinker's switch" "$(cat $shrinker)" "$1"
}

fill()
{
	client mixed op=cut percent=100 || fail "$1: cut all"
	echo 1 >"$QUARRY/control/scavenge" || fail "$1: control/scavenge"
	# Of what the process had, the processors' own lists keep tens of MiB.
	settle_memory
	client mixed op=grow || note "$1: memory came to an end first"
	client mixed op=comb percent=50 || fail "$1: comb"
	idle=$(stat idle_bytes)
	within "$1: MiB held free" $((idle >> 20)) $((idle_mib * 9 / 10)) $((idle_mib * 11 / 10))
	echo 1 >/proc/sys/vm/stat_refresh
	within "$1: idle pages that the kernel takes for reclaimable" \
		"$(awk '/^nr_kernel_misc_reclaimable / { print $2 }' /proc/vmstat)" \
		$((idle * 97 / 409600)) $((idle * 103 / 409600))
}

# hungry TEXT STATUS KILLS: what becomes of a process that needs all that is free and
# half of what Quarry holds.
hungry()
{
	fill "$1"
	mark
	wanted=$(($(mem_free) + more_mib))
	shrunk=$(stat shrunk_bytes) spent=$(stat shrinker_ns)
	begin=$(awk '{ print $1 }' /proc/uptime)
	./eat "$wanted" >"$TMP/eat" 2>&1
	status=$?
	note "$1: $wanted MiB wanted: status $status $(cat "$TMP/eat"), from $begin s to" \
		"$(awk '{ print $1 }' /proc/uptime) s"
	same "$1: its end" "$status" "$2"
	same "$1: processes killed" "$(since_mark | grep -c 'Out of memory: Killed process')" "$3"
	shrunk=$(($(stat shrunk_bytes) - shrunk)) spent=$(($(stat shrinker_ns) - spent))
	note "$1: the shrinker gave $((shrunk >> 20)) MiB in $((spent / 1000)) us"
	expect "$1: the equations hold" balanced
	expect "$1: the walker finds no error" validate
}

set_shrinker Y
hungry "with shrinker" 0 0
within "with shrinker: MiB that it gave" $((shrunk >> 20)) \
	$((more_mib * 9 / 10)) $((idle_mib * 11 / 10))
within "with shrinker: microseconds that it took" $((spent / 1000)) 1 60000000
set_shrinker N
hungry "without" 137 1
same "without: bytes that it gave" "$shrunk" 0
same "without: the victim" \
	"$(since_mark | sed -n 's/.*Out of memory: Killed process [0-9]* (\(.*\)) total.*/\1/p')" eat
set_shrinker Y
hungry "with shrinker again" 0 0
for bad in 2 abc ""; do
	if (echo "$bad" >$shrinker) 2>/dev/null; then
		fail "the switch takes '$bad'"
	else
		ok "the switch refuses '$bad'"
	fi
done

echo 4 >/proc/sys/vm/drop_caches	# says nothing of it from now on
# What lies in magazines and depots is free as well.
client mixed op=end || fail "end"
client churn mib=16 turns=1 || fail "churn"
cached=$(stat cached_bytes)
within "KiB in magazines and depots" $((cached >> 10)) 512 65536
# Idle is what moved no object since the shrinker came by the last time. It takes each
# processor's magazines there.
for _ in 1 2 3 4 5 6 7 8; do
	for cpu in $(seq 0 $(($(cpus_online) - 1))); do
		taskset -c "$cpu" sh -c 'echo 2 >/proc/sys/vm/drop_caches'
	done
done
within "KiB there when the kernel has dropped its caches" $(($(stat cached_bytes) >> 10)) \
	0 $((cached >> 14))
within "KiB held free then" $(($(stat idle_bytes) >> 10)) 0 64

# It may be called at any time, from within an allocation as well.
client stress "seconds=$(choose 8 8)" threads=3 seed=11 &
pid=$!
calls=0
before=$(stat shrunk_bytes)
while kill -0 "$pid" 2>/dev/null; do
	echo 2 >/proc/sys/vm/drop_caches
	calls=$((calls + 1))
done
wait "$pid"
same "status of the stress" $? 0
within "calls under load" "$calls" 3 1000000
within "KiB given under load" $((($(stat shrunk_bytes) - before) >> 10)) 1 1000000000
same "live objects" "$(stat live_objects)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
finish
