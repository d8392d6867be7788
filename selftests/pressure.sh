#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Memory that Quarry holds idle is there for others. A process needs more memory than is free:
# the shrinker gives it Quarry's idle pages, and no process is killed. With the shrinker switched
# off the process is killed, which shows that there was no other way.
#
# Runs in a machine of its own with 512 MiB (debug: 1 GiB). The kernel may log "Call Trace".

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

mem_free()
{
	awk '/^MemFree/ { print int($2 / 1024) }' /proc/meminfo
}

# The client frees half of its objects. The other half stays in use on each node, so that with a
# retain_percent of 100 the scavenger does not release the idle half.
shrinker=/sys/module/quarry/parameters/shrinker
load_anew quarry_client
free=$(mem_free)
[ "$free" -le 1024 ] || skip_all "$free MiB free; a machine with 512 MiB would do"
# The client takes twice as much. So much must stay free that the kernel does not begin to reclaim:
# it would take some of the idle pages before they are counted.
idle_mib=$((free * 44 / 100))
[ "$idle_mib" -le 200 ] || idle_mib=200
more_mib=$((idle_mib / 2))	# of it the process needs
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
	# The processors' own lists keep tens of MiB of the memory that the process had.
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

# hungry TEXT STATUS KILLS: run a process that needs all free memory and half of Quarry's idle
# pages. It must end with STATUS, and the OOM killer must kill so many processes.
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

echo 4 >/proc/sys/vm/drop_caches	# do not log it from now on
# The shrinker also empties magazines and depots.
client mixed op=end || fail "end"
client churn mib=16 turns=1 || fail "churn"
cached=$(stat cached_bytes)
within "KiB in magazines and depots" $((cached >> 10)) 512 65536
# A cache is idle if no object passed its depots since the shrinker's last call. An idle cache
# gives up the objects in its depots and in the magazine of the processor that runs the shrinker.
for _ in 1 2 3 4 5 6 7 8; do
	for cpu in $(seq 0 $(($(cpus_online) - 1))); do
		taskset -c "$cpu" sh -c 'echo 2 >/proc/sys/vm/drop_caches'
	done
done
within "KiB there when the kernel has dropped its caches" $(($(stat cached_bytes) >> 10)) \
	0 $((cached >> 14))
within "KiB held free then" $(($(stat idle_bytes) >> 10)) 0 64

# The kernel may call the shrinker at any time, also from within an allocation.
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
