#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# control/findleaks: of many objects that something points to, and some that nothing does, it names
# these and hardly any other.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

FILE=$QUARRY/control/findleaks
objects=$(choose 1000000 100000 100000)
lost=$(choose 1000 500 500)
# KASAN keeps freed memory of the kernel, with pointers that were left there. These hide lost objects.
least=$((lost * $(choose 99 50 99) / 100))

# sum COLUMN [PATTERN]: over the lines of the table that match.
sum()
{
	awk -v column="$1" -v pattern="${2:-.}" '
		!/^#/ && $0 ~ pattern { n += $column }
		END { print n + 0 }' "$TMP/found"
}

# cpu_ms: processor time of the kernel so far, all processors, in milliseconds.
cpu_ms()
{
	awk '/^cpu / { print 10 * $4 }' /proc/stat
}

search()
{
	begin=$(cpu_ms)
	cat "$FILE" >"$TMP/found" || fail "$1: the file cannot be read"
	note "$1: $(($(cpu_ms) - begin)) ms of the processors"
	head -n 12 "$TMP/found" | sed 's/^/# /'
}

search "without objects"
within "without objects: lost" "$(sum 1)" 0 10
client lose "objects=$objects" "lost=$lost" || fail "lose"
search "with $objects objects"
within "found of $lost" "$(sum 1 client_lost)" "$least" $((lost + 9))
within "others" "$(sum 1 ' (malloc|large|quarry)')" 0 10

# With stacks and ages.
client unlose || fail "unlose"
echo 1 >"$QUARRY/profile/rate"
client lose "objects=$((objects / 10))" "lost=$lost" || fail "lose"
sleep 2
search "with stacks"
within "with stacks: found of $lost" "$(sum 1 'client_lost.*lose_one')" "$least" "$lost"
within "with stacks: others of the cache" "$(sum 1 'client_lost.*hold_one')" 0 9
within "with stacks: seconds since the oldest was allocated" \
	"$(awk '/client_lost.*lose_one/ { print $3; exit }' "$TMP/found")" 2 600
echo default >"$QUARRY/profile/rate"

# Under load objects move while they are searched for, and new ones get the pointers to old ones.
client unlose || fail "unlose"
client lose "objects=$((objects / 10))" "lost=$lost" push=1 || fail "lose"
client stress seconds=15 threads=3 seed=7 &
sleep 1
search "under load"
within "under load: found of $lost" "$(sum 1 'client_lost')" "$least" $((lost + 9))
within "under load: others" "$(($(sum 1) - $(sum 1 client_lost)))" 0 10
wait $! || fail "stress"
client unlose || fail "unlose"
expect "the walker finds no error" validate
expect "the equations hold" balanced
unload quarry_client quarry
finish
