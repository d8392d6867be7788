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

# The walker in slices, over objects of all sizes. The shell reads the file itself, because a new
# process needs calls of the kernel's own.
expect "hold" client hold mib=440
within "objects that are held" "$(result objects)" 500000 1000000
expect "begin" client gap what=begin
read_verdict
gaps what=end
same "the walker in slices finds no error" "$verdict" ok
expect "release" client release

# First, while there is a row of so many free pages.
gaps what=large mb=64
gaps what=objects mb=256
gaps what=live mb=128
gaps what=cleanups mb=8

# With PREEMPT_RT a thread is waited for as well. To wake it takes some thousand instructions of the
# kernel's. The pages of a large object get their owner with preemption off, 7 instructions for each:
# little for 4 MiB, and the most for 64 MiB, the largest object there is.
if uname -v | grep -q PREEMPT_RT; then
	bound=$most most=130000
	gaps what=large mb=64 preempt=1
	most=$bound
	gaps what=large mb=4 preempt=1
	gaps what=objects mb=256 preempt=1
	gaps what=live mb=128 preempt=1
	gaps what=cleanups mb=8 preempt=1
else
	skip "preemption: no PREEMPT_RT"
fi
finish
