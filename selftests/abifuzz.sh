#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Whatever programs do with /dev/quarry and the files in debugfs, the module goes on: the walker finds no
# error, no memory stays, and only root opens anything. See abifuzz.c.
#
# QUARRY_SECONDS: how long (default 120, in a short run 10). QUARRY_SEED: which calls.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

seconds=${QUARRY_SECONDS:-$(choose 120 120 10)}
seed=${QUARRY_SEED:-$(date +%s)}
note "seed $seed"

# restore: what the calls may have switched, back to what it was.
restore()
{
	for file in "$QUARRY"/control/soft_limit "$QUARRY"/control/hard_limit; do
		echo max >"$file" || fail "$file"
	done
	for file in "$QUARRY"/caches/*/limit; do
		echo "soft max" >"$file" && echo "hard max" >"$file"
	done
	for file in "$QUARRY"/caches/*/check; do
		echo none >"$file" 2>/dev/null
	done
	for file in "$QUARRY"/caches/*/profile/rate; do
		echo inherit >"$file" 2>/dev/null
	done
	for file in "$QUARRY"/kernel/*/enable; do
		echo 0 >"$file"
	done
	echo default >"$QUARRY/profile/rate"
	echo 1 >"$QUARRY/control/drain"
}

client hold mib=4
client stress "seconds=$seconds" threads=2 "seed=$seed" &
stress=$!
./abifuzz "$seconds" "$seed" >"$TMP/out"
same "all processes come to their end" $? 0
sed 's/^/# /' "$TMP/out"
# A limit or a shortage of memory may end the load early; what it has must be right in any case.
wait $stress
restore 2>"$TMP/errors"
while read -r name _ _ _ good _ refused _ opened; do
	within "$name: calls that were done" "${good%,}" 100 1000000000
	within "$name: calls that were refused" "${refused%,}" 100 1000000000
	case $name in
	root* | no_capabilities) within "$name: files opened" "$opened" 100 1000000000 ;;
	*) same "$name: files opened" "$opened" 0 ;;
	esac
done <"$TMP/out"
same "processes" "$(wc -l <"$TMP/out")" $((4 + $(find /proc/self/ns -name user | wc -l)))
client release
same "live objects" "$(stat live_objects)" 0
expect "the walker finds no error" validate
expect "the equations hold" balanced
same "misuse" "$(awk '/^misuse_/ { n += $2 } END { print n + 0 }' "$QUARRY/stats")" 0
unload quarry_client quarry
expect "both modules unload" test ! -d "$QUARRY"
finish
