#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The estimates of the kernel profile are right on average, too: the stream of unbiased.sh, from
# the kernel's own slab allocator.
#
# QUARRY_RUNS: runs in a set (at least 30, the default)

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=unbiased_runs.sh
. ./unbiased_runs.sh
# There ksize() is not what an object takes in its slab.
! is_slow || skip_all "the debug kernel adds bytes to objects"
load_anew quarry_client

STREAM=kstream PROFILE=$QUARRY/kernel/slab
echo 1 >"$PROFILE/enable"
unbiased "4K" 4096
unbiased "64K" 65536
unbiased "512K" 524288
unbiased "64K, then 4K" 65536 4096
unbiased_as_a_whole

for name in missed_frees missed_calls dropped_samples; do
	same "$name" "$(value "$PROFILE/stats" $name)" 0
done
unload quarry_client quarry
finish
