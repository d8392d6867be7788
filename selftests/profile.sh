#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The files of profile/: at a rate of 1 they agree with the counters. Deltas, rates and resets;
# reads in pieces, reads while everything changes, and caches that are destroyed.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

PROFILE=$QUARRY/profile
CACHES=$QUARRY/caches
KINDS="heap allocs peak lifetime fragmentation"

rate()
{
	echo "$1" >"$PROFILE/rate"
}

# column FILE NAME: the sum of this column of a table.
column()
{
	awk -v name="$2" '
	NR == 1 { for (i = 1; i <= NF; i++) if ($i == name || $i == "#" name) n = i }
	!/^#/ { sum += $n }
	END { printf "%.0f", sum }' "$1"
}

# head_values FILE: from the first line: objects and bytes that are live, objects and bytes that
# were allocated.
head_values()
{
	awk '{ gsub(/[^0-9 ]/, ""); print $1, $2, $3, $4; exit }' "$1"
}

# row_values FILE: the sums of the same four values over the rows.
row_values()
{
	awk '/^[0-9]/ {
		sub(/\[/, "")
		for (i = 1; i <= 4; i++)
			sum[i] += $i
	}
	END { printf "%.0f %.0f %.0f %.0f\n", sum[1], sum[2], sum[3], sum[4] }' "$1"
}

# by_stats [CACHE]: the first three of these values, by the counters.
by_stats()
{
	file=${1:+$CACHES/$1/stats}
	awk '{ v[$1] = $2 } END { printf "%.0f %.0f %.0f", v["live_objects"], v["live_bytes"], v["mallocs"] }' \
		"${file:-$QUARRY/stats}"
}

three()
{
	echo "$1 $2 $3"
}

# --- Files --------------------------------------------------------------------

names=top
for kind in $KINDS; do
	names="$names $kind $kind.txt $kind.folded"
	[ "$kind" = heap ] || names="$names $kind.top"
done
# shellcheck disable=SC2086 # words
per_cache=$(printf '%s\n' $names rate rate.write | sort | xargs)
# shellcheck disable=SC2086
whole=$(printf '%s\n' $names rate rate.write reset reset.write drain drain.write | sort | xargs)
same "files of profile/" "$(find "$PROFILE" -type f | sed 's,.*/,,' | sort | xargs)" "$whole"
same "files of a cache's profile/" \
	"$(find "$CACHES/malloc-64/profile" -type f | sed 's,.*/,,' | sort | xargs)" "$per_cache"
same "modes of profile/" "$(find "$PROFILE" -type f ! -perm 400 ! -name '*.write')" ""
same "mode of heapdump" "$(find "$QUARRY/heapdump" -perm 400)" "$QUARRY/heapdump"
for file in "$PROFILE"/* "$CACHES/malloc-64/profile"/* "$QUARRY/heapdump"; do
	cat "$file" >/dev/null || echo "$file"
done >"$TMP/unreadable"
same "files that do not read while there is nothing" "$(cat "$TMP/unreadable")" ""

# --- Rates --------------------------------------------------------------------

# refused FILE TEXT ERROR: FILE refuses TEXT with this error, and its contents stay the same.
refused()
{
	before=$(cat "$1")
	if (echo "$2" >"$1") 2>"$TMP/error"; then
		fail "${1#"$QUARRY/"} takes '$2'"
	elif ! grep -q "$3" "$TMP/error"; then
		fail "${1#"$QUARRY/"} refuses '$2' with another error: $(cat "$TMP/error")"
	else
		same "${1#"$QUARRY/"} refuses '$2'" "$(cat "$1")" "$before"
	fi
}

# taken FILE TEXT READS-AS: FILE takes TEXT, and then reads as READS-AS.
taken()
{
	echo "$2" >"$1" || fail "${1#"$QUARRY/"} refuses '$2'"
	same "${1#"$QUARRY/"} takes '$2'" "$(cat "$1")" "$3"
}

one=$CACHES/malloc-64/profile/rate
same "rate at first" "$(cat "$PROFILE/rate")" 524288
same "a cache's rate at first" "$(cat "$one")" "524288 (inherited)"
taken "$PROFILE/rate" 1 1
taken "$PROFILE/rate" off 0
taken "$PROFILE/rate" 64k 65536
taken "$PROFILE/rate" 2M 2097152
taken "$PROFILE/rate" 3G 3221225472
taken "$PROFILE/rate" 4294967295 4294967295
taken "$PROFILE/rate" 0 0
taken "$PROFILE/rate" default 524288
taken "$PROFILE/rate" '  512K  ' 524288
range='Numerical result out of range\|Result not representable'
for text in '' ' ' -1 -1K +1 1x x 'K' '1 K' '1K1' '1KK' '1 2' 1.5 on defaults \
	16777216T 16E "$(printf '1\n2')" "$(printf '%0100d' 1)"; do
	refused "$PROFILE/rate" "$text" 'Invalid argument'
done
for text in 4294967296 4G 4194304K 99999999999 18446744073709551617; do
	refused "$PROFILE/rate" "$text" "$range"
done
refused "$one" -1 'Invalid argument'
refused "$one" "" 'Invalid argument'
refused "$one" 4G "$range"
refused "$PROFILE/rate" inherit 'Invalid argument'
mark
for text in a b c d e f g h i j k l m n o p q r s t u v w x y z; do
	echo "$text" >"$PROFILE/rate"
done 2>/dev/null
within "lines in the log about 26 refusals" "$(since_mark | grep -c '/profile/rate: ')" 0 15
same "lines in the log about the first" \
	"$(dmesg | grep -c 'quarry: /quarry/profile/rate: "-1" is no number')" 1

taken "$one" 4096 4096
rate 8K
same "a rate of its own stays" "$(cat "$one")" 4096
same "another cache's follows" "$(cat "$CACHES/malloc-96/profile/rate")" "8192 (inherited)"
taken "$one" inherit "8192 (inherited)"
taken "$one" off 0
taken "$one" inherit "8192 (inherited)"
rate 16K
same "and follows again" "$(cat "$one")" "16384 (inherited)"
same "rate in stats" "$(stat sample_rate_bytes)" 16384

# --- Everything is sampled ----------------------------------------------------

rate 1
client hold mib=2 || fail "hold"
drain
cat "$PROFILE/heap.txt" >"$TMP/heap"
# shellcheck disable=SC2046 # four words
set -- $(head_values "$TMP/heap")
same "heap.txt's first line is what stats says" "$(three "$@")" "$(by_stats)"
same "and the sum of its rows" "$*" "$(row_values "$TMP/heap")"
same "top: inuse_bytes" "$(column "$PROFILE/top" inuse_bytes)" "$(stat live_bytes)"
same "top: inuse_objs" "$(column "$PROFILE/top" inuse_objs)" "$(stat live_objects)"
same "top: alloc_objs" "$(column "$PROFILE/top" alloc_objs)" "$(stat mallocs)"
same "top: samples" "$(column "$PROFILE/top" samples)" "$(stat live_samples)"
same "allocs.top: samples" "$(column "$PROFILE/allocs.top" samples)" "$(stat samples)"
same "allocs.top: alloc_bytes comes first" "$(head -n 1 "$PROFILE/allocs.top" | cut -d ' ' -f 1)" \
	"#alloc_bytes"
same "lifetime.top: live_bytes" "$(column "$PROFILE/lifetime.top" live_bytes)" "$(stat live_bytes)"
same "peak.top: inuse_bytes" "$(column "$PROFILE/peak.top" inuse_bytes)" "$(stat live_bytes)"
same "fragmentation.top: pinned_bytes" \
	"$(column "$PROFILE/fragmentation.top" pinned_bytes)" \
	"$(awk '{ n += $NF } END { printf "%.0f", n }' "$PROFILE/fragmentation.folded")"
same "heap.folded" "$(awk '{ n += $NF } END { printf "%.0f", n }' "$PROFILE/heap.folded")" \
	"$(stat live_bytes)"
same "estimate of live bytes" "$(stat sampled_live_bytes)" "$(stat live_bytes)"
same "heapdump: objects" "$(grep -vc '^#' "$QUARRY/heapdump")" "$(stat live_objects)"
same "heapdump: bytes" "$(column "$QUARRY/heapdump" size_bytes)" "$(stat live_bytes)"
same "heapdump: objects without a site" \
	"$(awk '!/^#/ && $NF !~ /^[0-9]+$/' "$QUARRY/heapdump")" ""

# every_cache: the profile of each cache has the numbers of this cache only. $text names the
# moment.
every_cache()
{
	seen=0
	for dir in "$CACHES"/*/; do
		name=$(basename "$dir")
		[ "$(cache_stat "$name" mallocs)" != 0 ] || continue
		seen=$((seen + 1))
		# shellcheck disable=SC2046 # four words
		set -- $(head_values "$dir/profile/heap.txt")
		[ "$(three "$@")" = "$(by_stats "$name")" ] ||
			echo "$name: $* is not $(by_stats "$name")"
		[ "$(column "$dir/profile/top" alloc_objs)" = "$(cache_stat "$name" mallocs)" ] ||
			echo "$name: top"
	done >"$TMP/wrong"
	same "$text: caches whose profile is not what their stats say" "$(cat "$TMP/wrong")" ""
	within "$text: caches compared" "$seen" 5 1000
}
text="while memory is held"
every_cache
for kind in $KINDS; do
	expect "$kind is no text and has something in it" \
		test "$(wc -c <"$PROFILE/$kind")" -gt 500
done

# --- In pieces ----------------------------------------------------------------

for block in 1 7 4096 1048576; do
	dd if="$PROFILE/heap.txt" of="$TMP/piece" bs=$block 2>/dev/null
	expect "in pieces of $block bytes" cmp "$TMP/heap" "$TMP/piece"
done
cp "$PROFILE/heap.txt" "$TMP/piece"
expect "by cp" cmp "$TMP/heap" "$TMP/piece"
./openfile "$PROFILE/heap.txt" pread=1000@300 pread=1@0 >"$TMP/piece"
dd if="$TMP/heap" bs=100 skip=3 count=10 2>/dev/null >"$TMP/wanted"
head -c 1 "$TMP/heap" >>"$TMP/wanted"
expect "by pread" cmp "$TMP/wanted" "$TMP/piece"
same "behind the end" "$(./openfile "$PROFILE/heap.txt" read=10 pread=10@99999999 | wc -c)" 10

# A text that a reader has begun stays the same up to its end, whatever happens in the meantime.
# At offset 0 a new one is made.
./openfile "$PROFILE/heap.txt" read=50 "sh=echo hold mib=1 >$CLIENT/run" all=999 >"$TMP/piece"
expect "a text stays what it is" cmp "$TMP/heap" "$TMP/piece"
./openfile "$PROFILE/heap.txt" all=999 >"$TMP/now"
./openfile "$PROFILE/heap.txt" all=99 "sh=echo hold mib=1 >$CLIENT/run" seek=0 all=999 |
	tail -c +"$(($(wc -c <"$TMP/now") + 1))" >"$TMP/piece"
# shellcheck disable=SC2046 # four words
set -- $(head_values "$TMP/piece")
same "from offset 0 it is taken anew" "$(three "$@")" "$(by_stats)"

# --- Deltas -------------------------------------------------------------------

now=$(stat live_objects)
exec 3<>"$PROFILE/heap.txt" 4<>"$PROFILE/heap.txt"
echo reset >&3
client hold mib=1
round=$(result objects)
printf 'reset' >&4
client hold mib=2
cat <&3 >"$TMP/three"
cat <&4 >"$TMP/four"
exec 3>&- 4>&-
# shellcheck disable=SC2046
same "since the first mark: objects in use, allocated" \
	"$(head_values "$TMP/three" | cut -d ' ' -f 1,3)" "$((now + 3 * round)) $((3 * round))"
same "since the second" \
	"$(head_values "$TMP/four" | cut -d ' ' -f 1,3)" "$((now + 3 * round)) $((2 * round))"
same "rows since the first" "$(head_values "$TMP/three")" "$(row_values "$TMP/three")"
same "who has no mark sees all" "$(head_values "$PROFILE/heap.txt" | cut -d ' ' -f 3)" \
	"$(stat mallocs)"

hold="sh=echo hold mib=1 >$CLIENT/run"
./openfile "$PROFILE/heap.txt" write=reset "$hold" all=4096 seek=0 all=4096 "$hold" "$hold" \
	seek=0 all=4096 "write= reset " all=4096 | grep '^heap profile' >"$TMP/deltas"
same "deltas of one open file, one after the other" \
	"$(sed 's/.*\[\([0-9]*\):.*/\1/' "$TMP/deltas" | xargs)" "$round 0 $((2 * round)) 0"
./openfile "$CACHES/malloc-24/profile/heap.txt" write=reset "$hold" all=4096 >"$TMP/delta"
same "a cache's delta" "$(head_values "$TMP/delta" | cut -d ' ' -f 3,4)" "100 2400"

# The length of a delta is measured by the monotonic clock: the wall clock goes back an hour.
span()
{
	awk '/^# delta of [0-9.]+ s:/ { printf "%.0f", $4 * 1000 }' "$1"
}
uptime()
{
	sed 's/\([0-9]*\)\.\([0-9]\).*/\1\200/' /proc/uptime
}
start=$(uptime)
./openfile "$PROFILE/top" write=reset "sh=date -s @$(($(date +%s) - 3600)) >/dev/null" \
	"sh=sleep 2" all=4096 >"$TMP/delta"
most=$(($(uptime) - start + 100))
date -s "@$(($(date +%s) + 3600))" >/dev/null
within "milliseconds of a delta while the clock is set back" "$(span "$TMP/delta")" 2000 "$most"
same "a profile since the load has no delta's time" "$(span "$PROFILE/top")" ""

# What grows comes first, not what is large. 96 MiB stay; two calls in one function allocate more.
client twins first=96 second=0 size=1048576 || fail "twins"
exec 3<>"$PROFILE/top"
echo reset >&3
before=$(stat live_bytes)
client twins first=3 second=100 size=4096 || fail "twins"
grown=$(($(stat live_bytes) - before))
cat <&3 >"$TMP/delta"
# leaves FILE: of the rows whose leaf is make_twins: the first number, its objects, the leaf, the
# module and whether the process is this one
leaves()
{
	awk -v process="$(cat /proc/$$/comm)" '!/^#/ {
		for (i = 1; i <= NF && $i != "<"; i++)
			if ($i ~ /^make_twins\+0x/)
				print $1, $3, $i, $(i + 1), $(i - 1) == process
	}' "$1"
}
leaves "$TMP/delta" >"$TMP/leaves"
same "growth of all rows" "$(column "$TMP/delta" growth_bytes)" "$grown"
same "rows of the two calls, and of the one before: growth, objects" \
	"$(cut -d ' ' -f 1,2 "$TMP/leaves" | xargs)" "409600 100 12288 3 0 0"
same "their leaves differ" "$(cut -d ' ' -f 3 "$TMP/leaves" | sort -u | wc -l)" 3
same "their module and process" "$(cut -d ' ' -f 4,5 "$TMP/leaves" | sort -u)" "[quarry_client] 1"
same "the first row of the delta" "$(sed -n '2 { s/^ *//; s/ .*//p }' "$TMP/delta")" 409600
same "the first row of the level" "$(sed -n '2 { s/^ *//; s/ .*//p }' "$PROFILE/top")" \
	$((96 << 20))
rate=$(sed -n 's/^# growth .*: \(.*\) bytes.s$/\1/p' "$TMP/delta")
same "rate of growth" "$rate" $((grown * 1000 / $(span "$TMP/delta")))
echo reset >&3
client untwins || fail "untwins"
cat <&3 >"$TMP/delta"
exec 3>&-
same "growth after they are freed" "$(column "$TMP/delta" growth_bytes)" \
	$((-(96 << 20) - grown))
for text in '' ' ' resets rese 'reset 1' 1 "$(printf '%0100d' 1)" "$(printf 'reset\nreset')"; do
	if ./openfile "$PROFILE/heap" "write=$text" 2>"$TMP/error" && [ -n "$text" ]; then
		fail "a profile takes '$text'"
	fi
	[ -z "$text" ] || expect "a profile refuses '$text'" grep -q 'Invalid' "$TMP/error"
done
if (echo reset >"$QUARRY/heapdump") 2>/dev/null; then
	fail "heapdump can be written to"
else
	ok "heapdump cannot be written to"
fi

# --- Reset and drain ----------------------------------------------------------

live=$(stat live_objects)
for text in '' 0 2 reset 1x; do
	refused "$PROFILE/reset" "$text" 'Invalid argument'
	refused "$PROFILE/drain" "$text" 'Invalid argument'
done
same "resets so far" "$(cat "$PROFILE/reset")" 0
exec 3<>"$PROFILE/heap.txt"
echo reset >&3
expect "profile/reset takes 1" sh -c "echo 1 >$PROFILE/reset"
client hold mib=1
cat <&3 >"$TMP/three"
exec 3>&-
same "resets so far" "$(cat "$PROFILE/reset")" 1
same "after a reset what was allocated counts from there" \
	"$(head_values "$PROFILE/heap.txt" | cut -d ' ' -f 1,3)" "$((live + round)) $round"
same "for a delta that began before, too" \
	"$(head_values "$TMP/three" | cut -d ' ' -f 1,3)" "$((live + round)) $round"
client release || fail "release"
same "released: heap.txt" "$(head_values "$PROFILE/heap.txt" | cut -d ' ' -f 1,2,3)" "0 0 $round"
same "released: peak.txt is what was held" "$(head_values "$PROFILE/peak.txt" | cut -d ' ' -f 1)" \
	$((live + round))
same "released: lifetime.txt has the freed, twice" \
	"$(head_values "$PROFILE/lifetime.txt" | cut -d ' ' -f 1,3)" "$((live + round)) $((live + round))"
same "released: allocs.txt has what was allocated, twice" \
	"$(head_values "$PROFILE/allocs.txt" | cut -d ' ' -f 1,3)" "$round $round"
same "released: heap.folded" "$(cat "$PROFILE/heap.folded")" ""
same "released: heapdump" "$(grep -vc '^#' "$QUARRY/heapdump")" 0
rate off
samples=$(stat samples)
client hold mib=1
client release
same "nothing is sampled at a rate of 0" "$(stat samples)" "$samples"
expect "profile/drain takes 1" sh -c "echo 1 >$PROFILE/drain"
within "objects it moved" "$(cat "$PROFILE/drain")" 1 1000000
same "which control/drain knows" "$(cat "$QUARRY/control/drain")" "$(cat "$PROFILE/drain")"
same "cached objects" "$(stat cached_objects)" 0

# The heap dump is made while it is read: it needs little memory, and its reader can be killed.
# dump FILE: without the ages, which grow from one dump to the next.
dump()
{
	awk '!/^#/ { $6 = "" } { print }' "$1"
}
rate 1
client hold mib=1
# Cached objects look live, until Quarry takes them back.
drain
dump "$QUARRY/heapdump" >"$TMP/dump"
for block in 100 4096 1048576; do
	dd if="$QUARRY/heapdump" of="$TMP/piece" bs=$block 2>/dev/null
	dump "$TMP/piece" >"$TMP/now"
	expect "heapdump in pieces of $block bytes" cmp "$TMP/dump" "$TMP/now"
done
./openfile "$QUARRY/heapdump" read=5000 seek=0 all=999 >"$TMP/piece"
tail -c +5001 "$TMP/piece" >"$TMP/now"
dump "$TMP/now" >"$TMP/piece"
expect "from offset 0 the dump is made anew" cmp "$TMP/dump" "$TMP/piece"
if ./openfile "$QUARRY/heapdump" read=100 seek=999999999 read=1 >/dev/null 2>"$TMP/error"; then
	fail "heapdump reads at any offset"
else
	expect "heapdump refuses another offset" grep -q 'Invalid seek\|Illegal seek' "$TMP/error"
fi
client release
rate off
objects=$(choose 1000000 200000)
client twins first="$objects" second=0 size=16 || fail "twins"
drain
before=$(stat metadata_bytes)
./openfile "$QUARRY/heapdump" read=4096 read=4096 "sh=cat $QUARRY/stats >$TMP/stats" >/dev/null
same "objects in a large dump" "$(grep -vc '^#' "$QUARRY/heapdump")" "$(stat live_objects)"
within "KiB that its reader needs in the middle of it" \
	$((($(value "$TMP/stats" metadata_bytes) - before) / 1024)) 0 4096
cat "$QUARRY/heapdump" >/dev/null &
pid=$!
sleep 0.2
start=$(uptime)
kill -9 "$pid"
wait "$pid"
same "status of the reader that was killed" $? 137
within "milliseconds until it ended" $(($(uptime) - start)) 0 1000
client untwins || fail "untwins"

# One cache alone.
samples=$(stat samples)
echo 1 >"$CACHES/malloc-24/profile/rate"
client hold mib=1
same "samples of one cache alone" "$(stat samples)" $((samples + 100))
client release
echo inherit >"$CACHES/malloc-24/profile/rate"

# --- Caches that vanish -------------------------------------------------------

load wordindex
dir=$CACHES/wordindex_positions
exec 3<>"$dir/profile/heap.txt"
expect "a client's cache has its profile" grep -q '^heap profile' "$dir/profile/heap.txt"
unload wordindex
if cat <&3 >"$TMP/piece" 2>"$TMP/error"; then
	fail "a file of a cache that has gone reads"
else
	expect "a file of a cache that has gone: $(cat "$TMP/error")" \
		grep -q 'Input/output error\|I/O error\|No such' "$TMP/error"
fi
if (echo reset >&3) 2>/dev/null; then
	fail "a file of a cache that has gone can be written to"
else
	ok "a file of a cache that has gone cannot be written to"
fi
exec 3>&-
expect "its directory is gone" test ! -e "$dir"

# --- While everything changes -------------------------------------------------

# consistent FILE: its first line is the sum of its rows.
consistent()
{
	[ "$(head_values "$1")" = "$(row_values "$1")" ] && return
	note "$(head -n 1 "$1") but rows are $(row_values "$1")"
	return 1
}

unload quarry_client
load_anew quarry_client
rate 1
seconds=$(choose 6 4)
client stress "seconds=$seconds" threads=3 seed="${QUARRY_SEED:-1}" &
pid=$!
for reader in 1 2; do
	while kill -0 "$pid" 2>/dev/null; do
		for kind in $KINDS; do
			cat "$PROFILE/$kind.txt" >"$TMP/text.$reader" || echo "$kind.txt"
			consistent "$TMP/text.$reader" || echo "sums of $kind.txt"
			cat "$PROFILE/$kind" "$PROFILE/$kind.folded" >/dev/null || echo "$kind"
		done
		cat "$PROFILE/top" "$QUARRY/heapdump" >/dev/null || echo top
		# These come and go with the run.
		cat "$CACHES"/client_*/profile/* >/dev/null 2>&1
		echo "$reader" >>"$TMP/rounds"
	done >"$TMP/wrong.$reader" 2>&1 &
done
./openfile "$PROFILE/allocs.txt" write=reset sh="sleep 1" all=65536 seek=0 sh="sleep 1" \
	all=65536 >"$TMP/deltas"
same "deltas meanwhile" "$(grep -c '^heap profile' "$TMP/deltas")" 2
wait "$pid"
same "status of the stress" $? 0
wait
same "what readers met" "$(cat "$TMP"/wrong.*)" ""
within "rounds of the readers" "$(wc -l <"$TMP/rounds")" 2 100000
same "samples and what was dropped are all allocations" \
	$(($(stat samples) + $(stat dropped_samples))) "$(stat mallocs)"
note "$(stat samples) samples, $(stat dropped_samples) dropped, $(stat other_samples) under other"
same "live samples" "$(stat live_samples)" 0
same "heap.txt afterwards" "$(head_values "$PROFILE/heap.txt" | cut -d ' ' -f 1-3)" \
	"0 0 $(stat samples)"

# Nothing may be lost when rates change, and resets and drains run, under load.
client stress "seconds=$seconds" threads=3 seed="${QUARRY_SEED:-2}" &
pid=$!
while kill -0 "$pid" 2>/dev/null; do
	for bytes in 1 512 64K off default; do
		rate "$bytes" || echo "rate $bytes"
		echo 1 >"$PROFILE/reset" || echo reset
		cat "$PROFILE/heap.txt" >"$TMP/text" || echo "$bytes"
		consistent "$TMP/text" || echo "sums at $bytes"
		for own in "$CACHES"/client_*/profile/rate; do
			echo 100 >"$own"
			echo inherit >"$own"
		done 2>/dev/null
		echo 1 >"$PROFILE/drain" || echo drain
	done
done >"$TMP/wrong" 2>&1
wait "$pid"
same "status of the second stress" $? 0
same "what the settings met" "$(cat "$TMP/wrong")" ""
same "live samples after it" "$(stat live_samples)" 0
same "bytes in use by heap.txt" "$(head_values "$PROFILE/heap.txt" | cut -d ' ' -f 2)" 0
same "live objects" "$(stat live_objects)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate

# --- The end ------------------------------------------------------------------

exec 3<"$PROFILE/heap"
unload quarry_client
if rmmod quarry 2>/dev/null; then
	fail "the module unloads under an open profile"
else
	ok "the module stays while a profile is open"
fi
exec 3<&-
unload quarry
expect "and unloads afterwards" test ! -d "$QUARRY"
finish
