#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The command "quarry": what it shows is what the module's files have, what it changes is changed,
# and each fault has its sentence and its exit status.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

command -v quarry >/dev/null || skip_all "the command quarry is not here"

# status TEXT WANTED COMMAND...: the exit status; what was printed is in $TMP/out and $TMP/err.
status()
{
	text=$1 wanted=$2
	shift 2
	got=0
	"$@" >"$TMP/out" 2>"$TMP/err" || got=$?
	same "$text: status" "$got" "$wanted"
}

says()
{
	expect "$1: $2" grep -q "$2" "$TMP/err"
}

# json KEY: the value of a member, each of which has a line of its own.
json()
{
	sed -n "s/^ *\"$1\":\"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$TMP/out" | head -n 1
}

# --- Without the module -------------------------------------------------------

unload wordindex quarry_client quarry
status "no module" 3 quarry status
says "no module" 'modprobe quarry'
status "no module, caches" 3 quarry caches
status "no module, doctor" 6 quarry doctor
expect "no module, doctor: what helps" grep -q 'modprobe quarry' "$TMP/out"
status "no command" 2 quarry statsu
status "a wrong option" 2 quarry caches --nothing
status "help" 0 quarry help
status "no such domain" 2 quarry record -o "$TMP/rec" --domain pagse
says "no such domain" 'slab, pages, percpu and vmalloc, not .pagse'
status "not a number" 2 quarry leaks --seconds 5x
says "not a number" 'seconds takes a number from 3 to 604800, not .5x'
status "below the least number" 2 quarry top --batch 1 --lines 0

load_anew quarry_client
client hold mib=4
SLAB=$QUARRY/kernel/slab

# --- What it shows ------------------------------------------------------------

status "status" 0 quarry status
expect "status has a line of memory" grep -q '^Memory ' "$TMP/out"
within "its lines fit 24" "$(wc -l <"$TMP/out")" 8 24
status "status as JSON" 0 quarry status --json
same "the schema" "$(json schema)" 1
same "live_objects" "$(json live_objects)" "$(stat live_objects)"
same "no limit is null" "$(json hard_limit_bytes)" null
same "all names of stats" \
	"$(grep -c . "$QUARRY/stats")" \
	"$(sed -n '/"stats":{/,/}/p' "$TMP/out" | grep -c '":[0-9n]')"

# caches: names, numbers and their order.
status "caches" 0 quarry caches --bytes
awk 'NR > 1 { print $1, $2, $3, $4 }' "$TMP/out" >"$TMP/shown"
awk '!/^#/ { print $1, $2, $3, $4 }' "$QUARRY/caches/table" >"$TMP/table"
same "caches: the lines of the module's table" "$(cat "$TMP/shown")" "$(cat "$TMP/table")"
status "caches by waste" 0 quarry caches --bytes --waste
expect "the most waste comes first" sh -c "awk 'NR > 1 { print \$9 }' '$TMP/out' | sort -c -rn"
status "caches by a pattern" 0 quarry caches --all 'malloc-1*'
# shellcheck disable=SC2016 # for awk
expect "only names that match" awk 'NR > 1 { n++; bad += $1 !~ /^malloc-1/ }
	END { exit bad || !n }' "$TMP/out"
status "no cache matches" 1 quarry caches 'nosuch*'
says "no cache matches" 'nosuch'
status "a wrong key" 2 quarry caches --sort=colour
status "nodes" 0 quarry nodes --json
same "nodes: inuse_bytes of node 0" "$(json inuse_bytes)" \
	"$(value "$QUARRY/nodes/0/stats" inuse_bytes)"
status "pools" 0 quarry pools
status "arenas" 0 quarry arenas

# profile: the same bytes as the module's files.
status "profile as a table" 0 quarry profile
same "profile: the functions of top" \
	"$(grep -v '^#' "$TMP/out" | awk '{ print $NF }' | sort)" \
	"$(grep -v '^#' "$QUARRY/profile/top" | awk '{ print $NF }' | sort)"
status "profile of one cache" 0 quarry profile --cache malloc-64 --folded
status "profile of no cache" 1 quarry profile --cache nosuch
status "profile of a type that is none" 2 quarry profile --type size
status "profile into a file" 0 quarry profile -o "$TMP/a.pb"
status "profile into a compressed file" 0 quarry profile -o "$TMP/a.pb.gz"
expect "which is gzip" sh -c "zcat '$TMP/a.pb.gz' | cmp -s -n 4 - '$TMP/a.pb'"
mknod "$TMP/null" c 1 3
status "profile into a device" 0 quarry profile -o "$TMP/null"
expect "which stays a device" [ -c "$TMP/null" ]
status "profile into a folder that is not there" 1 quarry profile -o "$TMP/no/a.pb"
same "no half file stays" "$(find "$TMP" -name '*.new')" ""
status "profile as a text" 0 quarry profile --text
# Addresses may be hidden, but not how far they are from the beginning of the code. All of them begin
# with ffffffff; without it every shell can compute.
start=$(sed -n 's/^f\{8\}\([0-9a-f]*\)-.*kernel.kallsyms.*/\1/p' "$TMP/out")
sed -n 's/^#\t0xf\{8\}\([0-9a-f]*\) \([a-z_]*\)+\(0x[0-9a-f]*\)[^[]*$/\1 \2 \3/p' \
	"$TMP/out" >"$TMP/calls"
read -r call function offset <"$TMP/calls"
stext=$(sed -n 's/^f\{8\}\([0-9a-f]*\) . _stext$/\1/p' /proc/kallsyms)
address=$(sed -n "s/^f\{8\}\([0-9a-f]*\) . $function\$/\1/p" /proc/kallsyms)
same "$function is as far behind _stext as in the kernel" $((0x$call - offset - 0x$start)) \
	$((0x$address - 0x$stext))
status "a saved profile as folded stacks" 0 quarry profile --input "$TMP/a.pb.gz" --folded
expect "which has functions and a cache" grep -q ';\[.*\] [0-9]*$' "$TMP/out"
status "folded stacks" 0 quarry profile --folded
same "folded stacks: those of the module" \
	"$(sed 's/ [0-9]*$//' "$TMP/out" | sort)" \
	"$(sed 's/ [0-9]*$//' "$QUARRY/profile/heap.folded" | sort)"
status "a saved profile as a table" 2 quarry profile --input "$TMP/a.pb.gz" --top
says "a saved profile as a table" 'for --pb, --folded, --html and --svg'
status "a text as a saved profile" 1 quarry profile --input "$QUARRY/stats" -o "$TMP/b.pb"
says "a text as a saved profile" 'is no profile'
expect "which is not written" test ! -e "$TMP/b.pb"
status "no folder of debug information" 1 quarry profile --debug-dir "$TMP/no" -o "$TMP/b.pb"
says "no folder of debug information" 'No such file'
mkdir "$TMP/empty"
status "no debug information" 0 quarry profile --debug-dir "$TMP/empty" -o "$TMP/b.pb"
says "no debug information" 'no file with a build id of this profile'
same "no debug information: one line" "$(wc -l <"$TMP/err")" 1
expect "the profile is written" test -s "$TMP/b.pb"
status "without lines" 0 quarry profile --no-lines -o "$TMP/b.pb"
status "with and without lines" 2 quarry profile --no-lines --debug-dir "$TMP/empty"
status "profile of the kernel, which is off" 1 quarry profile --domain slab
says "profile of the kernel, which is off" 'quarry kernel on slab'
status "fragmentation of the kernel" 2 quarry profile --domain slab --type fragmentation --cache x
# A dump also lists what waits in magazines, and these give it back with time: so none may wait.
drain
status "dump" 0 quarry dump
same "dump: a line for each live object" "$(grep -vc '^#' "$TMP/out")" "$(stat live_objects)"

# --- What it changes ----------------------------------------------------------

status "a rate" 0 quarry rate 16K
same "the rate" "$(cat "$QUARRY/profile/rate")" 16384
status "no rate" 2 quarry rate fast
same "the rate after a wrong one" "$(cat "$QUARRY/profile/rate")" 16384
status "a soft limit" 0 quarry limit --soft 1G --json
same "soft_limit" "$(cat "$QUARRY/control/soft_limit")" 1073741824
same "the soft limit it shows" "$(json soft_limit_bytes)" 1073741824
status "no limit" 0 quarry limit --soft max
same "soft_limit again" "$(cat "$QUARRY/control/soft_limit")" max
status "a limit of a cache" 0 quarry limit --cache malloc-64 --hard 64M
expect "the limit of the cache" grep -q '^hard  *67108864' "$QUARRY/caches/malloc-64/limit"
quarry limit --cache malloc-64 --hard max >/dev/null
status "drain" 0 quarry drain
status "scavenge" 0 quarry scavenge
same "idle_bytes after it" "$(stat idle_bytes)" 0
status "kernel on" 0 quarry kernel on slab
same "enable" "$(cat "$SLAB/enable")" 1
status "profile of the kernel" 0 quarry profile --domain slab --folded --type allocs
status "kernel as JSON" 0 quarry kernel --json
same "it is on" "$(json state)" on
status "kernel off" 0 quarry kernel off slab
same "enable again" "$(cat "$SLAB/enable")" 0
status "no domain" 2 quarry kernel on quarry
status "no snapshot" 0 quarry oom
expect "no snapshot: says so" grep -q 'has not run out' "$TMP/out"
status "events" 0 sh -c 'quarry rate 1 && quarry events -n 5 --json &
	sleep 1; echo "hold mib=1" >/sys/kernel/debug/quarry_client/run; wait $!'
within "events that came" "$(grep -c '"type":"alloc"' "$TMP/out")" 5 5
quarry rate default >/dev/null
status "doctor" 0 quarry doctor
expect "doctor looks at the books" grep -q 'walker finds no error' "$TMP/out"

# --- leaks --------------------------------------------------------------------

# A site that loses one session of a thousand, a store that fills and is full, and five sites that
# allocate and free.
seconds=$(choose 40 60 20)
quarry rate "$(choose 16K 64K 16K)" >/dev/null
client leak seconds=2 forgetful=1000000 || fail "leak"
echo "leak seconds=$((seconds + 4)) forgetful=$(choose 300 100) store=8000" >"$CLIENT/run" &
load=$!
sleep 1
status "leaks" 6 quarry leaks --seconds "$seconds" --check
wait $load
sed 's/^/# /' "$TMP/out" | cut -c 1-160
same "the first line" "$(awk 'NR == 2 { print $1 }' "$TMP/out")" leak
expect "names the leak" sh -c "sed -n 2p '$TMP/out' | grep -q leak_session"
expect "the store fills, and does not leak" sh -c "grep leak_store '$TMP/out' | grep -q ^fills"
same "nothing else leaks" "$(grep -c '^leak ' "$TMP/out")" 1
status "leaks without one" 0 quarry leaks --seconds 3 --check
client unleak
client release

# --- Not for everybody --------------------------------------------------------

grep -q ^nobody: /etc/passwd 2>/dev/null || echo nobody:x:65534:65534::/:/bin/sh >>/etc/passwd
status "another user" 4 su -s /bin/sh nobody -c '/opt/bin/quarry status'
says "another user" sudo
unload quarry_client quarry
finish
