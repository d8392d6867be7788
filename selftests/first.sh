#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The module that Documentation/usage.rst shows, built from its text there: it loads, works, and
# leaves nothing behind.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
[ -e "$MODULES/first.ko" ] || skip_all "no first.ko: scripts/build builds it"
unload first
load_anew quarry_client
drain
caches=$(stat caches)
mark
load first
same "what it logs" "$(since_mark | sed -n 's/.*first: //p')" "session 1 has a worker"
for cache in sessions workers; do
	expect "its cache $cache is there" test -f "$QUARRY/caches/$cache/stats"
done
expect "its pool is there" grep -q '^workers ' "$QUARRY/pools"
same "the pool keeps the worker" "$(awk '$1 == "workers" { print $12 }' "$QUARRY/pools")" 1
expect "its arena is there" grep -q '^scratch ' "$QUARRY/arenas"
same "sessions that the reserve holds" "$(cache_stat sessions live_objects)" 8
expect "the walker finds no error" validate
unload first
same "caches after it was unloaded" "$(stat caches)" "$caches"
same "objects that it left" "$(stat live_objects)" 0
same "zombies that it left" "$(stat zombie_caches)" 0
expect "the equations hold" balanced
expect "the walker finds no error afterwards" validate
finish
