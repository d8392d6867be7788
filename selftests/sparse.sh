#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Of a heap, only a few random objects are left, and both allocators give back the memory that
# they can. Then Quarry holds exactly the pages on which an object lies, and so no more than the
# kernel's allocator, which gives back whole slabs only.
#
# QUARRY_SPARSE_BYTES: bytes of objects on each side

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

bytes=${QUARRY_SPARSE_BYTES:-$(choose 8388608 2097152)}
page=$(page_bytes)

# Pages of all slabs of the client's caches.
held_pages()
{
	cat "$QUARRY"/caches/sparse-*/stats |
		awk -v page="$page" '$1 == "inuse_bytes" { n += $2 } END { print n / page }'
}

# with_chance PAGES: the most pages that Quarry may hold if SLUB holds PAGES. Chance decides
# which pages are held, so the standard deviation of their number is at most its root; two of
# them are allowed.
with_chance()
{
	root=0
	while [ $((root * root)) -lt "$1" ]; do
		root=$((root + 1))
	done
	echo $(($1 + 2 * root))
}

# compare SIZE TEXT: run the trace with objects of SIZE bytes; 0 is a mix of sizes.
compare()
{
	size=$1 what=$2
	client sparse "size=$size" "bytes=$bytes" || fail "$what: sparse"
	full=$(held_pages) slub_full=$(result slub_pages) before=$(stat trimmed_bytes)
	for permille in 300 100 10; do
		client thin "permille=$permille" || fail "$what: thin"
		held=$(held_pages) slub=$(result slub_pages) exact=$(result quarry_pages)
		note "$what: $full pages, $held when $permille of 1000 objects are left;" \
			"the kernel's $slub_full and $slub"
		same "$what, $permille left: pages under objects" "$held" "$exact"
		# SLUB's slabs of small objects are single pages, too, so both should hold as
		# many. But Quarry's sampled objects have slabs of their own, so the objects are
		# spread over pages in another way.
		limit=$slub
		[ "$size" -ge $((page / 8)) ] || [ "$size" = 0 ] || limit=$(with_chance "$slub")
		within "$what, $permille left: pages, and the kernel's $slub" "$held" 1 "$limit"
	done
	[ "$held" = "$full" ] || within "$what: bytes that left slabs" \
		$(($(stat trimmed_bytes) - before)) 0 $(((full - held) * page))
	expect "$what: the walker finds no error" validate
	expect "$what: the equations hold" balanced
	client unsparse || fail "$what: unsparse"
}

for size in 64 128 256 512 1000 1024 2048 4096 5000 8192; do
	compare $size "$size bytes"
done
compare 0 "a mix"

# The table of slabs shows the pages that left each slab.
client sparse size=1024 "bytes=$bytes" || fail "sparse"
slab_pages=$(cache_stat sparse-1024 slab_pages)
client thin permille=100 || fail "thin"
awk -v most="$slab_pages" '
/^#/ {
	for (i = 1; i <= NF; i++)
		column[$i] = i
	next
}
{
	pages += $column["pages"]
	gone += $column["gone"]
	used += $column["used"]
	# The first slabs of sampled objects are short.
	wrong += $column["pages"] + $column["gone"] > most || $column["pages"] < 1
}
END { printf "pages %d\ngone %d\nused %d\nwrong %d\n", pages, gone, used, wrong }' \
	"$QUARRY/caches/sparse-1024/slabs" >"$TMP/slabs"
same "the table of slabs: pages" "$(value "$TMP/slabs" pages)" "$(held_pages)"
same "the table of slabs: objects" "$(value "$TMP/slabs" used)" "$(result objects)"
same "the table of slabs: lines that cannot be" "$(value "$TMP/slabs" wrong)" 0
within "the table of slabs: pages that left" "$(value "$TMP/slabs" gone)" 1 \
	$((bytes / page))
client unsparse || fail "unsparse"
drain
same "live objects" "$(stat live_objects)" 0
same "inuse_bytes" "$(stat inuse_bytes)" 0
expect "the walker finds no error" validate
finish
