#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel profile of pages and of per-CPU memory. At a rate of 1 it agrees with what a client
# allocates and frees, to the page, and says for whom pages are. Nothing of it is left when it is
# off.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

# At a rate of 1 each page has an entry, also those of the shell.
unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=262144 || skip_all "no memory"
load quarry_client
PAGES=$QUARRY/kernel/pages
PERCPU=$QUARRY/kernel/percpu

# bytes DIR FUNCTION [USER]: live bytes of the stacks with FUNCTION, of all users or of one.
bytes()
{
	awk -v wanted=";$2;" -v user="[${3:-}" '
		index($0, wanted) && index($0, user) { n += $NF }
		END { printf "%.0f\n", n }' "$1/heap.folded"
}

# All CPUs that the machine may have.
cpus_possible()
{
	awk -F- '{ print $NF + 1 }' /sys/devices/system/cpu/possible
}

# Caches and slabs of the client are there before.
for way in single bulk list slabs area quarry percpu; do
	client pages way=$way n=31
	client unpages way=$way
done
for dir in "$PAGES" "$PERCPU"; do
	switch_once "$dir"
done
before=$(stat metadata_bytes)
for dir in "$PAGES" "$PERCPU"; do
	echo 1 >"$dir/rate"
	expect "${dir##*/} is switched on" sh -c "echo 1 >$dir/enable"
done
# On PREEMPT_RT no memory can be taken for the kernel's table of stacks at the time of a sample. So now
# and then a new stack waits for it, and its first sample is in the row "(other)".
for way in single bulk list slabs area quarry percpu; do
	client pages way=$way n=31
	client unpages way=$way
done

# --- Pages -------------------------------------------------------------------------

n=310
for order in 0 1 3; do
	client pages way=single n=$n order=$order || fail "single"
	same "order $order: bytes" "$(bytes "$PAGES" pages_single other)" $((n * (4096 << order)))
	client unpages way=single || fail "single"
	same "order $order: freed" "$(bytes "$PAGES" pages_single)" 0
done
for way in bulk list; do
	client pages way=$way n=$n || fail "$way"
	got=$(result pages)
	within "$way: pages" "$got" 31 $n
	same "$way: live bytes" "$(bytes "$PAGES" pages_$way other)" $((got * 4096))
	client unpages way=$way || fail "$way"
	same "$way: freed" "$(bytes "$PAGES" pages_$way)" 0
done
# In a softirq, and on two CPUs at the same time; each CPU then frees what the other one has.
contexts=softirq:$n
[ "$(cpus_online)" -eq 1 ] || contexts="softirq:$n twocpus:$((2 * n))"
for way in $contexts; do
	got=${way#*:} way=${way%:*}
	client kcontext way="$way" what=pages n=$n || fail "$way"
	same "$way: live bytes" "$(bytes "$PAGES" "${way}_page" other)" $((got * 4096))
	client unkcontext way="$way" what=pages || fail "$way"
	same "$way: freed" "$(bytes "$PAGES" "${way}_page")" 0
done
client pages way=area n=100 order=2 || fail "area"
# Page tables of the kernel may come with them, and stay; so may a sanitizer's shadow.
spare=$(choose 16384 1048576)
within "pages for vmalloc()" "$(bytes "$PAGES" pages_area vmalloc)" $((100 * 4 * 4096)) \
	$((100 * 4 * 4096 + spare))
client unpages way=area
within "the same, freed" "$(bytes "$PAGES" pages_area vmalloc)" 0 "$spare"
# Slabs and chunks have more pages than are asked for. Slabs that are empty, from tests before, would
# need none.
for file in /sys/kernel/slab/kmalloc-*/shrink; do
	echo 1 >"$file"
done
client pages way=slabs n=$n || fail "slabs"
within "pages for slabs" "$(bytes "$PAGES" pages_slabs slab)" $((n * 4096 / 2)) $((n * 16384))
same "the same as other" "$(bytes "$PAGES" pages_slabs other)" 0
client pages way=quarry n=2000 order=1 || fail "quarry"
within "pages for Quarry" "$(bytes "$PAGES" pages_quarry quarry)" $((2000 * 4096)) \
	$((2000 * 16384))
same "the same as other" "$(bytes "$PAGES" pages_quarry other)" 0
for file in heap allocs peak lifetime; do
	expect "$file.txt names a function of the client" grep -q pages_quarry "$PAGES/$file.txt"
done
client unpages way=slabs
client unpages way=quarry

# --- Per-CPU memory ---------------------------------------------------------------------

client pages way=percpu n=100 || fail "percpu"
same "per-CPU: bytes" "$(bytes "$PERCPU" pages_percpu)" $((100 * 264 * $(cpus_possible)))
client unpages way=percpu
same "per-CPU: freed" "$(bytes "$PERCPU" pages_percpu)" 0

# --- Off -----------------------------------------------------------------------------------

for dir in "$PAGES" "$PERCPU"; do
	note "${dir##*/}: $(xargs <"$dir/stats")"
	for name in missed_frees missed_calls dropped_samples; do
		same "${dir##*/}: $name" "$(value "$dir/stats" $name)" 0
	done
	echo 0 >"$dir/enable"
	same "${dir##*/} is off" "$(cat "$dir/enable")" 0
done
within "metadata_bytes more than before, KiB; label sets stay" \
	$((($(stat metadata_bytes) - before) / 1024)) -100 1100
expect "the walker finds no error" validate
unload quarry_client quarry
expect "all of them from the beginning" insmod "$MODULES/quarry.ko" kernel=slab,pages,percpu
for domain in slab pages percpu; do
	same "$domain is on" "$(cat "$QUARRY/kernel/$domain/enable")" 1
done
find /proc/self >/dev/null 2>&1
unload quarry
finish
