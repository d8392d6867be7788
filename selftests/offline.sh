#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Memory that is taken out of the machine. The kernel first wants all pages of a block to be
# free or movable, and only then asks the drivers (MEM_GOING_OFFLINE). So a block in which
# Quarry holds pages stays online. When Quarry has released them the block can go offline, and
# come back.
#
# Needs a machine that has just started: after a while the kernel has pages in every block.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
unload wordindex quarry_client quarry

BLOCKS=/sys/devices/system/memory
[ -w "$BLOCKS/memory1/state" ] || skip_all "memory stays in this kernel"
block_bytes=$((0x$(cat $BLOCKS/block_size_bytes)))

state()
{
	cat "$BLOCKS/memory$1/state"
}

# offline BLOCK: if a page of the block comes into use in the meantime, the kernel tries again
# until it gets a signal. So there is a timeout. The signal may come when the block has just gone,
# so the state decides.
offline()
{
	timeout 5 sh -c "echo offline >$BLOCKS/memory$1/state" 2>"$TMP/error"
	[ "$(state "$1")" = offline ]
}

# online BLOCK: as memory for the kernel, as before; "online" could make it movable.
online()
{
	(echo online_kernel >"$BLOCKS/memory$1/state") 2>"$TMP/error"
}

# ours BLOCK: the number of the block's pages that Quarry holds; used BLOCK: those in use.
ours()
{
	cat "$QUARRY"/nodes/*/chunks | awk -v first=$(($1 * (block_bytes / 4096))) \
		-v end=$((($1 + 1) * (block_bytes / 4096))) \
		'$1 >= first && $1 < end { n += $4 } END { print n + 0 }'
}

used()
{
	cat "$QUARRY"/nodes/*/chunks | awk -v first=$(($1 * (block_bytes / 4096))) \
		-v end=$((($1 + 1) * (block_bytes / 4096))) \
		'$1 >= first && $1 < end { n += $3 } END { print n + 0 }'
}

scavenge()
{
	drain
	echo 1 >"$QUARRY/control/scavenge" || fail "control/scavenge"
}

# Find the blocks that can go offline while Quarry is not loaded.
settle_memory
loose=
for dir in "$BLOCKS"/memory[0-9]*; do
	block=${dir##*/memory}
	[ "$(state "$block")" = online ] || continue
	offline "$block" || continue
	online "$block" || fail "block $block does not come back"
	loose="$loose $block"
done
note "blocks of $((block_bytes >> 20)) MiB that can be taken away:$loose"
[ -n "$loose" ] || skip_all "the kernel has pages in every block"

load quarry quarry_client
[ -e "$QUARRY/control/scavenge" ] || {
	fail "no control/scavenge"
	finish
}
(echo 100 >"$QUARRY/control/retain_percent") || fail "retain_percent"

# Work on one node. The kernel uses blocks that came back last, so take most of its memory. Half
# of it stays in use, so that retain_percent lets the other half stay idle.
first=${loose# }
first=${first%% *}
node=0
for dir in "$BLOCKS/memory$first"/node*; do
	[ ! -d "$dir" ] || node=${dir##*/node}
done
cpu=$(cpu_of "$node")
[ -n "$cpu" ] || skip_all "node $node has no processor"
on_cpus "$(printf '%x' $((1 << cpu)))"
free_mib=$(awk '/MemFree/ { print int($4 / 1024) }' "/sys/devices/system/node/node$node/meminfo")
note "node $node: $free_mib MiB free"
client mixed op=begin mib=$((free_mib * 85 / 100)) low=65536 high=131072 || fail "begin"
client mixed op=grow || fail "grow"
client mixed op=cut percent=48 || fail "cut"

# The blocks of $loose in which Quarry holds only idle pages, one per line.
idle_blocks()
{
	for block in $loose; do
		[ "$(ours "$block")" -gt 0 ] && [ "$(used "$block")" = 0 ] && echo "$block"
	done
}

candidates=$(idle_blocks | xargs)
block=${candidates%% *}
[ -n "$block" ] || {
	fail "no block with nothing but idle pages"
	finish
}
held=$(ours "$block")
note "blocks with nothing but idle pages: $candidates; $held in block $block"
if offline "$block"; then
	fail "block $block goes although Quarry has pages there"
else
	ok "block $block stays: $(cat "$TMP/error")"
fi
same "pages of Quarry's there, after that" "$(ours "$block")" "$held"
expect "the walker finds no error" validate
scavenge
for block in $candidates; do
	same "pages of Quarry's in block $block after control/scavenge" "$(ours "$block")" 0
done
settle_memory
# In the meantime the kernel may have put pages of its own into a block. One that goes is enough.
gone=
for block in $candidates; do
	offline "$block" && gone=$block && break
done
[ -n "$gone" ] || {
	why="none of $candidates goes: $(cat "$TMP/error")"
	# With KASAN and lockdep the kernel allocates much memory on the side, also for
	# Quarry's book-keeping, so by now every block may have such a page.
	if is_slow; then
		skip "$why"
	else
		fail "$why"
	fi
	finish
}
ok "block $block goes"
same "its state" "$(state "$block")" offline
expect "the walker finds no error without it" validate
client mixed op=cut percent=100 || fail "cut"
scavenge
expect "there is other memory" client hold mib=$((free_mib / 4))
same "none of it from block $block" "$(ours "$block")" 0
client release || fail "release"
expect "the equations hold without it" balanced
expect "block $block comes back" online "$block"
client mixed op=grow || fail "grow again"
within "pages of block $block that Quarry has again" "$(ours "$block")" 512 $((block_bytes / 4096))
expect "the walker finds no error" validate
client stress seconds=2 threads=3 seed=5 || fail "stress"
client mixed op=end || fail "end"
scavenge
same "pages that are held" "$(stat idle_bytes)" 0
expect "the equations hold" balanced

# Take blocks away and give them back while memory is in use all around.
client stress "seconds=$(choose 8 8)" threads=3 seed=6 &
pid=$!
gone=0
while kill -0 "$pid" 2>/dev/null; do
	for block in $loose; do
		offline "$block" || continue
		gone=$((gone + 1))
		online "$block" || fail "block $block does not come back"
	done
done
wait "$pid"
same "status of the stress" $? 0
within "times that a block went under load" "$gone" 1 1000000
same "blocks that are not there" "$(grep -L online "$BLOCKS"/memory*/state)" ""
expect "the equations hold" balanced
expect "the walker finds no error" validate
mark
unload quarry_client quarry
same "lines that say something was not given back" \
	"$(since_mark | grep -c 'not given back\|never freed')" 0
finish
