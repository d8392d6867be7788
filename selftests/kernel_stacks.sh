#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# More call stacks than the kernel profile has rows for, and more objects than it has entries for.
# Its memory stays what it was when it was switched on, and each allocation is counted: in a row, in
# the row of others, or as dropped. The kernel's stack depot gets no memory for a stack without a row.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

SLAB=$QUARRY/kernel/slab
DEPOT=$DEBUGFS/stackdepot/stats
n=131072
# At most so many objects are allocated meanwhile by others, such as the shell.
noise=16384

slab_stat()
{
	value "$SLAB/stats" "$1"
}

# grown NAME: how much a number of Quarry's has grown since the profile was switched on.
grown()
{
	echo $(($(stat "$1") - before))
}

# Stacks in the kernel's depot. Kernels before 6.8 do not tell.
depot_stacks()
{
	[ ! -r "$DEPOT" ] || value "$DEPOT" persistent_count:
}

# count COLUMN: sets own to the sum of the column over the client's rows, others to that over rows
# without a stack, and all to that over all rows.
count()
{
	awk -v column="$1" '
		NR == 1 { sub(/^#/, ""); for (i = 1; i <= NF; i++) at[$i] = i; next }
		/^#/ { next }
		{ all += $at[column] }
		$at["path"] ~ /^stacks_(zero|one)/ { own += $at[column] }
		$at["path"] == "[stack" { others += $at[column] }
		END { printf "%d %d %d\n", own, others, all }' "$SLAB/top" >"$TMP/sums"
	read -r own others all <"$TMP/sums"
}

# allocate ENTRIES: load Quarry with so many entries, and make the client's objects.
allocate()
{
	unload wordindex quarry_client quarry
	insmod "$MODULES/quarry.ko" kernel_samples="$1" || skip_all "no memory"
	load quarry_client
	echo 1 >"$SLAB/rate"
	# Memory for label sets is taken at the first time.
	echo 1 >"$SLAB/enable"
	echo 0 >"$SLAB/enable"
	before=$(stat metadata_bytes)
	stacks_before=$(depot_stacks)
	echo 1 >"$SLAB/enable"
	memory=$(slab_stat memory_bytes)
	rows=$(slab_stat profile_max_sites)
	same "metadata_bytes grew by memory_bytes" "$(grown metadata_bytes)" "$memory"
	client stacks n="$n" depth=17 || fail "stacks"
	samples_before=$(slab_stat samples)
	count alloc_objs
	samples_after=$(slab_stat samples)
	dropped=$(slab_stat dropped_samples)
	note "$(xargs <"$SLAB/stats")"
	note "of $n: $own in rows of their own; $others in rows without a stack; $dropped dropped"
}

# bounded: what holds whenever there are more stacks than rows.
bounded()
{
	same "memory_bytes is what it was" "$(slab_stat memory_bytes)" "$memory"
	same "metadata_bytes is what it was" "$(grown metadata_bytes)" "$memory"
	within "rows" "$(slab_stat profile_sites)" $((rows - 1)) "$rows"
	within "allocations in all rows" "$all" "$samples_before" "$samples_after"
	# Objects of the kernel's other users find no row either.
	within "objects that are counted, besides those of the client" \
		$((own + others + dropped - n)) 0 $noise
	within "samples without a stack or labels" "$(slab_stat other_samples)" "$others" \
		$((samples_after))
	# The depot also takes stacks into what is left of its last block of 16 KiB, and of one in
	# reserve. There is room for 200 of the client's, of 17 frames and more.
	if [ -n "$stacks_before" ]; then
		within "stacks that the kernel's depot got" $(($(depot_stacks) - stacks_before)) 0 \
			$((rows + 200))
	else
		skip "stacks in the kernel's depot: it does not tell"
	fi
}

# freed: the client's objects are freed.
freed()
{
	client unstacks
	count inuse_objs
	same "live objects of the client in rows of their own" "$own" 0
	within "live objects without a stack" "$others" 0 $noise
	same "missed frees" "$(slab_stat missed_frees)" 0
	same "metadata_bytes is what it was" "$(grown metadata_bytes)" "$memory"
	echo 0 >"$SLAB/enable"
	same "off: no memory" "$(grown metadata_bytes)" 0
	expect "the walker finds no error" validate
}

# --- An entry for each object ---------------------------------------------------------

allocate $((2 * n))
bounded
within "objects in rows of their own" "$own" $((rows / 2)) "$rows"
same "dropped samples" "$dropped" 0
freed

# --- An entry for one object of two ---------------------------------------------------

allocate $((n / 2))
bounded
within "entries in use" "$(slab_stat table_samples)" $((n / 2 - noise)) $((n / 2))
within "dropped samples" "$dropped" $((n / 2)) $((n / 2 + noise))
freed
unload quarry_client quarry
finish
