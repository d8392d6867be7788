#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A site that loses one object of a thousand, in a kernel that works on files, sockets and processes
# beside it, is the first line of the delta of the kernel profile.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

unload wordindex quarry_client quarry
expect "kernel=slab" insmod "$MODULES/quarry.ko" kernel=slab
load quarry_client
SLAB=$QUARRY/kernel/slab
mkdir "$TMP/files"
same "the default rate" "$(cat "$SLAB/rate")" 524288

# The first rounds fill the kernel's own caches.
./kernload 200 "$TMP/files" || fail "kernload"
while :; do
	./kernload 50 "$TMP/files"
done >/dev/null 2>&1 &
load=$!
exec 5<>"$SLAB/top"
echo reset >&5
client kleak n=10000000 every=1000 size=1024 || fail "kleak"
cat <&5 >"$TMP/delta"
exec 5>&-
kill $load
wait $load 2>/dev/null
head -n 4 "$TMP/delta" | cut -c 1-180 | sed 's/^/# /'
expect "the first line of the delta is the leak" sh -c "
	grep -v '^#' '$TMP/delta' | head -n 1 | grep -q kleak_busy"
# 10,000 objects, of which one in 512 has a sample.
within "its growth in KiB" "$(awk '
	!/^#/ && /kleak_busy/ { n += $1 } END { printf "%.0f", n / 1024 }' "$TMP/delta")" 3000 20000
client unkleak
for name in missed_frees missed_calls dropped_samples; do
	same "$name" "$(value "$SLAB/stats" $name)" 0
done
unload quarry_client quarry
finish
