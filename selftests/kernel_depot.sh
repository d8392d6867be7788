#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel's stack depot has room for 8,192 blocks of 16 KiB. A kernel profile with very many rows
# can fill it. Then new stacks are not recorded, while those that are in the depot are found as
# before, and no object is lost.
#
# It needs 2 GiB of memory, and a machine of its own: the depot stays full.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

# A stack whose object is on another node has another row, and there are no rows for that.
on_cpus 1
SLAB=$QUARRY/kernel/slab
n=262144
known=20000
# At most so many objects are allocated or freed meanwhile by others, such as the shell.
noise=10000

# Sets what the profile says now. A sample has no label only when half of the rows are used, and
# that many stacks have no room in the depot. So others are those without a stack.
read_stats()
{
	while read -r name value; do
		case $name in
		samples) samples=$value ;;
		live_samples) live=$value ;;
		other_samples) others=$value ;;
		esac
	done <"$SLAB/stats"
}

# The kernel warns once or twice when the depot is full.
full_warnings()
{
	dmesg | grep -c 'WARNING: .* at lib/stackdepot.c'
}

unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=4194304 || skip_all "no memory"
load quarry_client
echo 1 >"$SLAB/rate"
expect "4194304 entries" sh -c "echo 1 >$SLAB/enable"
same "rows" "$(value "$SLAB/stats" profile_max_sites)" $((2 * n))

# A stack of the deepest kind has 62 frames or more, which take 528 bytes: 31 are in a block, and
# 253,952 in all of them.
read_stats
samples_before=$samples others_before=$others live_before=$live
client stacks n=$n depth=55 || fail "stacks"
read_stats
note "$(xargs <"$SLAB/stats")"
[ ! -r "$DEBUGFS/stackdepot/stats" ] || note "$(xargs <"$DEBUGFS/stackdepot/stats")"
within "objects" $((samples - samples_before)) $n $((n + noise))
within "live objects" $((live - live_before)) $((n - noise)) $((n + noise))
within "objects without a stack" $((others - others_before)) $((n - 253952)) 100000
within "the kernel's warnings" "$(full_warnings)" 1 2
client unstacks
read_stats
within "live objects after the frees" $((live - live_before)) -$noise $noise

# The first stacks are in the depot.
samples_before=$samples others_before=$others
client stacks n=$known depth=55 || fail "stacks again"
read_stats
within "objects" $((samples - samples_before)) $known $((known + noise))
within "objects without a stack" $((others - others_before)) 0 $noise
client unstacks
for name in missed_frees dropped_samples; do
	same "$name" "$(value "$SLAB/stats" $name)" 0
done
echo 0 >"$SLAB/enable"
expect "the walker finds no error" validate
unload quarry_client quarry
complaints_before=$((complaints_before + $(full_warnings)))
finish
