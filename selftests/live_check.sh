#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A cache's file "check": what it takes, and many switches of every cache under load, after which no
# object is lost and nothing is left of the checks.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

FILE=$QUARRY/caches/malloc-64/check

# --- The file -------------------------------------------------------------------

same "at first" "$(cat "$FILE")" none
echo sane >"$FILE" || fail "sane"
same "switched on" "$(cat "$FILE")" sane
for text in on sanest "sane none" "none none" "sane,poison" 1; do
	(echo "$text" >"$FILE") 2>"$TMP/error" && fail "\"$text\" is taken"
	expect "\"$text\": the error" grep -q 'Invalid argument' "$TMP/error"
done
expect "the log says what is wrong" sh -c "dmesg | grep -q 'check: \"sanest\" is not \"sane\"'"
same "and nothing has changed" "$(cat "$FILE")" sane
echo none >"$FILE.write" || fail "none"
same "switched off" "$(cat "$FILE")" none
echo "stacks redzone" >"$FILE" || fail "stacks redzone"
same "two of them" "$(cat "$FILE")" "redzone stacks"
echo none >"$FILE" || fail "none again"

# --- Under load -----------------------------------------------------------------

# set_checks WORDS PATTERN...: for each of those caches that is there. The caches of the load come and
# go, so a file may be gone, or be another cache's, when it is opened or written to. debugfs says EIO
# of a file that is removed between the two.
set_checks()
{
	words=$1
	shift
	for name; do
		for file in "$QUARRY"/caches/$name/check; do
			{ echo "$words" >"$file"; } 2>"$TMP/error" && continue
			grep 'write error' "$TMP/error" |
				grep -qvE 'No such file|Input/output error' || continue
			note "$file, $words: $(cat "$TMP/error")"
			refused=$((refused + 1))
		done
	done
}

refused=0 turns=0 rounds=0
wanted=$(choose 100 20 20)
while [ "$turns" -lt "$wanted" ] && [ "$rounds" -lt 200 ]; do
	client stress seconds=4 threads=$(($(cpus_online) * 2 + 1)) "seed=$(date +%s)" &
	while kill -0 $! 2>/dev/null; do
		set_checks sane '*'
		# Each of these waits for a grace period.
		set_checks "redzone poison" malloc-64 malloc-256 'client_[!c]*'
		set_checks redzone client_ctor # constructed objects cannot be poisoned
		set_checks stacks malloc-64 malloc-1024 'client*'
		set_checks none '*'
		turns=$((turns + 1))
	done
	wait $! || fail "stress, round $rounds"
	same "round $rounds: failed allocations" "$(result failed)" 0
	rounds=$((rounds + 1))
done
within "switches on and off" "$turns" "$wanted" 1000000
same "caches that refused one" "$refused" 0
twins=$(grep -c ':checked' "$QUARRY/caches/table")
waited=0
while [ "$twins" != 0 ] && [ "$waited" -lt 15 ]; do
	sleep 1
	waited=$((waited + 1))
	twins=$(grep -c ':checked' "$QUARRY/caches/table")
done
same "twins that are left" "$twins" 0
same "checks that are left" "$(cat "$QUARRY"/caches/*/check | sort -u)" none
expect "the walker finds no error" validate
expect "the equations hold" balanced
same "misuse" "$(awk '/^misuse_/ { n += $2 } END { print n + 0 }' "$QUARRY/stats")" 0
finish
