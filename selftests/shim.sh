#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A module of the kernel's slab API that quarry/kmem_shim.h moves to Quarry. The module checks
# each function of the API, and afterwards all its memory must have gone back. It runs twice,
# the second time with a sample at each allocation.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

# look WHAT [RATE]
look()
{
	what=$1
	unload wordindex quarry_client quarry_shimmed quarry
	load quarry
	[ -z "${2:-}" ] || echo "$2" >"$QUARRY/profile/rate"
	mark
	load quarry_shimmed
	since_mark >"$TMP/log"
	sed -n 's/.*quarry_shimmed: //p' "$TMP/log" >"$TMP/results"
	grep '^not ok' "$TMP/results" | sed 's/^/# /'
	params=/sys/module/quarry_shimmed/parameters
	same "$what: checks that failed" "$(cat $params/failed)" 0
	within "$what: checks that passed" "$(cat $params/passed)" 90 1000
	same "$what: checks announced" "$(sed -n 's/^1\.\.//p' "$TMP/results")" \
		$(($(cat $params/passed) + $(cat $params/failed)))
	expect "$what: it holds quarry" [ -e /sys/module/quarry/holders/quarry_shimmed ]
	expect "$what: a cache of a zone stays the kernel's, as is logged" \
		grep -q 'cache shim_dma stays the kernel.s: .* zone' "$TMP/log"
	expect "$what: so does one of large objects" \
		grep -q 'cache shim_huge stays the kernel.s: .* larger than 32 KiB' "$TMP/log"
	expect "$what: debugging flags are noted" \
		grep -q 'cache thing: debugging flags .* no effect' "$TMP/log"
	unload quarry_shimmed
	for try in 1 2 3 4 5 6 7 8 9 10; do
		drain
		[ "$(stat live_objects)" != 0 ] || break
		sleep 0.2	# for grace periods
	done
	same "$what: live objects" "$(stat live_objects)" 0
	same "$what: misuse, of which there was one" \
		"$(awk '/^misuse/ { n += $2 } END { print n }' "$QUARRY/stats")" 1
	expect "$what: the walker finds no error" validate
	expect "$what: the equations hold" balanced
}

look "plain"
look "sampled" 1
finish
