#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Memory comes from the node that was asked for, and the counters say so.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

near=$(memory_nodes | sed -n 1p)
far=$(memory_nodes | sed -n 2p)
[ -n "$far" ] || skip_all "one node"
cpu=$(cpu_of "$near")
other=$(cpu_of "$far")
[ -n "${cpu:+$other}" ] || skip_all "a node without processors"
load_anew quarry_client

node_stat()
{
	value "$QUARRY/nodes/$1/stats" "$2"
}

# placed TEXT ARGUMENTS...: all of 500 objects are where they should be.
placed()
{
	text=$1
	shift
	client place n=500 "$@" || fail "$text: status"
	same "$text" "$(result placed)" 500
}

for size in 64 3000 40000; do
	count=500
	[ "$size" -lt 40000 ] || count=50
	for from in $cpu $other; do
		client place "n=$count" "size=$size" "cpu=$from" "free_cpu=$from" || fail place
		same "size $size from processor $from: local" "$(result placed)" "$count"
		for node in $near $far; do
			client place "n=$count" "size=$size" "cpu=$from" "free_cpu=$from" \
				"node=$((node + 1))" thisnode=1 || fail place
			same "size $size from processor $from on node $node" \
				"$(result placed)" "$count"
		done
	done
done
placed "also when another node would do" size=64 "cpu=$cpu" "free_cpu=$cpu" "node=$((far + 1))"
same "fallbacks to another node" "$(stat remote_fallbacks)" 0

before=$(stat remote_frees)
client place n=500 size=64 "cpu=$cpu" "free_cpu=$cpu" || fail "place"
same "frees at home are not remote" "$(stat remote_frees)" "$before"
client place n=500 size=64 "cpu=$cpu" "free_cpu=$other" || fail "place"
same "frees on the other node are" "$(stat remote_frees)" $((before + 500))
expect "the walker finds no error" validate

for node in $near $far; do
	from=$(cpu_of "$node")
	before=$(node_stat "$node" inuse_bytes)
	taskset -c "$from" sh -c "echo hold mib=8 >$CLIENT/run" || fail "hold"
	within "node $node: MiB more in use" \
		$((($(node_stat "$node" inuse_bytes) - before) >> 20)) 7 12
	client release || fail "release"
done
drain
for node in $near $far; do
	same "node $node: in use after release and drain" "$(node_stat "$node" inuse_bytes)" 0
done

for from in $cpu $other; do
	for node in $near $far; do
		client place from=fixed n=500 "cpu=$from" "free_cpu=$from" "node=$((node + 1))" ||
			fail "place"
		same "a cache of node $node, from processor $from" "$(result placed)" 500
		client place from=interleave n=2000 "cpu=$from" "free_cpu=$from" \
			"node=$((node + 1))" || fail "place"
		within "a cache of all nodes, from processor $from: of 2000 on node $node" \
			"$(result placed)" 500 1500
	done
done
same "live objects" "$(stat live_objects)" 0
expect "the equations hold" balanced
finish
