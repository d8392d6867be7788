#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# No call switches interrupts off for long, however much memory it has to deal with. This needs a
# machine with one processor whose clock counts instructions: scripts/vm --cpus 1 --icount.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

[ "$(cpus_online)" = 1 ] || skip_all "more than one processor"
load_anew quarry_client
# The kernel prints to its console with interrupts off.
dmesg -n 1

# Instructions by which a tick of a timer may be late. Interrupts were off for at most 5,000 more, the
# time between two ticks.
most=20000

gaps()
{
	mark
	expect "gap $*" client gap "$@"
	while read -r name value; do
		within "$* $name" "$value" 0 "$most"
	done <"$CLIENT/result"
	since_mark | sed -n 's/.*\(gap [a-z_]*: [0-9]* ns: .*\)/# \1/p'
}

gaps what=objects mb=256
gaps what=live mb=128
gaps what=cleanups mb=8
gaps what=large mb=64
finish
