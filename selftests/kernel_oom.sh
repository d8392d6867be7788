#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# When memory runs out, the log names the sites that hold most, and a snapshot keeps them. The last
# four are kept. A request that a hard limit refuses has one of Quarry's own heap.
#
# Runs in a machine of its own with 512 MiB. The kernel logs "Call Trace" when it kills a process.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

OOM=$QUARRY/kernel/oom
MIB=1048576

available()
{
	awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo
}

# numbers: the numbers of the snapshots that there are, one per line.
numbers()
{
	cat "$OOM"/[0-9]/info | awk '$1 == "snapshot" { print $2 }' | sort -n
}

# newest: the folder of the newest snapshot.
newest()
{
	number=$(numbers | tail -n 1)
	echo "$OOM/$(((${number:-1} - 1) % 4))"
}

# why DIR: what the info of a snapshot says of the reason.
why()
{
	sed -n 's/^why *//p' "$1/info"
}

# held FUNCTION COLUMN: the sum of a column of a "top" over the lines whose leaf is FUNCTION. The
# column of errors is that of the live bytes.
held()
{
	awk -v wanted="$1" -v column="$2" '
		NR == 1 { sub(/^#/, ""); for (i = NF; i; i--) at[$i] = i; next }
		!/^#/ {
			leaf = $at["path"]
			sub(/[+].*/, "", leaf)
			if (leaf == wanted)
				n += $at[column]
		}
		END { printf "%.0f", n }'
}

# first_is PATTERN: the first site that the log has named since the mark is like that.
# shellcheck disable=SC2317 # called by expect
first_is()
{
	since_mark | grep 'quarry: largest:' | head -n 1 >"$TMP/first"
	sed 's/^/# /' "$TMP/first"
	grep -q "$1" "$TMP/first"
}

free=$(available)
[ "$free" -le 1024 ] || skip_all "$free MiB free; a machine with 512 MiB would do"
unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel=slab || skip_all "no memory"
load quarry_client
echo 0 >/proc/sys/vm/oom_dump_tasks	# a short log
same "files of an empty slot that have text" "$(cat "$OOM"/[0-9]/* "$OOM"/[0-9]/*/* 2>/dev/null)" ""
same "slots" "$(find "$OOM" -mindepth 1 -maxdepth 1 -type d | wc -l)" 4

# --- A module leaks until nothing is left ------------------------------------------

# A process holds memory that it does not need, and is the first to be killed. So the leak finds
# no memory at first, and more when the process has gone; then it stops.
./eat 100 600 >/dev/null 2>&1 &
eater=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(awk '/^VmRSS/ { print $2 }' /proc/$eater/status)" -lt 102400 ] || break
	sleep 1
done
leaked=0
mark
while grep -q '^VmRSS' /proc/$eater/status && [ "$leaked" -lt 4194304 ]; do
	client kleak n=4096 every=1 size=1024 || break
	leaked=$((leaked + 4096))
done
wait $eater
same "the other process was killed" $? 137
dir=$(newest)
expect "the first site in the log is the leak" \
	first_is 'largest: slab: .*bytes in .*allocated in kleak_busy.* <- .* <- '
since_mark | grep -E 'quarry: |Out of memory: Killed' >"$TMP/lines"
sed 's/^/# /' "$TMP/lines"
expect "the report comes before the kill" sh -c "head -n 1 $TMP/lines |
	grep -q 'quarry: out of memory in .*: snapshot .* kernel/oom/${dir##*/}: .*slab .* +/- '"
within "lines of one report" "$(sed '/Killed/,$d' "$TMP/lines" | grep -c 'largest:')" 1 10
same "why" "$(why "$dir" | sed 's/ in .*//')" "out of memory"
for file in heap.txt heap.folded top; do
	expect "slab/$file has it" grep -q kleak_busy "$dir/slab/$file"
done
expect "slab/heap has it" grep -q kleak_busy "$dir/slab/heap"
same "pages are off, and have no profile" "$(cat "$dir/pages/top")" ""
sum=$(awk '/^heap profile:/ { print $4 }' "$dir/slab/heap.txt")
same "the sum of the rows is what the info says" "$sum" "$(value "$dir/info" slab_bytes)"

# --- The last four -------------------------------------------------------------------

# The leak no longer changes, so what a snapshot says of it can be compared.
first=$(value "$dir/info" snapshot)
for round in 1 2 3 4 5; do
	sleep 1.2
	mark
	./eat $(($(available) + 100)) >/dev/null 2>&1
	same "round $round: the process is killed" $? 137
	expect "round $round: the first site is the leak" first_is 'allocated in kleak_busy'
done
numbers >"$TMP/numbers"
note "snapshots $(xargs <"$TMP/numbers"), the first is $first;" \
	"$(cat "$OOM"/[0-9]/info | awk '$1 == "skipped" { n += $2 } END { print n }') skipped"
same "snapshots that are kept" "$(wc -l <"$TMP/numbers")" 4
last=$(tail -n 1 "$TMP/numbers")
within "number of the last" "$last" $((first + 5)) 1000
same "they are the last four" "$(xargs <"$TMP/numbers")" \
	"$((last - 3)) $((last - 2)) $((last - 1)) $last"
for slot in 0 1 2 3; do
	same "slot $slot has every fourth" \
		$((($(value "$OOM/$slot/info" snapshot) - 1) % 4)) $slot
done

dir=$(newest)
holds=$((leaked * $(cat /sys/kernel/slab/kmalloc-1k/slab_size)))
got=$(held kleak_busy inuse_bytes <"$dir/slab/top")
error=$(held kleak_busy +/- <"$dir/slab/top")
note "the client holds $holds bytes in $leaked objects, the snapshot says $got +/- $error"
within "a standard error in per cent of what it holds" $((error * 100 / holds)) 1 10
within "its bytes, within three standard errors" "$got" $((holds - 3 * error)) \
	$((holds + 3 * error))

# --- Snapshots last ------------------------------------------------------------------

cp "$dir/slab/top" "$TMP/before"
echo 0 >"$QUARRY/kernel/slab/enable"
same "a snapshot of a domain that is off now" "$(cat "$dir/slab/top")" "$(cat "$TMP/before")"
client unkleak
unload quarry_client
same "bytes once the module has gone" "$(held kleak_busy inuse_bytes <"$dir/slab/top")" "$got"
expect "the pprof file names the function" grep -q kleak_busy "$dir/slab/heap"
load quarry_client
mark
./eat $(($(available) + 100)) >/dev/null 2>&1
same "without a domain: the process is killed" $? 137
same "without a domain: the snapshot has Quarry's heap only" \
	"$(grep -c '_error_bytes' "$(newest)/info") $(grep -c quarry_error_bytes "$(newest)/info")" \
	"1 1"

# --- A hard limit ----------------------------------------------------------------------

load_anew quarry_client
echo 4096 >"$QUARRY/profile/rate"
client hold mib=8 || fail "hold"
client limited op=create hard=$((4 * MIB)) || fail "create"

# fill: ask for more than the limit, and wait for the snapshot.
fill()
{
	mark
	client limited op=fill n=100000 || fail "fill"
	same "it is refused more" "$(result refused)" 1
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(numbers | tail -n 1)" != "$1" ] || break
		sleep 0.3
	done
	same "snapshots after it" "$(numbers | xargs)" "$2"
}

fill 1 1
same "why" "$(why "$OOM/0")" "hard limit of cache client_limited"
expect "the first site in the log is the caller" first_is 'largest: quarry: .*in limited_fill'
same "lines of the report: rows of that cache only" \
	"$(since_mark | grep 'quarry: largest:' | grep -vc 'objects of client_limited')" 0
expect "quarry/heap.txt has the caller" grep -q limited_fill "$OOM/0/quarry/heap.txt"
got=$(value "$OOM/0/info" quarry_bytes) error=$(value "$OOM/0/info" quarry_error_bytes)
holds=$(($(cache_stat client_limited live_objects) * $(cache_stat client_limited size)))
note "the cache holds $holds bytes, the snapshot says $got +/- $error"
within "bytes, within three standard errors" "$got" $((holds - 3 * error)) \
	$((holds + 3 * error))
same "no other heap" "$(cat "$OOM/0/slab/top")" ""

# A single object may still be had from another CPU's magazine.
for _ in 1 2; do
	client limited op=fill n=100000 || fail "fill"
	same "and again" "$(result refused)" 1
done
sleep 1
same "snapshots within ten seconds" "$(numbers | xargs)" 1
sleep 10
fill 2 "1 2"
within "skipped before the second" "$(value "$OOM/1/info" skipped)" 2 10

# The limit of the module. A request that must not be logged has no snapshot.
sleep 11
echo 16M >"$QUARRY/control/hard_limit"
client hold mib=24 && fail "24 MiB with a limit of 16"
sleep 1
same "snapshots after a silent refusal" "$(numbers | xargs)" "1 2"
client limited op=big
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(numbers | tail -n 1)" != 3 ] || break
	sleep 0.3
done
same "why" "$(why "$OOM/2")" "hard limit of Quarry, reached by cache (large)"
expect "it has what was live" grep -qE ' hold(_run)?[+]' "$OOM/2/quarry/top"
echo max >"$QUARRY/control/hard_limit"
client limited op=end || fail "end"
client release || fail "release"
mark
unload quarry_client quarry
same "lines that say something was not given back" "$(since_mark | grep -c 'not given back')" 0
finish
