#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Of the frees of a million allocations of the kernel's, by files, pipes, sockets, processes and
# modules, the kernel profile misses none, and it holds none of them as live. At a rate of 1 each
# allocation has a sample. A free that was missed is seen when the address is allocated again, or
# the page goes back; the load runs on until that has happened.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=524288 || skip_all "no memory"
SLAB=$QUARRY/kernel/slab
wanted=$(choose 1000000 20000 150000)
mkdir "$TMP/files"

slab_stat()
{
	value "$SLAB/stats" "$1"
}

# work ROUNDS: a hundred allocations and more in each round.
work()
{
	./kernload "$1" "$TMP/files" || fail "kernload"
	{ insmod "$MODULES/quarry_client_tiny.ko" && rmmod quarry_client_tiny; } || fail "module"
	find /proc/self /sys/module >/dev/null 2>&1
}

# live_beyond: for each cache, live objects in the profile beyond those in the kernel's own count,
# as a sum. The kernel counts the free objects of a CPU's slab as used, until it is asked to shrink.
live_beyond()
{
	cat "$SLAB/top" >"$TMP/top"
	for file in /sys/kernel/slab/*/shrink; do
		echo 1 >"$file"
	done
	awk '
		FILENAME == "/proc/slabinfo" { active[$1] = $2; next }
		FNR == 1 { sub(/^#/, ""); for (i = 1; i <= NF; i++) at[$i] = i; next }
		!/^#/ { live[$at["cache"]] += $at["inuse_objs"] }
		END {
			for (name in live) {
				if (!(name in active) || live[name] <= active[name])
					continue
				printf "# %s: %d live in the profile, %d in use\n", name,
					live[name], active[name]
				beyond += live[name] - active[name]
			}
			print "beyond", beyond + 0
		}' /proc/slabinfo "$TMP/top" >"$TMP/beyond"
	grep '^#' "$TMP/beyond"
}

work 1
echo 1 >"$SLAB/rate"
echo 1 >"$SLAB/enable"
rounds=0
while [ "$(slab_stat samples)" -lt "$wanted" ]; do
	work 200
	rounds=$((rounds + 200))
	[ $rounds -lt 100000 ] || break
done
note "$rounds rounds; $(xargs <"$SLAB/stats")"
within "allocations" "$(slab_stat samples)" "$wanted" 1000000000
live=$(slab_stat live_samples)

# What was missed lately is found now.
work 400
sync
echo 3 >/proc/sys/vm/drop_caches
sleep 2
note "$(xargs <"$SLAB/stats")"
within "missed frees in a hundred thousand" \
	$(($(slab_stat missed_frees) * 100000 / $(slab_stat samples))) 0 0
same "missed calls of functions" "$(slab_stat missed_calls)" 0
same "dropped samples" "$(slab_stat dropped_samples)" 0
# Once the load has ended, its objects are gone. This much is left of what runs beside it.
within "live samples" "$(slab_stat live_samples)" 1 $((live + 2000))
live_beyond
within "live objects that the kernel does not have" "$(value "$TMP/beyond" beyond)" 0 20

echo 0 >"$SLAB/enable"
expect "the walker finds no error" validate
unload quarry
finish
