#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel profile of the slab allocator. At a rate of 1 it agrees with what a client allocates
# and frees, to the object, in whichever way, and with what the kernel counts. Once it is off,
# nothing of it is left.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

# At a rate of 1 each live object has an entry, also those of the shell.
unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=262144 || skip_all "no memory"
load quarry_client
SLAB=$QUARRY/kernel/slab

slab_stat()
{
	value "$SLAB/stats" "$1"
}

# row_in FUNCTION COLUMN: the sum of a column of a table over the lines whose leaf is FUNCTION.
row_in()
{
	awk -v wanted="$1" -v column="$2" '
		NR == 1 { sub(/^#/, ""); for (i = 1; i <= NF; i++) at[$i] = i; next }
		!/^#/ {
			leaf = $at["path"]
			sub(/[+].*/, "", leaf)
			if (leaf == wanted)
				n += $at[column]
		}
		END { print n + 0 }'
}

row()
{
	row_in "$1" "$2" <"$SLAB/top"
}

# cache_row COLUMN: the same for all lines of the client's cache.
cache_row()
{
	awk -v column="$1" '
		NR == 1 { sub(/^#/, ""); for (i = 1; i <= NF; i++) at[$i] = i; next }
		$at["cache"] == "quarry_kernel_test" { n += $at[column] }
		END { print n + 0 }' "$SLAB/top"
}

# eventually TEXT WANTED COMMAND...: the command prints WANTED within half a minute.
eventually()
{
	text=$1 wanted=$2
	shift 2
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$("$@")" != "$wanted" ] || break
		sleep 3
	done
	same "$text" "$("$@")" "$wanted"
}

# --- Off ----------------------------------------------------------------------

same "off at first" "$(cat "$SLAB/enable")" 0
same "rows while it is off" "$(grep -vc '^#' "$SLAB/top")" 0
same "a rate while it is off" "$(cat "$SLAB/rate")" 524288
sed 's/ .*//' "$SLAB/stats" >"$TMP/names"
grep -v '^#' kernel-stats.names >"$TMP/wanted"
same "kernel/slab/stats has the names of kernel-stats.names" \
	"$(cat "$TMP/names")" "$(cat "$TMP/wanted")"
switch_once "$SLAB"
before=$(stat metadata_bytes)
# refused FILE TEXT WHY: the file does not take the text, and says why in one line of the log.
refused()
{
	mark
	expect "$1 refuses ${2:-nothing}" sh -c "! echo '$2' >$SLAB/$1" 2>/dev/null
	since_mark >"$TMP/log"
	same "$1, $2: lines of the log" "$(grep -c "kernel/slab/$1" "$TMP/log")" 1
	expect "$1, $2: the log says why" grep -qF "quarry: quarry/kernel/slab/$1: $3" "$TMP/log"
}

for text in 2 yes-please 1x -1 ''; do
	refused enable "$text" "\"$text\" is not 0 or 1"
done
for text in 0 2 now; do
	refused reset "$text" "\"$text\" is not 1"
done
refused enable "11111111111111111111111111111111111" \
	"36 bytes, too many or with a zero among them, are not 0 or 1"
refused rate often '"often" is no number of bytes, "off" or "default"'
same "still off" "$(cat "$SLAB/enable")" 0
same "no reset" "$(cat "$SLAB/reset")" 0

# --- Truth --------------------------------------------------------------------

# The client makes its cache first, so that the kernel's own objects for it are older.
client kernel way=single n=1
client unkernel way=single n=1
echo 1 >"$SLAB/rate"
expect "it is switched on" sh -c "echo 1 >$SLAB/enable"
same "on" "$(cat "$SLAB/enable")" 1

if is_rt; then
	for way in single bulk small variable large zeroed; do
		client kernel way=$way n=1000
		client unkernel way=$way
	done
	sleep 1
	echo 1 >"$SLAB/reset"
fi
n=1000
for way in single bulk small variable large zeroed hardirq othercpu; do
	[ $way != hardirq ] && [ $way != othercpu ] || n=100
	client kernel way=$way n=$n || fail "kernel $way"
	same "$way: allocated objects" "$(row kernel_$way alloc_objs)" $n
	same "$way: live objects" "$(row kernel_$way inuse_objs)" $n
done
same "the cache: allocated objects" "$(cache_row alloc_objs)" 2100
same "the cache: live objects" "$(cache_row inuse_objs)" 2100
size=$(cat /sys/kernel/slab/quarry_kernel_test/slab_size)
same "the cache: live bytes" "$(cache_row inuse_bytes)" $((2100 * size))
# The kernel counts the free objects of a CPU's slab as used, until it is asked to shrink.
echo 1 >/sys/kernel/slab/quarry_kernel_test/shrink
same "the cache: objects in /proc/slabinfo" \
	"$(awk '$1 == "quarry_kernel_test" { print $2 }' /proc/slabinfo)" 2100

# In a softirq, and on two CPUs at the same time; each CPU then frees what the other one has.
n=$(choose 500 100)
client kcontext way=softirq n="$n" || fail "kcontext softirq"
same "softirq: allocations in one" "$(result in_softirq)" "$n"
same "softirq: allocated objects" "$(row softirq_object alloc_objs)" "$n"
same "softirq: live objects" "$(row softirq_object inuse_objs)" "$n"
same "softirq: the label context, objects" \
	"$(by_label softirq_object context <"$SLAB/heap.txt")" "softirq $n"
client unkcontext way=softirq || fail "unkcontext softirq"
same "softirq: frees in one" "$(result in_softirq)" "$n"
same "softirq: live objects after the frees" "$(row softirq_object inuse_objs)" 0
if [ "$(cpus_online)" -gt 1 ]; then
	client kcontext way=twocpus n="$n" || fail "kcontext twocpus"
	within "two CPUs: ns in which both allocate" "$(result together_ns)" 1 100000000000
	same "two CPUs: allocated objects" "$(row twocpus_object alloc_objs)" $((2 * n))
	same "two CPUs: live objects" "$(row twocpus_object inuse_objs)" $((2 * n))
	client unkcontext way=twocpus || fail "unkcontext twocpus"
	within "two CPUs: ns in which both free" "$(result together_ns)" 1 100000000000
	same "two CPUs: live objects after the frees" "$(row twocpus_object inuse_objs)" 0
else
	skip "there is one CPU"
fi

client unkernel way=single how=free n=300 || fail "free"
same "single frees: live objects" "$(row kernel_single inuse_objs)" 700
client unkernel way=single how=bulk n=300 || fail "bulk"
same "bulk frees: live objects" "$(row kernel_single inuse_objs)" 400
client unkernel way=single how=hardirq n=100 || fail "hardirq"
same "frees in interrupts: live objects" "$(row kernel_single inuse_objs)" 300
client unkernel way=bulk how=bulk n=1000 || fail "bulk of bulk"
same "bulk frees of bulk allocations" "$(row kernel_bulk inuse_objs)" 0
client unkernel way=small how=bulk n=500 || fail "kfree_bulk"
same "kfree_bulk: live objects" "$(row kernel_small inuse_objs)" 500
client unkernel way=small how=rcu n=400 || fail "kfree_rcu"
eventually "kfree_rcu: live objects" 100 row kernel_small inuse_objs
client unkernel way=variable how=rcu || fail "kfree_rcu"
eventually "kfree_rcu of many sizes: live objects" 0 row kernel_variable inuse_objs
client unkernel way=large || fail "large"
same "large: live objects" "$(row kernel_large inuse_objs)" 0
same "large: allocated objects" "$(row kernel_large alloc_objs)" 1000
client unkernel way=othercpu || fail "othercpu"
same "othercpu: live objects" "$(row kernel_othercpu inuse_objs)" 0
client unkernel way=zeroed || fail "zeroed"
same "zeroed: live objects" "$(row kernel_zeroed inuse_objs)" 0
for file in heap allocs peak lifetime; do
	expect "$file.txt names a function of the client" grep -q kernel_single "$SLAB/$file.txt"
	expect "$file.folded does" grep -q kernel_single "$SLAB/$file.folded"
done
note "$(xargs <"$SLAB/stats")"
same "missed frees" "$(slab_stat missed_frees)" 0
same "missed calls" "$(slab_stat missed_calls)" 0
same "dropped samples" "$(slab_stat dropped_samples)" 0
same "live samples are the used entries" "$(awk '{ v[$1] = $2 }
	END { print v["live_samples"] - v["table_samples"] }' "$SLAB/stats")" 0

# --- Deltas, resets -------------------------------------------------------------

exec 5<>"$SLAB/top"
echo reset >&5
client kernel way=small n=50 || fail "more"
same "a delta: growth" "$(row_in kernel_small growth_objs <&5)" 50
exec 5>&-
echo 1 >"$SLAB/reset"
same "after a reset: allocated objects" "$(row kernel_small alloc_objs)" 0
same "after a reset: live objects" "$(row kernel_small inuse_objs)" 150

# --- Off again -------------------------------------------------------------------

echo 0 >"$SLAB/enable"
same "off again" "$(cat "$SLAB/enable")" 0
same "rows" "$(grep -vc '^#' "$SLAB/top")" 0
client unkernel way=single
client unkernel way=bulk
client unkernel way=small
client unkernel way=hardirq destroy=1
within "metadata_bytes more than before, KiB; label sets stay" \
	$((($(stat metadata_bytes) - before) / 1024)) 0 1100
expect "the walker finds no error" validate

# --- From the beginning ---------------------------------------------------------

unload quarry_client quarry
expect "an unknown allocator is refused" sh -c "! insmod $MODULES/quarry.ko kernel=heap" 2>/dev/null
expect "kernel=slab" insmod "$MODULES/quarry.ko" kernel=slab
same "on from the beginning" "$(cat "$SLAB/enable")" 1
same "memory of the tables" "$(slab_stat table_max_samples)" 65536
expect "unload while it is on" rmmod quarry
expect "it loads with a small table" insmod "$MODULES/quarry.ko" kernel=slab kernel_samples=1024
echo 1 >"$SLAB/rate"
find /sys/kernel /proc/self >/dev/null 2>&1
within "live samples in a small table" "$(slab_stat table_samples)" 900 1024
within "samples that were dropped" "$(slab_stat dropped_samples)" 1 1000000000
unload quarry
finish
