#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The demo, run by scripts/demo in its guest: index some text in Quarry's memory, show the state
# of the allocator meanwhile, and give everything back.
#
# Usage: demo.sh TEXT...
# Exit status: 1 if the books do not balance or if something was not given back.

quarry=/sys/kernel/debug/quarry
rounds=10
status=0

title()
{
	printf '\n--- %s ---\n\n' "$*"
}

fail()
{
	printf 'FAILED: %s\n' "$*"
	status=1
}

# value NAME: print a counter of quarry/stats.
value()
{
	awk -v name="$1" '$1 == name { print $2 }' "$quarry/stats"
}

# Check the three equations of the books, from one reading. Quarry computes sys and live by the
# last two; that the numbers agree with the pages and objects that exist, validate checks.
balance()
{
	awk '
	function equal(text, a, b) {
		printf "%-50s %12.0f = %12.0f  %s\n", text, a, b, a == b ? "ok" : "WRONG"
		wrong += a != b
	}
	{ v[$1] = $2 }
	END {
		equal("held: sys = inuse + idle + metadata", v["sys_bytes"],
		      v["inuse_bytes"] + v["idle_bytes"] + v["metadata_bytes"])
		equal("kernel: taken - returned = sys", v["taken_bytes"] - v["returned_bytes"],
		      v["sys_bytes"])
		equal("objects: mallocs - frees = live", v["mallocs"] - v["frees"],
		      v["live_objects"])
		exit wrong || NR == 0
	}' "$quarry/stats" || fail "the books do not balance"
}

validate()
{
	cat "$quarry/control/validate"
	echo 1 >"$quarry/control/validate" || fail "the walker found errors"
	walked=$(awk '$1 == "live" { print $2 }' "$quarry/control/validate")
	[ "$((walked + $(value large_objects)))" = "$(value live_objects)" ] ||
		fail "the walker counts $walked live objects"
}

pages_held()
{
	awk '
	{ v[$1] = $2 / 4096 }
	END {
		printf "Quarry holds %.0f pages: %.0f in use, %.0f idle, %.0f for its own books.\n",
		       v["sys_bytes"], v["inuse_bytes"], v["idle_bytes"], v["metadata_bytes"]
	}' "$quarry/stats"
}

feed()
{
	for round in $(seq "$rounds"); do
		cat "$@" || return
		[ "$round" = "$rounds" ] || echo
	done
}

unload()
{
	rmmod "$1" || fail "rmmod $1"
}

# At the default rate of 512 KiB so little text would give only a handful of samples.
insmod /lib/quarry/quarry.ko rate=8K || exit 1
insmod /lib/quarry/wordindex.ko || exit 1

title "Text into /dev/wordindex, on Linux $(uname -r)"
# Index each text alone, in place of the one before, so that memory is freed as well.
for text; do
	cat "$text" >/dev/wordindex || fail "$text"
done
start=$(cut -d ' ' -f 1 /proc/uptime)
feed "$@" >/dev/wordindex || fail "feeding /dev/wordindex"
end=$(cut -d ' ' -f 1 /proc/uptime)
awk -v n="$#" -v t="$end" -v s="$start" -v b="$(cat "$@" | wc -c)" -v r="$rounds" 'BEGIN {
	printf "%d texts, one after another; then all of them %d times, ", n, r
	printf "%.0f KiB in %.1f s.\n", b * r / 1024, t - s
}'

title "The most frequent words: /dev/wordindex"
cat /dev/wordindex

title "The allocator: quarry/stats, what is not zero"
awk '$2 != 0' "$quarry/stats"

title "Who holds what: quarry/caches/table"
cat "$quarry/caches/table"

title "Who allocated it, by samples: quarry/profile/top"
head -n 8 "$quarry/profile/top"
cat "$quarry/profile/heap" >/root/heap.pb || fail "quarry/profile/heap"

title "Do the books balance?"
balance

title "Every slab, object by object: quarry/control/validate"
validate

title "Forget the text, drain, unload"
: >/dev/wordindex
[ "$(value live_objects)" = 0 ] || fail "$(value live_objects) objects live after the reset"
echo 1 >"$quarry/control/drain" || fail "drain"
echo "All objects were freed; $(cat "$quarry/control/drain") came back from magazines and depots."
balance
echo
validate
echo
unload wordindex
pages_held
unload quarry
[ ! -d "$quarry" ] || fail "debugfs still has quarry/"
# At unload the module logs an error if it did not give all pages back.
dmesg | grep 'quarry: unloaded with' && fail "pages were not given back"
[ "$status" != 0 ] || echo "Quarry is unloaded, and no page is held any more."
exit "$status"
