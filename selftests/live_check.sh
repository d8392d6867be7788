#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A cache's file "check": what it takes, and many switches of every cache under load, after which no
# object is lost and nothing is left of the check.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

FILE=$QUARRY/caches/malloc-64/check

# --- The file -------------------------------------------------------------------

same "at first" "$(cat "$FILE")" none
echo sane >"$FILE" || fail "sane"
same "switched on" "$(cat "$FILE")" sane
for text in on sanest "sane none" 1; do
	(echo "$text" >"$FILE") 2>"$TMP/error" && fail "\"$text\" is taken"
	expect "\"$text\": the error" grep -q 'Invalid argument' "$TMP/error"
done
expect "the log says what is wrong" sh -c "dmesg | grep -q 'check: \"sanest\" is not \"sane\"'"
same "and nothing has changed" "$(cat "$FILE")" sane
echo none >"$FILE.write" || fail "none"
same "switched off" "$(cat "$FILE")" none

# --- Under load -----------------------------------------------------------------

# set_all WORD: for each cache that is there; those of the load come and go.
set_all()
{
	for file in "$QUARRY"/caches/*/check; do
		{ echo "$1" >"$file"; } 2>/dev/null || [ ! -e "$file" ] || refused=$((refused + 1))
	done
}

refused=0 turns=0 rounds=0
wanted=$(choose 100 20 20)
while [ "$turns" -lt "$wanted" ] && [ "$rounds" -lt 30 ]; do
	client stress seconds=4 threads=$(($(cpus_online) * 2 + 1)) "seed=$(date +%s)" &
	while kill -0 $! 2>/dev/null; do
		set_all sane
		set_all none
		turns=$((turns + 1))
	done
	wait $! || fail "stress, round $rounds"
	same "round $rounds: failed allocations" "$(result failed)" 0
	rounds=$((rounds + 1))
done
within "switches on and off" "$turns" "$wanted" 1000000
same "caches that refused one" "$refused" 0
same "checks that are left" "$(cat "$QUARRY"/caches/*/check | sort -u)" none
expect "the walker finds no error" validate
expect "the equations hold" balanced
same "misuse" "$(awk '/^misuse_/ { n += $2 } END { print n + 0 }' "$QUARRY/stats")" 0
finish
