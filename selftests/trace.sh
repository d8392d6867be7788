#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Tracepoints: there are as many events as the counters say, and they have the same numbers.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

TRACING=/sys/kernel/tracing
[ -d $TRACING/events ] || mount -t tracefs tracefs $TRACING 2>/dev/null
[ -d $TRACING/instances ] || skip_all "no tracefs"
load_anew quarry_client

# A trace buffer of its own, so that other users of the tracer do not disturb it.
BUFFER=$TRACING/instances/quarry
rmdir $BUFFER 2>/dev/null
mkdir $BUFFER || skip_all "no trace buffer"
trap 'rmdir $BUFFER; rm -rf "$TMP"' EXIT
echo 8192 >$BUFFER/buffer_size_kb

# addresses: those that are not hashed, in the text of the trace.
addresses()
{
	grep -ciE '(ptr|addr)=0xffff[0-9a-f]{12}' "$TMP/trace"
}

begin()
{
	echo 0 >$BUFFER/tracing_on
	echo >$BUFFER/trace
	echo 1 >$BUFFER/events/quarry/enable
	cp "$QUARRY/stats" "$TMP/before"
	echo 1 >$BUFFER/tracing_on
}

end()
{
	echo 0 >$BUFFER/tracing_on
	echo 0 >$BUFFER/events/quarry/enable
	cp "$QUARRY/stats" "$TMP/after"
	cat $BUFFER/trace >"$TMP/trace"
	# For names. Without hashes, 6.1 prints no string of an event that has an address as well.
	hashed=$(cat $BUFFER/options/hash-ptr)
	echo 1 >$BUFFER/options/hash-ptr
	cat $BUFFER/trace >"$TMP/names"
	echo "$hashed" >$BUFFER/options/hash-ptr
	[ "$(cat $BUFFER/per_cpu/cpu*/stats | awk '/overrun|dropped/ { n += $NF } END { print n }')" = 0 ] ||
		fail "the buffer was too small"
}

# grown NAME: how much this number of stats grew between begin and end.
grown()
{
	echo $(($(value "$TMP/after" "$1") - $(value "$TMP/before" "$1")))
}

# events NAME: the number of events of that name.
events()
{
	grep -c " $1: " "$TMP/trace"
}

# total NAME FIELD: the sum of a field over all events of that name.
total()
{
	awk -v event=" $1: " -v field=" $2=" '
	i = index($0, event) {
		text = substr($0, i)
		j = index(text, field)
		sum += substr(text, j + length(field)) + 0
	}
	END { printf "%.0f", sum }' "$TMP/trace"
}

# fields NAME: the fields of the event, from its format.
fields()
{
	sed -n 's/^.*field:.*[ *]\([a-z_]*\)\(\[[0-9]*\]\)*;.*/\1/p' \
		"$BUFFER/events/quarry/$1/format" | grep -v '^common_' | xargs
}

same "events" "$(find $BUFFER/events/quarry -mindepth 1 -type d | sed 's,.*/,,' | sort | xargs)" \
	"flush limit misuse rate refill sample_alloc sample_free scavenge slab_get slab_put"
same "fields of sample_alloc" "$(fields sample_alloc)" "ptr size weighted_bytes"
same "fields of sample_free" "$(fields sample_free)" "ptr"
same "fields of refill" "$(fields refill)" "cache node objects"
same "fields of flush" "$(fields flush)" "cache node objects"
same "fields of slab_get" "$(fields slab_get)" "cache addr pages node"
same "fields of slab_put" "$(fields slab_put)" "addr pages node"
same "fields of misuse" "$(fields misuse)" "what ptr ip"
same "fields of rate" "$(fields rate)" "cache bytes"

# --- Samples ------------------------------------------------------------------

# The text has addresses as the kernel's own events have them: hashed, if the option says so.
for hash in 1 0; do
	echo $hash >$BUFFER/options/hash-ptr
	echo 1 >"$QUARRY/profile/rate"
	begin
	client hold mib=1 || fail "hold"
	client release || fail "release"
	end
	if [ $hash = 1 ]; then
		same "hash-ptr: addresses" "$(addresses)" 0
		within "hash-ptr: hashes" "$(grep -c 'ptr=0x00000000[0-9a-f]*' "$TMP/trace")" 100 100000
	else
		within "no hash-ptr: addresses" "$(addresses)" 100 100000
	fi
	echo default >"$QUARRY/profile/rate"
done

begin
echo 1 >"$QUARRY/profile/rate"
client hold mib=2 || fail "hold"
end
same "rate: events" "$(events rate)" 1
same "rate: bytes" "$(total rate bytes)" 1
same "sample_alloc: events" "$(events sample_alloc)" "$(grown mallocs)"
same "sample_alloc: size" "$(total sample_alloc size)" "$(grown live_bytes)"
same "sample_alloc: weighted_bytes" "$(total sample_alloc weighted_bytes)" \
	"$(grown sampled_live_bytes)"
same "sample_free: none yet" "$(events sample_free)" 0
sed -n 's/.* sample_alloc: ptr=\(0x[0-9a-f]*\) .*/\1/p' "$TMP/trace" | sort >"$TMP/made"
begin
client release || fail "release"
end
same "sample_free: events" "$(events sample_free)" "$(grown frees)"
sed -n 's/.* sample_free: ptr=\(0x[0-9a-f]*\)$/\1/p' "$TMP/trace" | sort >"$TMP/freed"
expect "sample_free: what was allocated" cmp "$TMP/made" "$TMP/freed"
same "sample_free: none twice" "$(uniq -d "$TMP/freed")" ""

# The weights of a sparse sample are those of the estimate.
echo 64K >"$QUARRY/profile/rate"
begin
client hold mib=16 || fail "hold"
end
same "at 64 KiB: events" "$(events sample_alloc)" "$(grown samples)"
same "at 64 KiB: weighted_bytes" "$(total sample_alloc weighted_bytes)" \
	"$(grown sampled_live_bytes)"
within "at 64 KiB: samples" "$(events sample_alloc)" 50 5000
begin
client release || fail "release"
end
same "at 64 KiB: sample_free" "$(events sample_free)" $((-$(grown live_samples)))

echo 'size > 1000' >$BUFFER/events/quarry/sample_alloc/filter
echo 1 >"$QUARRY/profile/rate"
begin
client hold mib=1 || fail "hold"
end
echo 0 >$BUFFER/events/quarry/sample_alloc/filter
within "with a filter" "$(events sample_alloc)" 1 $(($(grown mallocs) - 1000))
client release

# --- Batches and slabs --------------------------------------------------------

# On one processor, because an object that is freed on another node bypasses the magazine.
on_cpus 1
echo off >"$QUARRY/profile/rate"
drain
begin
client hold mib=4 || fail "hold"
client release || fail "release"
drain
end
same "refill: objects" "$(total refill objects)" "$(grown refilled_objects)"
same "flush: objects" "$(total flush objects)" "$(grown flushed_objects)"
within "refill: events" "$(events refill)" 10 100000
within "flush: events" "$(events flush)" 10 100000
within "slab_get: events" "$(events slab_get)" 10 100000
same "slab_put: as many" "$(events slab_put)" "$(events slab_get)"
same "slab_put: as many pages" "$(total slab_put pages)" "$(total slab_get pages)"
begin
client hold mib=4 || fail "hold"
end
same "slab_get: what is held" "$(($(events slab_get) - $(events slab_put)))" \
	$(($(grown slabs) + $(grown large_objects)))
same "slab_get: pages" "$((($(total slab_get pages) - $(total slab_put pages)) * 4096))" \
	"$(grown inuse_bytes)"
expect "slab_get: says for whom" grep -q 'slab_get: cache=malloc-[0-9]* addr=' "$TMP/names"
expect "slab_get: says where" grep -q 'slab_get: .* addr=0xffff' "$TMP/trace"
client release
nodes=$(memory_nodes | xargs | tr ' ' '|')
same "nodes that there are not" \
	"$(grep -E ' (refill|flush|slab_get|slab_put): ' "$TMP/trace" | grep -vE "node=($nodes)( |$)")" ""

# --- Misuse and rates ---------------------------------------------------------

for kind in foreign interior wrong_cache double_free busy_destroy; do
	begin
	client misuse "kind=$kind" || fail "misuse $kind"
	object=$(result address)
	end
	same "misuse: $kind" "$(sed -n 's/.* misuse: what=\([a-z_]*\) .*/\1/p' "$TMP/names")" "$kind"
	same "misuse: $kind: where" "$(sed -n 's/.* misuse: .*ptr=\([^ ]*\) .*/\1/p' "$TMP/trace")" \
		"0x${object#0x}"
done
drain
begin
for again in 1 2 3 4; do
	client misuse kind=foreign || fail "foreign again"
done
end
same "misuse: what is not logged is traced" "$(events misuse)" "$again"

id=$(cache_stat malloc-64 id)
begin
echo 4096 >"$QUARRY/caches/malloc-64/profile/rate"
echo inherit >"$QUARRY/caches/malloc-64/profile/rate"
echo default >"$QUARRY/profile/rate"
end
same "rate: one for each change" \
	"$(sed -n 's/.* rate: cache=\([0-9]*\) bytes=\([0-9]*\)$/\1 \2/p' "$TMP/trace" | xargs)" \
	"$id 4096 $id 0 0 524288"

# The module can be unloaded while its events are enabled. The trace must still be readable.
begin
client hold mib=1
client release
expect "trace is read" grep -q 'slab_get' $BUFFER/trace
unload quarry_client quarry
expect "the module unloads with its events enabled" test ! -d "$QUARRY"
cat $BUFFER/trace >/dev/null
expect "its events are gone" test ! -d $BUFFER/events/quarry
finish
