#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Memory that is taken out of the machine. The kernel wants a block's pages to be free or
# movable before it asks anybody (MEM_GOING_OFFLINE comes after), so a block in which
# Quarry holds pages stays; once these have gone back it can be taken away, and may
# come again.
#
# On a machine that has just started: after a while the kernel has pages in every block.

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

# offline BLOCK: with a page there that comes into use just then the kernel tries until
# it gets a signal.
offline()
{
	timeout 5 sh -c "echo offline >$BLOCKS/memory$1/state" 2>"$TMP/error"
}

# Memory for the kernel, as before; "online" might make it movable.
online()
{
	(echo online_kernel >"$BLOCKS/memory$1/state") 2>"$TMP/error"
}

# ours BLOCK: pages there that Quarry holds.
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

# Which of them can be taken away when Quarry is not there?
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

# On one node, of which blocks that came back are used last. The other half of what is
# taken stays in use, so that by retain_percent this one may stay idle.
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

# Blocks of the list in which Quarry has nothing but idle pages; one to a line.
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
# The kernel itself may have put something there meanwhile, so any of them will do.
gone=
for block in $candidates; do
	offline "$block" && gone=$block && break
done
[ -n "$gone" ] || {
	why="none of $candidates goes: $(cat "$TMP/error")"
	# With KASAN and lockdep the kernel allocates so much on the side, for Quarry's
	# bookkeeping as well, that all of them may have something of it by now.
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

# Taken away and given back while it is in use all around.
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
