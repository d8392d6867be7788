#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Free pages go back to the kernel in the background. After a peak of 1 GiB, 90 % of it is freed
# at random; ten seconds later Quarry must hold little more than is in use. The kernel's own
# count of free pages shows this, and shows what kmalloc holds for the same objects.
#
# QUARRY_MIB: MiB at the peak (default 1024, or less if the machine has less memory)

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

# kmalloc rounds sizes up to powers of two, and needs 1.4 times the bytes that are asked for.
available=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
most=$(choose 1024 48)
mib=${QUARRY_MIB:-$((available * 10 / 17))}
[ -n "${QUARRY_MIB:-}" ] || [ "$mib" -le "$most" ] || mib=$most
note "$mib MiB at the peak, $available available"
nodes=$(memory_nodes | wc -l)
# The scavenger may use 1 % of a processor. With KASAN and lockdep it does a tenth of the work.
seconds=$(choose 10 40)

# --- Counting -----------------------------------------------------------------

# Sets held: the pages that the kernel has given away since base_pages pages were free.
kernel_held()
{
	count_free_pages
	held=$((base_pages - pages_free))
}

# SLUB's own count, which should be about the same.
slab_pages()
{
	awk '/^nr_slab_(un)?reclaimable/ { n += $2 } END { print n }' /proc/vmstat
}

now_ms()
{
	awk '{ printf "%d", $1 * 1000 }' /proc/uptime
}

# look: one reading of stats, as numbers of this shell.
look()
{
	cat "$QUARRY/stats" >"$TMP/stats"
	inuse=$(value "$TMP/stats" inuse_bytes)
	idle=$(value "$TMP/stats" idle_bytes)
	sys=$(value "$TMP/stats" sys_bytes)
	given=$(($(value "$TMP/stats" returned_bytes) - $(value "$TMP/stats" taken_bytes)))
}

# allowance PERCENT: the idle bytes that may be kept: a share of those in use, and, for some seconds
# after a load, a chunk for each node.
chunks=$nodes
allowance()
{
	echo $((inuse * $1 / 100 + (chunks << 21)))
}

# wait_for_scavenger PERCENT: wait until no more pages are idle than may be kept, and for
# $seconds at most. Sets waited, in ms.
#
# The scavenger may take 1 % of the time, and it is slow under KASAN. If the guest does not get
# its processors either, 1 % does not suffice within $seconds, so on that kernel the wait goes on
# for as long as the scavenger is at work, and for five minutes at most. With two processors that
# other work disturbs, a time limit would test the machine; the kernels without KASAN, whose time
# is that of their own instructions, keep theirs.
wait_for_scavenger()
{
	start=$(now_ms)
	spent=$(stat scavenger_ns) worked=$start
	while :; do
		look
		waited=$(($(now_ms) - start))
		[ "$idle" -gt "$(allowance "$1")" ] || return 0
		[ "$waited" -lt $((seconds * 1000)) ] || is_at_work || return 1
		wait_quietly
	done
}

# Has the scavenger worked in the last $seconds? After a long piece of work it pauses, until that
# piece is 1 % of the time.
is_at_work()
{
	has_kasan && [ "$waited" -lt 300000 ] || return 1
	now=$(value "$TMP/stats" scavenger_ns)
	[ "$now" = "$spent" ] || worked=$(now_ms)
	spent=$now
	[ $(($(now_ms) - worked)) -lt $((seconds * 1000)) ]
}

# Wait until $seconds have passed since $start.
wait_until_end()
{
	while [ $(($(now_ms) - start)) -lt $((seconds * 1000)) ]; do
		wait_quietly
	done
}

# near TEXT GOT WANTED PERCENT: GOT differs from WANTED by no more than PERCENT of WANTED.
near()
{
	margin=$(($3 * $4 / 100))
	within "$1" "$2" $(($3 - margin)) $(($3 + margin))
}

# --- The objects from kmalloc ---------------------------------------------------

load_anew quarry_client
client mixed op=begin "mib=$mib" || fail "begin"
objects=$(result objects)
note "$objects objects of 16 bytes to 32 KiB"
# The first round is not measured, because the kernel allocates memory of its own in it.
client mixed op=grow side=slub || fail "first round of kmalloc"
client mixed op=cut percent=100 || fail "first round of kfree"
settle_memory
count_free_pages
base_pages=$pages_free slab_base=$(slab_pages)
client mixed op=grow side=slub || fail "grow by kmalloc"
kernel_held
slub_grown=$held slab_grown=$(($(slab_pages) - slab_base))
client mixed op=thin percent=90 || fail "thin by kmalloc"
live=$(result bytes)
kernel_held
slub_freed=$held slab_freed=$(($(slab_pages) - slab_base))
start=$(now_ms)
wait_until_end
kernel_held
slub_waited=$held slab_waited=$(($(slab_pages) - slab_base))
client mixed op=cut percent=100 || fail "cut by kfree"

# --- Grow, free 90 %, wait ------------------------------------------------------

client mixed op=grow side=quarry || fail "first round"
client mixed op=cut percent=100 || fail "first round"
drain
(echo 1 >"$QUARRY/control/scavenge") || fail "control/scavenge"
settle_memory
count_free_pages
base_pages=$pages_free
look
base_sys=$sys

client mixed op=grow side=quarry || fail "grow"
same "objects" "$(result objects)" "$objects"
kernel_held
quarry_grown=$held
look
grown_free=$pages_free grown_given=$given
has_kasan || near "after growth, pages by the kernel's count and by sys_bytes" "$held" \
	$(((sys - base_sys) / 4096)) 2
expect "the equations hold after growth" balanced

client mixed op=thin percent=90 || fail "thin"
same "bytes that are live, on both sides" "$(result bytes)" "$live"
kernel_held
quarry_freed=$held
look
note "at once after the frees: idle $((idle >> 20)) MiB, in use $((inuse >> 20)) MiB," \
	"live $((live >> 20)) MiB"
retain=$(cat "$QUARRY/control/retain_percent")
same "retain_percent by default" "$retain" 10
wait_for_scavenger "${retain:=10}"
within "idle bytes, $waited ms later" "$idle" 0 "$(allowance "$retain")"
wait_until_end
kernel_held
look
quarry_waited=$held
has_kasan || near "pages given back by the kernel's count and by Quarry's" \
	$((pages_free - grown_free)) $(((given - grown_given) / 4096)) 2
has_kasan || near "pages by the kernel's count and by sys_bytes" "$held" \
	$(((sys - base_sys) / 4096)) 4
within "scavenged_bytes: the scavenger's own count, in pages" \
	$(($(stat scavenged_bytes) / 4096)) $(((given - grown_given) / 8192)) 1000000000
expect "the equations hold after the frees" balanced
expect "the walker finds no error" validate

row()
{
	note "$(printf '%-28s %10s %10s %10s' "$@")"
}
row "pages held" "grown" "90% freed" "${seconds}s later"
row "objects, in pages" $((mib * 256)) $((live / 4096)) $((live / 4096))
row "Quarry" "$quarry_grown" "$quarry_freed" "$quarry_waited"
row "SLUB" "$slub_grown" "$slub_freed" "$slub_waited"
row "SLUB, by NR_SLAB_*" "$slab_grown" "$slab_freed" "$slab_waited"
if has_kasan; then
	skip "Quarry holds no more than SLUB (KASAN keeps what is freed)"
else
	within "pages that Quarry holds after growth, at most SLUB's" "$quarry_grown" 1 "$slub_grown"
	within "pages that Quarry holds in the end, at most SLUB's" "$quarry_waited" 1 "$slub_waited"
fi

# When nothing is in use, no share of it is kept, and the last chunk of each node goes too.
client mixed op=end || fail "end"
drain
chunks=0
wait_for_scavenger "$retain"
same "idle bytes when all is free, $waited ms later" "$idle" 0
chunks=$nodes

# --- The share that is kept -------------------------------------------------------

# On one node, because each node keeps a share of its own.
on_cpus 1

retain_percent()
{
	(echo "$1" >"$QUARRY/control/retain_percent") 2>/dev/null
}

for bad in -1 101 abc "" "10 20" 1.5 10% 4294967306 18446744073709551626; do
	if retain_percent "$bad"; then
		fail "retain_percent takes '$bad'"
	else
		ok "retain_percent refuses '$bad'"
	fi
	same "retain_percent after '$bad'" "$(cat "$QUARRY/control/retain_percent")" 10
done
for good in 0 100 50; do
	expect "retain_percent takes $good" retain_percent "$good"
	same "retain_percent reads" "$(cat "$QUARRY/control/retain_percent")" "$good"
done

# Free the youngest objects, so that there are idle pages and no slab has holes.
client mixed op=begin mib="$(choose 128 32)" low=1024 high=65536 || fail "begin"
client mixed op=grow || fail "grow"
retain_percent 100
client mixed op=cut percent=50 || fail "cut"
drain
wait_quietly
wait_quietly
look
least=$(($(choose 128 32) << 18))
within "retain_percent 100: idle bytes that stay" "$idle" "$least" $((least * 16))
retain_percent 20
wait_for_scavenger 20
within "retain_percent 20: idle bytes, $waited ms later" "$idle" \
	$((inuse / 10)) "$(allowance 20)"
retain_percent 0
wait_for_scavenger 0
within "retain_percent 0: idle bytes, $waited ms later" "$idle" 0 "$(allowance 0)"

# --- A release of all idle pages, on request ----------------------------------------

retain_percent 100
client mixed op=cut percent=100 || fail "cut again"
client mixed op=grow || fail "grow again"
client mixed op=cut percent=40 || fail "cut again"
drain
look
before=$idle released=$(stat released_bytes)
within "idle bytes before the request" "$before" "$least" $((least * 16))
expect "control/scavenge" sh -c "echo 1 >$QUARRY/control/scavenge"
look
same "idle bytes after control/scavenge" "$idle" 0
same "pages that it says went" "$(cat "$QUARRY/control/scavenge")" $((before / 4096))
same "released_bytes counts them" $(($(stat released_bytes) - released)) "$before"
for bad in 0 2 abc ""; do
	if (echo "$bad" >"$QUARRY/control/scavenge") 2>/dev/null; then
		fail "control/scavenge takes '$bad'"
	else
		ok "control/scavenge refuses '$bad'"
	fi
done
client mixed op=end || fail "end"
drain
echo 1 >"$QUARRY/control/scavenge" || fail "scavenge"
look
same "idle bytes after all is free" "$idle" 0
same "bytes in use" "$inuse" 0
echo 1 >"$QUARRY/control/scavenge" || fail "scavenge"
same "pages that went when there were none" "$(cat "$QUARRY/control/scavenge")" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate

# --- What it costs --------------------------------------------------------------------

cat "$QUARRY/stats" >"$TMP/stats"
spent=$(value "$TMP/stats" scavenger_ns)
up=$(value "$TMP/stats" uptime_ns)
note "scavenger: $((spent / 1000)) us of $((up / 1000000)) ms"
within "scavenger_ns, at most 1 % of uptime_ns" "$spent" 1 $((up / 100))
within "uptime_ns, in ms" $((up / 1000000)) 10000 $(($(now_ms)))
finish
