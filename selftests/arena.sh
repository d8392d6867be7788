#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Arenas: the books and the profile have the memory that arenas hold. A release to a mark, a
# reset and a destroy free it. If a client never destroys its arenas, unloading frees it.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

books()
{
	expect "the equations hold $1" balanced
	expect "the walker finds no error $1" validate
}

# column NAME: the sum of this column of the table of arenas.
column()
{
	awk -v name="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
		NR > 1 { sum += $at }
		END { printf "%.0f", sum }' "$QUARRY/arenas"
}

# as_table TEXT: stats has the same numbers as the table.
as_table()
{
	same "$1: arenas" "$(stat arenas)" "$(awk 'END { print NR - 1 }' "$QUARRY/arenas")"
	same "$1: arena_bytes" "$(stat arena_bytes)" "$(column bytes)"
	same "$1: arena_live_bytes" "$(stat arena_live_bytes)" "$(column live_bytes)"
}

mib=$(choose 48 8)
same "arenas at first" "$(stat arenas)" 0
inuse=$(stat inuse_bytes)
client arena "mib=$mib" || fail "arena"
books "while arenas are held"
as_table "held"
same "arenas" "$(stat arenas)" 4
# shellcheck disable=SC2016 # for awk
expect "arenas: a table" awk '
	NR == 1 { if ($1 !~ /^#/) exit 1; n = NF }
	NF != n || (NR > 1 && $1 != "client/arena") { print "# " $0; exit 1 }' "$QUARRY/arenas"
live=$(stat arena_live_bytes)
within "live MiB of arenas" $((live >> 20)) "$mib" $((mib + 1))
# Up to a quarter of a block is lost if the next object does not fit, and the last block of each
# arena is only begun.
within "bytes of arenas over what is live, in per cent" \
	$(($(stat arena_bytes) * 100 / live)) 100 $((115 + 2000 / mib / 4))
same "inuse_bytes more than before" $(($(stat inuse_bytes) - inuse)) "$(stat arena_bytes)"
same "live_objects, of which arenas know nothing" "$(stat live_objects)" 0

client unarena by=mark || fail "unarena by=mark"
books "after a release to a mark"
as_table "released"
within "live bytes that are left, in per cent" $(($(stat arena_live_bytes) * 100 / live)) 49 51
mark
if client unarena by=mark; then
	fail "a mark is good twice"
else
	ok "a mark is good once"
fi
same "each use of one that is not counts" "$(stat misuse_stale_mark)" 4
same "and one is logged" "$(since_mark | grep -c 'quarry: misuse: arena released to a mark')" 1

client unarena by=reset || fail "unarena by=reset"
books "after a reset"
as_table "reset"
same "live bytes after a reset" "$(stat arena_live_bytes)" 0
same "blocks that are kept" "$(column blocks)" 4
within "bytes that are kept" "$(stat arena_bytes)" 4096 $((4 * 262144))
same "the most that there has been" "$(column peak_bytes)" "$live"

client unarena || fail "unarena"
books "after their end"
same "arenas after their end" "$(stat arenas) $(stat arena_bytes)" "0 0"
same "inuse_bytes after their end" "$(stat inuse_bytes)" "$inuse"

# The profile names the owner of the memory. At a rate of 1 its numbers are exact.
echo 1 >"$QUARRY/profile/rate"
client arena mib=2 || fail "arena at a rate of 1"
same "live bytes by the profile" "$(stat sampled_live_bytes)" "$(stat live_bytes)"
expect "the profile has the caller and the arena" \
	grep -q ' client/arena .* arena_object' "$QUARRY/profile/top"
sed -n 1,6p "$QUARRY/profile/top" | sed 's/^/# /'
same "live objects of arenas in the heap dump" \
	"$(grep -c '^[0-9a-f]\{16\} .*client/arena' "$QUARRY/heapdump")" "$(result objects)"
client unarena by=reset || fail "unarena by=reset at a rate of 1"
same "live samples after a reset" "$(stat live_samples)" 0
echo default >"$QUARRY/profile/rate"

# Arenas that are never destroyed.
client arena mib=8 || fail "arena"
mark
unload quarry_client quarry
expect "both modules unload" test ! -d "$QUARRY"
same "lines about arenas that were lost" \
	"$(since_mark | grep -c 'quarry: arena client/arena: never destroyed, [0-9]* bytes')" 4
same "lines about memory that was kept" "$(since_mark | grep -c 'quarry: unloaded with')" 0
finish
