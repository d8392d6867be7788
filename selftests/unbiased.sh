#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Estimates are right on average. A stream of allocations that is known exactly runs many times,
# at several rates, and with rates that change on the way. See unbiased_runs.sh.
#
# QUARRY_RUNS: runs in a set (at least 30, the default)

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=unbiased_runs.sh
. ./unbiased_runs.sh
load_anew quarry_client

STREAM=stream PROFILE=$QUARRY/profile
unbiased "4K" 4096
unbiased "64K" 65536
is_slow || unbiased "512K" 524288
unbiased "64K, then 4K" 65536 4096
if ! is_slow; then
	unbiased "4K, then 512K" 4096 524288
	# Each new rate starts the countdown anew. No bytes may be forgotten or counted twice.
	unbiased "eight rates" 65536 16384 32768 4096 65536 8192 32768 65536
fi

unbiased_as_a_whole

same "live samples" "$(stat live_samples)" 0
same "sampled_live_bytes" "$(stat sampled_live_bytes)" 0
same "dropped samples" "$(stat dropped_samples)" 0
expect "the walker finds no error" validate
expect "the equations hold" balanced
unload quarry_client quarry
finish
