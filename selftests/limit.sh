#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Limits. Near the soft limit, idle memory goes back to the kernel before Quarry takes more, but
# requests still succeed. At the hard limit a request is refused, and nothing else happens. The
# module and each cache have limits. A file, a module parameter or a call sets them.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

MIB=1048576
[ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -gt 300 ] ||
	skip_all "less than 300 MiB of memory"
load_anew quarry_client

# A trace buffer of its own, as in trace.sh. Without tracing, the rest is still tested; QUARRY_EVENTS=0
# is for machines that must not patch code while it runs.
TRACING=/sys/kernel/tracing
[ -d $TRACING/events ] || mount -t tracefs tracefs $TRACING 2>/dev/null
BUFFER=$TRACING/instances/quarry_limit
rmdir $BUFFER 2>/dev/null
[ "${QUARRY_EVENTS:-1}" = 1 ] && mkdir $BUFFER 2>/dev/null || BUFFER=
[ -n "$BUFFER" ] || note "events are not tested"
trap '[ -z "$BUFFER" ] || rmdir $BUFFER; rm -rf "$TMP"' EXIT

trace_begin()
{
	[ -n "$BUFFER" ] || return 0
	echo >$BUFFER/trace
	echo 1 >$BUFFER/events/quarry/limit/enable
}

# events PATTERN: the number of limit events since trace_begin that match.
events()
{
	echo 0 >$BUFFER/events/quarry/limit/enable
	grep ' limit: ' $BUFFER/trace >"$TMP/events"
	grep -c -- "$1" "$TMP/events"
}

# put FILE TEXT: write TEXT to a file of debugfs; returns whether Quarry takes it.
put()
{
	{ echo "$2" >"$QUARRY/$1"; } 2>/dev/null
}

soft()
{
	put control/soft_limit "$1" || fail "soft_limit $1"
}

hard()
{
	put control/hard_limit "$1" || fail "hard_limit $1"
}

held()
{
	stat held_bytes
}

# empty TEXT: after a drain and a scavenge, no page is in use or idle.
empty()
{
	drain
	put control/scavenge 1 || fail "control/scavenge"
	same "bytes held before $1" "$(held)" 0
}

intact()
{
	expect "$1: the equations hold" balanced
	expect "$1: the walker finds no error" validate
}

# --- Texts that are written and read, in whole pages ---------------------------

for file in soft_limit hard_limit; do
	same "$file at first" "$(cat "$QUARRY/control/$file")" max
	same "${file}_bytes at first" "$(stat ${file}_bytes)" max
	while read -r size bytes; do
		expect "$file takes $size" put "control/$file" "$size"
		same "$file after $size" "$(cat "$QUARRY/control/$file")" "$bytes"
		same "${file}_bytes after $size" "$(stat ${file}_bytes)" "$bytes"
	done <<-END
		67108864 67108864
		65536K 67108864
		65540k 67112960
		67108865 67108864
		64M 67108864
		65m 68157440
		2G 2147483648
		3g 3221225472
		max max
	END
	put "control/$file" 96M || fail "$file 96M"
	# The last ones do not fit into 64 bits, with or without their unit.
	for bad in abc 12Q -1 64MM 64MB 1.5M M "" " " "64 M" "64M 32M" "max max" maximum max1 \
		99999999999999999999 18446744073709551616 18014398509481984K 17179869184G \
		18446744073709551615M; do
		if put "control/$file" "$bad"; then
			fail "$file takes '$bad'"
		else
			ok "$file refuses '$bad'"
		fi
		same "$file after '$bad'" "$(cat "$QUARRY/control/$file")" 100663296
	done
	put "control/$file" max || fail "$file max"
done

# --- Soft: a load that wants 64 MiB -------------------------------------------

# load_of TEXT MIB CPUS [WORD...]: run a load on these CPUs, and watch how much is held in the
# meantime. Sets most, the largest number of bytes, and hits, the hits of the soft limit.
load_of()
{
	what=$1 cpus=$3
	command="churn mib=$2"
	shift 3
	empty "$what"
	samples=0 most=0 over=0
	hits=$(stat soft_limit_hits)
	taskset "$cpus" sh -c "echo $command turns=$(choose 30 3 8) $* >$CLIENT/run" &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		now=$(held)
		samples=$((samples + 1))
		[ "$now" -le "$most" ] || most=$now
		[ "$now" -le $((limit * 105 / 100)) ] || over=$((over + 1))
	done
	wait "$pid"
	same "$what: its end" $? 0
	hits=$(($(stat soft_limit_hits) - hits))
	note "$what: held at most $((most / 1024)) KiB of $((limit / 1024)) in $samples looks," \
		"$over of them 5 % over; $hits hits;" "$(tr '\n' ' ' <"$CLIENT/result")"
	within "$what: looks" "$samples" 10 1000000
	intact "$what"
}

limit=$((64 * MIB))
# Pages must go back because of the limit only, so let all idle pages stay otherwise.
put control/retain_percent 100 || fail "retain_percent"
load_of "without a limit" 60 1
within "without a limit: per cent of 64 MiB that are held" $((most * 100 / limit)) 110 1000
same "without a limit: hits" "$hits" 0

soft 64M
trace_begin
load_of "60 MiB live" 60 1
within "60 MiB live: per mille of 64 MiB that are held" $((most * 1000 / limit)) 800 1050
within "60 MiB live: hits" "$hits" 1 1000000000
[ -z "$BUFFER" ] || within "tracepoint limit: soft" "$(events 'soft')" 1 1000000000
load_of "64 MiB live, up to 1 KiB each" 64 1 most=1024
within "64 MiB live, up to 1 KiB each: per mille of 64 MiB that are held" \
	$((most * 1000 / limit)) 1000 1050
# On all nodes: near the limit, the memory that is free on one node must serve the others.
load_of "the same on all nodes" 64 "$(printf %x $(((1 << $(cpus_online)) - 1)))" most=1024
within "the same on all nodes: per mille of 64 MiB that are held" \
	$((most * 1000 / limit)) 1000 1050
# The load needs more than the soft limit, and still gets it.
load_of "72 MiB live" 72 1
within "72 MiB live: per mille of that which are held" $((most * 1000 / (72 * MIB))) 1000 1200
within "72 MiB live: hits" "$hits" 1 1000000000
soft max

# --- Hard ---------------------------------------------------------------------

empty "the hard limit"
refused=$(stat hard_limit_hits) failed_before=$(stat failed_allocs)
hard 32M
trace_begin
mark
client mixed op=begin mib=64 || fail "begin"
if client mixed op=grow; then
	fail "a load of 64 MiB does not come to a limit of 32"
else
	expect "the client gets -ENOMEM" grep -qi 'cannot allocate memory\|out of memory' "$TMP/error"
fi
within "bytes held at the limit of 32 MiB" "$(held)" $((28 * MIB)) $((32 * MIB))
within "bytes that are live by then" "$(result bytes)" $((24 * MIB)) $((32 * MIB))
refused=$(($(stat hard_limit_hits) - refused))
within "hard_limit_hits" "$refused" 1 1000000
same "failed_allocs" $(($(stat failed_allocs) - failed_before)) 1
if [ -n "$BUFFER" ]; then
	within "tracepoint limit: hard" "$(events 'hard')" 1 "$refused"
	same "its fields" "$(sed -n 's/^.*field:.*[ *]\([a-z_]*\)\(\[[0-9]*\]\)*;.*/\1/p' \
		"$BUFFER/events/quarry/limit/format" | grep -v '^common_' | xargs)" \
		"cache kind limit_bytes held_bytes"
	expect "its numbers" grep -q "all.*hard.*limit_bytes=$((32 * MIB)) " "$TMP/events"
fi
same "lines in the log" "$(since_mark | wc -l)" 0
intact "at the limit"

# A large object gets idle memory, or is refused. A request that must not be refused is not.
client failnth op=large
within "bytes held after a request for a large object" "$(held)" $((28 * MIB)) $((32 * MIB))
expect "a request that must not fail does not" client failnth op=nofail
hard 33M
expect "the limit is raised" client failnth op=large
hard max
client mixed op=cut percent=100 || fail "cut"
expect "without it the load has its 64 MiB" client mixed op=grow
client mixed op=end || fail "end"
same "live objects" "$(stat live_objects)" 0
drain
same "bytes in use" "$(stat inuse_bytes)" 0
intact "after the limit"

# Under a limit that is lower than the memory in use, requests are refused and nothing breaks.
client hold mib=24 || fail "hold"
hard 8M
client stress seconds=2 threads=3 seed=3
note "stress beyond the limit ends with: $(cat "$TMP/error")"
intact "beyond the limit"
client release || fail "release"
same "live objects" "$(stat live_objects)" 0
drain
expect "below it there is memory again" client hold mib=4
client release || fail "release"
hard max
intact "again without limit"

# --- A cache's own -----------------------------------------------------------------

file=caches/client_limited/limit

# cache_limits TEXT SOFT HARD: the file of the cache has these limits.
cache_limits()
{
	same "$1" "$(cat "$QUARRY/$file")" "soft $2
hard $3"
}

# filled TEXT BYTES: fill the cache. It gets as many objects as fit into its limit, and one line of
# the log says who was refused more, how much there is, and which limit that is.
filled()
{
	mark
	client limited op=fill n=100000 || fail "$1: fill"
	same "$1: it is refused more" "$(result refused)" 1
	inuse=$(cache_stat client_limited inuse_bytes)
	since_mark | grep 'quarry: refused' >"$TMP/refused"
	sed 's/^/# /' "$TMP/refused"
	same "$1: lines in the log" "$(wc -l <"$TMP/refused")" 1
	expect "$1: the line names caller, cache, usage and limits" grep -qE \
		"refused 1000 bytes to limited_fill\+.* \[quarry_client\], cache client_limited: its hard limit; it holds $inuse of $2 bytes, Quarry holds [0-9]+ of max bytes, gfp GFP_KERNEL" \
		"$TMP/refused"
	within "$1: bytes of its slabs" "$(cache_stat client_limited inuse_bytes)" \
		$(($2 * 8 / 10)) "$2"
	within "$1: bytes of its objects" $((1000 * $(cache_stat client_limited live_objects))) \
		$(($2 * 7 / 10)) "$2"
}

# The module's limit, whose cache is "(large)" for an object over 32 KiB.
empty "a large object that is refused"
hard 8M
mark
client limited op=big
hard max
since_mark | grep 'quarry: refused' >"$TMP/refused"
sed 's/^/# /' "$TMP/refused"
expect "Quarry's hard limit: the line names caller, cache, usage and limit" grep -qE \
	"refused 16777216 bytes to limited_big\+.* \[quarry_client\], cache \(large\): Quarry's hard limit; Quarry holds [0-9]+ of 8388608 bytes, gfp GFP_KERNEL" \
	"$TMP/refused"

client limited op=create hard=$MIB || fail "create"
cache_limits "a limit from quarry_cache_create()" max $MIB
filled "1 MiB" $MIB
same "1 MiB: hard_limit_hits" $(($(stat hard_limit_hits) > 0)) 1
expect "1 MiB: others are not refused" client hold mib=8
client release || fail "release"
client limited op=fill n=1 gfp=atomic || fail "fill"
same "1 MiB: nor is there more for those who cannot wait" "$(result refused)" 1
client limited op=fill n=100 gfp=nofail || fail "fill"
same "1 MiB: those that must not be refused are not" "$(result refused)" 0
client limited op=free || fail "free"
if client limited op=set soft=$((3 * MIB)) hard=$((2 * MIB)); then
	fail "quarry_limit_set() takes a soft limit beyond the hard one"
else
	ok "quarry_limit_set() takes no soft limit beyond the hard one"
fi
cache_limits "limits after that" max $MIB
expect "quarry_limit_set()" client limited op=set soft=$MIB hard=$((2 * MIB))
cache_limits "what it set" $MIB $((2 * MIB))
trace_begin
filled "2 MiB" $((2 * MIB))
[ -z "$BUFFER" ] || within "tracepoint limit: the cache's name" \
	"$(events 'client_limited.*hard')" 1 1000000
client limited op=free || fail "free"
for pair in "4M max $((4 * MIB))" "hard=512k max 524288" "soft=256K 262144 524288" \
	"hard=max 262144 max" "soft=max max max"; do
	# shellcheck disable=SC2086 # words
	set -- $pair
	expect "limit takes $1" put "$file" "$(echo "$1" | tr '=' ' ')"
	[ "$1" != 4M ] || put "$file" "soft max" || fail "soft max"
	cache_limits "limit after $1" "$2" "$3"
done
put "$file" 3M || fail "3M"
for bad in abc 12Q -1 "" "soft" "hard" "soft 12Q" "hard -1" "firm 3M" "soft 1M hard 2M" \
	"hard 99999999999999999999" "hard 17179869184G" 64MM; do
	if put "$file" "$bad"; then
		fail "limit takes '$bad'"
	else
		ok "limit refuses '$bad'"
	fi
	cache_limits "limit after '$bad'" max $((3 * MIB))
done
put "$file" max || fail "max"
expect "without a limit it has what it wants" client limited op=fill n=20000
same "it is not refused" "$(result refused)" 0
intact "a cache's limit"
client limited op=end || fail "end"
same "live objects" "$(stat live_objects)" 0

expect "quarry_limit_set() for all" client limited op=setall soft=$((40 * MIB)) hard=$((50 * MIB))
same "soft_limit" "$(cat "$QUARRY/control/soft_limit")" $((40 * MIB))
same "hard_limit" "$(cat "$QUARRY/control/hard_limit")" $((50 * MIB))
expect "and that they go" client limited op=setall
same "soft_limit" "$(cat "$QUARRY/control/soft_limit")" max
same "hard_limit" "$(cat "$QUARRY/control/hard_limit")" max

# --- When loading ------------------------------------------------------------------

unload quarry_client quarry
for bad in hard_limit=12Q soft_limit=-1 retain_percent=101 retain_percent=x hard_limit=; do
	if insmod "$MODULES/quarry.ko" "$bad" 2>/dev/null; then
		fail "it loads with $bad"
		unload quarry
	else
		ok "it does not load with $bad"
	fi
done
insmod "$MODULES/quarry.ko" soft_limit=48M hard_limit=64m retain_percent=20 || fail "insmod"
load quarry_client
same "soft_limit by parameter" "$(cat "$QUARRY/control/soft_limit")" $((48 * MIB))
same "hard_limit by parameter" "$(cat "$QUARRY/control/hard_limit")" $((64 * MIB))
same "retain_percent by parameter" "$(cat "$QUARRY/control/retain_percent")" 20
if client hold mib=80; then
	fail "80 MiB with a limit of 64"
else
	ok "80 MiB are refused with a limit of 64"
fi
client release || fail "release"
mark
unload quarry_client quarry
same "lines that say something was not given back" \
	"$(since_mark | grep -c 'not given back\|never freed')" 0
finish
