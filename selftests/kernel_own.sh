#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The profiler does not see itself. With two domains on, a sample of one may make the kernel's stack
# depot allocate pages for a new call stack; the other domain has no row of these.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=262144 || skip_all "no memory"
load quarry_client
SLAB=$QUARRY/kernel/slab
PAGES=$QUARRY/kernel/pages
DEPOT=$DEBUGFS/stackdepot/stats # from 6.8 on
n=$(choose 8000 1000 4000)

pools()
{
	awk '$1 == "pools:" { print $2 }' "$DEPOT"
}

# rows_with PATTERN: rows of pages, ever, that have a function of that name in their call stack.
rows_with()
{
	awk -v wanted="$1" '
		/^# site / { seen = 0 }
		/^#\t/ && $3 ~ wanted && !seen { seen = 1; n++ }
		END { print n + 0 }' "$TMP/pages"
}

for dir in "$PAGES" "$SLAB"; do
	echo 1 >"$dir/rate"
	echo 1 >"$dir/enable" || fail "${dir##*/} is switched on"
done
[ ! -r "$DEPOT" ] || before=$(pools)
expect "$n call stacks" client stacks n="$n" depth=17
client unstacks
same "call stacks in slab" "$(grep -cE "stacks_(zero|one)" "$SLAB/allocs.top")" "$n"
if [ -r "$DEPOT" ]; then
	within "pools that the depot took meanwhile" $(($(pools) - before)) 5 10000
else
	skip "the kernel does not count the depot's pools"
fi
cat "$PAGES/allocs.txt" >"$TMP/pages"
within "rows of pages" "$(grep -c '^# site ' "$TMP/pages")" 10 1000000
within "rows of pages for slabs" "$(rows_with "allocate_slab|new_slab|alloc_slab_page")" 1 1000000
same "rows of pages under a probe of Quarry's" "$(rows_with '^qr_domain_drawn')" 0
if has_kasan; then
	skip "the sanitizer has stacks of its own in the depot"
else
	same "rows of pages for the depot" "$(rows_with depot)" 0
fi
for dir in "$PAGES" "$SLAB"; do
	note "${dir##*/}: $(xargs <"$dir/stats")"
	same "${dir##*/}: dropped samples" "$(value "$dir/stats" dropped_samples)" 0
	echo 0 >"$dir/enable"
done
expect "the walker finds no error" validate
unload quarry_client quarry
finish
