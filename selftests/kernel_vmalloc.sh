#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel profile of areas of vmalloc(). At a rate of 1 it agrees with what a client asks for and
# with /proc/vmallocinfo, to the byte, and says what areas are for. Nothing of it is left when it is
# off.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

load_anew quarry_client
VMALLOC=$QUARRY/kernel/vmalloc
PERCPU=$QUARRY/kernel/percpu

# bytes FUNCTION [USER]: live bytes of the areas that FUNCTION asked for, of all users or of one.
bytes()
{
	awk -v leaf=";$1;[${2:-}" '
		index($0, leaf) { n += $NF }
		END { printf "%.0f\n", n }' "$VMALLOC/heap.folded"
}

# all_bytes USER
all_bytes()
{
	awk -v user=";[$1] " '
		index($0, user) { n += $NF }
		END { printf "%.0f\n", n }' "$VMALLOC/heap.folded"
}

# one_reading FUNCTION: the same as bytes, from the kernel. It counts a guard page with each.
one_reading()
{
	awk -v function_name="$1" '
		index($3, function_name "+") == 1 { n += $2 - 4096 }
		END { printf "%.0f\n", n }' /proc/vmallocinfo
}

# in_vmallocinfo FUNCTION: what two readings agree on. The kernel gives the file in pieces, and where an
# area comes or goes between two of them, such as a thread's stack, another one is missing or there
# twice.
in_vmallocinfo()
{
	now=$(one_reading "$1")
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		last=$now
		now=$(one_reading "$1")
		[ "$now" != "$last" ] || break
	done
	echo "$now"
}

# eventually TEXT LOW HIGH COMMAND...: the command prints a number of that range within half a
# minute.
eventually()
{
	text=$1 low=$2 high=$3
	shift 3
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		number_now=$("$@")
		[ "$number_now" -lt "$low" ] || [ "$number_now" -gt "$high" ] || break
		sleep 3
	done
	within "$text" "$number_now" "$low" "$high"
}

# Sets used to VmallocUsed in KiB. The shell reads it itself: a process would have a stack.
read_used()
{
	while read -r name value _; do
		[ "$name" != VmallocUsed: ] || used=$value
	done </proc/meminfo
}

for dir in "$VMALLOC" "$PERCPU"; do
	switch_once "$dir"
done
before=$(stat metadata_bytes)
echo 1 >"$VMALLOC/rate"
expect "it is switched on" sh -c "echo 1 >$VMALLOC/enable"

# --- Areas of a client ---------------------------------------------------------------

n=100
for order in 0 2 5; do
	client areas way=vmalloc n=$n order=$order || fail "vmalloc"
	same "vmalloc() of order $order: bytes" "$(bytes areas_vmalloc vmalloc)" \
		$((n * (4096 << order)))
	same "the same in vmallocinfo" "$(in_vmallocinfo areas_vmalloc)" $((n * (4096 << order)))
	client unareas way=vmalloc
	same "freed" "$(bytes areas_vmalloc)" 0
done
client areas way=huge n=3 order=1 || fail "vmalloc_huge"
# The array of its pages takes 8 KiB, and is an area of the same caller.
huge=$(bytes areas_huge vmalloc)
within "vmalloc_huge(): bytes" "$huge" $((3 * (2097152 + 8192 + 8192))) \
	$((3 * (2 * 2097152 + 8192)))
same "the same in vmallocinfo" "$huge" "$(in_vmallocinfo areas_huge)"
client unareas way=huge
same "freed" "$(bytes areas_huge)" 0
for way in vmap ioremap; do
	client areas way=$way n=$n order=1 || fail "$way"
	same "$way(): bytes" "$(bytes areas_$way $way)" $((n * 8192))
	same "the same in vmallocinfo" "$(in_vmallocinfo areas_$way)" $((n * 8192))
	client unareas way=$way
	same "freed" "$(bytes areas_$way)" 0
done
client areas way=vmalloc n=$n order=1 || fail "vmalloc"
client unareas way=vmalloc how=hardirq
eventually "freed in interrupts" 0 0 bytes areas_vmalloc

# Stacks of threads come and go meanwhile.
read_used
start=$used
client pages way=area n=$n order=4 || fail "area"
read_used
got=$(bytes pages_area vmalloc)
same "64 KiB each: bytes" "$got" $((n * 65536))
within "VmallocUsed grew by, KiB" $((used - start)) $((got / 1024 - 256)) $((got / 1024 + 256))
client unpages way=area
same "freed" "$(bytes pages_area)" 0

# --- Other users ----------------------------------------------------------------------

if has_kasan; then
	skip "areas of a module, which have a shadow"
	skip "areas of a module after it was unloaded"
	skip "stacks of threads, which are not areas"
	skip "stacks of threads that ended"
else
	of_modules=$(all_bytes module)
	load quarry_client_tiny
	size=$(awk '$1 == "quarry_client_tiny" { print $2 }' /proc/modules)
	# What a module has for its init function is freed later.
	eventually "areas of modules with one of $size bytes" $((of_modules + size)) \
		$((of_modules + size)) all_bytes module
	unload quarry_client_tiny
	eventually "areas of modules after it was unloaded" "$of_modules" "$of_modules" all_bytes module

	# Each CPU keeps two stacks for the next threads. Processes of this test come and go.
	spare=$((4 * $(cpus_online) * 16384))
	stacks=$(all_bytes stack)
	sleepers=
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		sleep 1000 &
		sleepers="$sleepers $!"
	done
	within "stacks of 20 threads" $(($(all_bytes stack) - stacks)) $((20 * 16384 - spare)) \
		$((20 * 16384 + spare))
	# shellcheck disable=SC2086 # numbers are words
	kill $sleepers
	# shellcheck disable=SC2086
	wait $sleepers 2>/dev/null
	eventually "stacks of threads that ended" 0 $((stacks + spare)) all_bytes stack
fi

# Reading a profile takes memory too, more or less of it with the number of rows.
own=$(all_bytes quarry)
echo 1 >"$PERCPU/enable"
tables=$(value "$PERCPU/stats" memory_bytes)
within "tables of another domain" $(($(all_bytes quarry) - own)) $((tables - 65536)) \
	$((tables + 65536))
echo 0 >"$PERCPU/enable"
within "the same, freed" $(($(all_bytes quarry) - own)) -65536 65536

# This is more than ever before, so it is in the profile of the peak.
client areas way=vmalloc n=200 order=5 || fail "vmalloc"
for file in heap allocs peak lifetime; do
	expect "$file.txt names a function of the client" grep -q areas_vmalloc "$VMALLOC/$file.txt"
done
client unareas way=vmalloc

# --- Off ------------------------------------------------------------------------------

note "$(xargs <"$VMALLOC/stats")"
for name in missed_frees missed_calls dropped_samples; do
	same "$name" "$(value "$VMALLOC/stats" $name)" 0
done
echo 0 >"$VMALLOC/enable"
same "it is off" "$(cat "$VMALLOC/enable")" 0
within "metadata_bytes more than before, KiB; label sets stay" \
	$((($(stat metadata_bytes) - before) / 1024)) -100 1100
expect "the walker finds no error" validate
unload quarry_client quarry
expect "on from the beginning" insmod "$MODULES/quarry.ko" kernel=slab,pages,percpu,vmalloc
same "the same" "$(cat "$VMALLOC/enable")" 1
unload quarry
finish
