#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The books: every file can be read, the numbers have the names that they should, and the
# equations hold before, while and after memory is held.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

# names TEXT FILE LIST: FILE has the names of LIST, in this order, and a number with each. Of the
# lines for each node and processor the first ones count, and have <n> in place of the number.
names()
{
	sed -nE 's/ .*//; s/^(node|cpu)[0-9]+_/\1<n>_/; p' "$2" | awk '!seen[$1]++' >"$TMP/names"
	grep -v '^#' "$3" >"$TMP/wanted"
	if cmp -s "$TMP/names" "$TMP/wanted"; then
		ok "$1 has the names of $3"
	else
		fail "$1 has other names than $3"
		diff "$TMP/names" "$TMP/wanted" | sed 's/^/# /'
	fi
	# shellcheck disable=SC2016 # for awk
	expect "$1: a number with each name, or max with a limit" \
		awk '$1 ~ /_limit_bytes$/ && $2 == "max" && NF == 2 { next }
			NF != 2 || $2 !~ /^[0-9]+$/ { exit 1 }' "$2"
}

# table TEXT FILE: FILE has a heading, and every line has as many words as the heading.
table()
{
	# shellcheck disable=SC2016 # for awk
	expect "$1: a table" awk '
		NR == 1 { if ($1 !~ /^#/) exit 1; n = NF }
		NF != n { print "# " $0; exit 1 }
		END { if (!NR) exit 1 }' "$2"
}

books()
{
	expect "the equations hold $1" balanced
	expect "the walker finds no error $1" validate
}

books "at first"
names stats "$QUARRY/stats" stats.names
for node in $(memory_nodes); do
	names "node $node's stats" "$QUARRY/nodes/$node/stats" node-stats.names
done
same "control/validate has the names of validate.names" \
	"$(awk '{ print $1 }' "$QUARRY/control/validate" | xargs)" "$(grep -v '^#' validate.names | xargs)"

client hold mib=24 || fail "hold"
held=$(result objects)
bytes=$(result bytes)
cat "$QUARRY/caches/malloc-1024/stats" >"$TMP/stats"
names "a cache's stats" "$TMP/stats" cache-stats.names
same "hits are what did not miss" "$(value "$TMP/stats" alloc_hit_permille)" \
	"$(awk '{ v[$1] = $2 } END { n = v["mallocs"]; print int((n - v["alloc_misses"]) * 1000 / n) }' \
		"$TMP/stats")"
within "allocations that hit, in per mille" "$(value "$TMP/stats" alloc_hit_permille)" 500 999
same "pages of a cache on all nodes are its inuse_bytes" \
	"$(awk '/^node[0-9]+_inuse_bytes/ { n += $2 } END { printf "%.0f", n }' "$TMP/stats")" \
	"$(value "$TMP/stats" inuse_bytes)"
books "while memory is held"
table "classes" "$QUARRY/classes"
for table in table all; do
	file=$TMP/$table
	cat "$QUARRY/caches/$table" >"$file"
	table "caches/$table" "$file"
	# shellcheck disable=SC2016 # for awk
	expect "caches/$table: the cache with most memory first" \
		awk 'NR > 2 && $4 > last { print "# " $0; exit 1 } { last = $4 }' "$file"
	same "live objects in caches/$table and the large ones" \
		"$(awk 'NR > 1 { n += $6 } END { print n }' "$file")" \
		$((held - $(stat large_objects)))
	# shellcheck disable=SC2016 # for awk
	same "waste of malloc-1024 in caches/$table, in per cent" \
		"$(awk '$1 == "malloc-1024" { print $5 }' "$file")" \
		"$(awk '{ v[$1] = $2 } END {
			waste = int((v["inuse_bytes"] - v["live_bytes"]) * 1000 / v["inuse_bytes"])
			printf "%d.%d", waste / 10, waste % 10 }' "$TMP/stats")"
done
same "caches without memory in caches/table" "$(awk 'NR > 1 && !$4' "$TMP/table")" ""
within "lines of caches/table" "$(wc -l <"$TMP/table")" 6 20
same "a line for each cache in caches/all" "$(($(wc -l <"$TMP/all") - 1))" "$(stat caches)"
for table in classes caches/table caches/all; do
	# shellcheck disable=SC2016 # for awk
	same "lines of $table with more than 120 columns" \
		"$(awk 'length($0) > 120' "$QUARRY/$table")" ""
done
table "arenas" "$QUARRY/arenas"
table "a cache's slabs" "$QUARRY/caches/malloc-64/slabs"
for node in $(memory_nodes); do
	table "node $node's chunks" "$QUARRY/nodes/$node/chunks"
done
same "live_objects is what is held" "$(stat live_objects)" "$held"
within "live_bytes over what is held, in per cent" \
	$(($(stat live_bytes) * 100 / bytes)) 100 125
within "inuse_bytes over live_bytes, in per cent" \
	$(($(stat inuse_bytes) * 100 / $(stat live_bytes))) 100 130
same "pages of all nodes are inuse_bytes" \
	"$(cat "$QUARRY"/nodes/*/stats | awk '$1 == "inuse_bytes" { n += $2 } END { printf "%.0f", n }')" \
	"$(stat inuse_bytes)"
same "live objects by the walker" "$(value "$QUARRY/control/validate" live)" \
	$((held - $(stat large_objects)))

client release || fail "release"
books "after the release"
same "live_objects" "$(stat live_objects)" 0
drain
books "after a drain"
same "cached_objects after a drain" "$(stat cached_objects)" 0
same "slabs after a drain" "$(stat slabs)" 0
same "inuse_bytes after a drain" "$(stat inuse_bytes)" 0
same "lines of caches/table after a drain: the heading" "$(wc -l <"$QUARRY/caches/table")" 1

# Read every file there is, so that a new one is not forgotten. One cat reads them all, because a
# process for each would take a minute. It goes on after an error, and names the file.
find "$QUARRY" -type f >"$TMP/files"
xargs cat <"$TMP/files" 2>"$TMP/unreadable" >/dev/null || echo "cat fails" >>"$TMP/unreadable"
same "files that do not read" "$(cat "$TMP/unreadable")" ""
within "files" "$(wc -l <"$TMP/files")" 1000 2000
same "files that others may open" "$(find "$QUARRY" -type f -perm +077)" ""
for file in stats classes caches/table caches/all control/drain control/validate; do
	expect "$file is there" test -f "$QUARRY/$file"
done
finish
