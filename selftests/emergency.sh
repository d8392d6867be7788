#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Near the min watermark, a caller with access to the kernel's emergency reserves gets one object
# of 1 KiB. That must not take a chunk of 2 MiB out of the reserves, and callers without access
# must not get what is left of the pages.
#
# Runs in a machine of its own with 512 MiB and one node. The reserves are made large, so that a
# chunk would find room in them.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

load_anew quarry_client
min=$(cat /proc/sys/vm/min_free_kbytes)
[ "$(memory_nodes | wc -l)" = 1 ] || skip_all "more than one node"
echo 65536 >/proc/sys/vm/min_free_kbytes

# Pages that the object takes: one, and those of the kernel's slabs for Quarry's descriptors of a
# slab and of a chunk, with up to 8 pages each. Other tasks may take some, too, or give back those
# that a processor keeps in a list of its own.
most=64
for gfp in atomic memalloc; do
	drain
	echo 1 >"$QUARRY/control/scavenge" || fail "control/scavenge"
	expect "$gfp, SLUB" client emergency from=slub "gfp=$gfp"
	note "SLUB takes $(result taken) pages of $(result free) free ones"
	expect "$gfp, Quarry" client emergency from=quarry "gfp=$gfp"
	note "$(result hoarded) pages taken away, $(result free) free, min watermark" \
		"$(result min); the object took $(result taken)"
	within "$gfp: free pages, down to the watermark" "$(result free)" 1 \
		$(($(result min) + 2048))
	same "$gfp: the object is there" "$(result served)" 1
	# Another try follows if pages came back just then, which anybody gets.
	within "$gfp: times until the object came from the reserves" "$(result tries)" 1 19
	within "$gfp: pages that left the reserves" "$(result taken)" -4096 $most
	same "$gfp: objects of its page for callers without access" "$(result beside)" 0
	# A page that was reclaimed at the wrong moment is theirs: two such pages, or eight objects.
	within "$gfp: objects of its cache for them, of 64" "$(result same)" 0 8
	within "$gfp: objects of another cache for them, of 64" "$(result others)" 0 2
	expect "$gfp: the walker finds no error" validate
	expect "$gfp: the equations hold" balanced
done
echo "$min" >/proc/sys/vm/min_free_kbytes
same "live objects" "$(stat live_objects)" 0
finish
