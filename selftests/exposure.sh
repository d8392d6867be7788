#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Which addresses are shown to whom, by the kernel's rules (kptr_restrict), and what an open
# /dev/quarry that was passed on may still do. lockdown.sh has the rules of a locked kernel.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

KPTR=/proc/sys/kernel/kptr_restrict
kptr=$(cat $KPTR)
PROFILE=$QUARRY/profile

# bare FILE: addresses of the kernel or of its memory in the file, as they are.
bare()
{
	grep -oiE 'ffff[0-9a-f]{12}' "$1" | grep -cviE '^ffffffffffffffff$'
}

# zero FILE: lines that have zeroes where the address belongs.
zero()
{
	grep -c '^0\{16\} ' "$1"
}

rows()
{
	grep -vc '^#' "$1"
}

same "modes other than 0400 and 0200" \
	"$(find "$QUARRY" -type f ! -perm 400 ! -perm 200)" ""
# Every file that can be written has a name that says so, and shows itself beside it.
find "$QUARRY" -type f -perm 200 >"$TMP/controls"
within "files of mode 0200" "$(wc -l <"$TMP/controls")" 20 1000
same "names of files of mode 0200" "$(grep -v '\.write$' "$TMP/controls")" ""
while read -r file; do
	[ -f "${file%.write}" ] || echo "$file"
done <"$TMP/controls" >"$TMP/alone"
same "files that can be written and do not show themselves" "$(cat "$TMP/alone")" ""
for pair in "control/retain_percent 20" "control/soft_limit 1073741824" \
	"control/percpu_cache_kib 2048" "profile/rate 1"; do
	file=${pair% *} value=${pair#* }
	was=$(cat "$QUARRY/$file")
	for name in "$file.write" "$file"; do
		expect "$name takes $value" sh -c "echo $value >$QUARRY/$name"
		same "$file after that" "$(cat "$QUARRY/$file")" "$value"
		echo "$was" >"$QUARRY/$file"
	done
done

# --- Addresses ----------------------------------------------------------------

echo 1 >"$PROFILE/rate"
client hold mib=1 || fail "hold"

show()
{
	cat "$QUARRY/heapdump" >"$TMP/dump"
	cat "$QUARRY/caches/malloc-64/slabs" >"$TMP/slabs"
	cat "$PROFILE/heap.txt" >"$TMP/text"
}

echo 0 >$KPTR
show
same "0, heapdump: addresses" "$(bare "$TMP/dump")" 0
same "0, heapdump: zeroes" "$(zero "$TMP/dump")" 0
within "0, heapdump: hashes that differ, in per mille of its rows" \
	$((1000 * $(grep -v '^#' "$TMP/dump" | cut -d ' ' -f 1 | sort -u | wc -l) / \
		$(rows "$TMP/dump"))) 990 1000
same "0, slabs: addresses" "$(bare "$TMP/slabs")" 0
same "0, slabs: zeroes" "$(zero "$TMP/slabs")" 0
expect "0, heap.txt: the kernel is where it was linked to" \
	grep -qE '^ffffffff81000000-[0-9a-f]+ r-xp \[kernel' "$TMP/text"
expect "0, heap.txt: modules are shown one behind the other" \
	grep -qE '^ffffffffc0[0-9a-f]{6}-[0-9a-f]+ r-xp \[quarry_client\]' "$TMP/text"

echo 1 >$KPTR
show
same "1, root, heapdump: addresses" "$(bare "$TMP/dump")" "$(rows "$TMP/dump")"
same "1, root, slabs: addresses" "$(bare "$TMP/slabs")" "$(rows "$TMP/slabs")"
start=$(cat /sys/module/quarry_client/sections/.text) start=${start#0x}
expect "1, root, heap.txt: the client is where it is" \
	grep -qE "^${start%???}[0-9a-f]{3}-[0-9a-f]+ r-xp \[quarry_client\]" "$TMP/text"
./devfile drop perfmon heapdump text >"$TMP/dump"
same "1, without CAP_SYSLOG, heapdump: addresses" "$(bare "$TMP/dump")" 0
same "1, without CAP_SYSLOG, heapdump: zeroes" "$(zero "$TMP/dump")" \
	$(($(rows "$TMP/dump") - 1))
./devfile drop perfmon syslog heapdump text >"$TMP/dump"
same "1, with CAP_SYSLOG, heapdump: addresses" "$(bare "$TMP/dump")" \
	$(($(rows "$TMP/dump") - 1))
./devfile drop perfmon snapshot text >"$TMP/text"
same "1, without CAP_SYSLOG, a profile is shown as at 0" \
	"$(grep -cE '^ffffffff81000000-[0-9a-f]+ r-xp \[kernel' "$TMP/text")" 1

echo 2 >$KPTR
show
same "2, heapdump: addresses" "$(bare "$TMP/dump")" 0
same "2, heapdump: zeroes" "$(zero "$TMP/dump")" "$(rows "$TMP/dump")"
same "2, slabs: zeroes" "$(zero "$TMP/slabs")" "$(rows "$TMP/slabs")"
expect "2, heap.txt: the kernel is where it was linked to" \
	grep -qE '^ffffffff81000000-[0-9a-f]+ r-xp \[kernel' "$TMP/text"
client release || fail "release"

# The records of a ring have addresses, if its owner may see them, and else numbers.
for level in 0 1 2; do
	echo $level >$KPTR
	./devfile ring "sh=echo hold mib=1 >$CLIENT/run; echo release >$CLIENT/run" events >"$TMP/events"
	within "$level, ring: events" "$(grep -c '^event' "$TMP/events")" 100 1024
	# Numbers begin with ffff too, once in 65,536.
	percent=$((100 * $(bare "$TMP/events") / $(grep -c '^event' "$TMP/events")))
	case $level in
	1) same "$level, ring: addresses, in per cent" "$percent" 100 ;;
	*) within "$level, ring: addresses, in per cent" "$percent" 0 5 ;;
	esac
done
echo "$kptr" >$KPTR

# --- Passed on ----------------------------------------------------------------

./devfile info rate snapshot mark delta heapdump ring domain setrate reset drain drainsnapshot \
	drainmark drainheapdump disable >"$TMP/may"
same "root may do all" "$(grep -vc ' ok$' "$TMP/may")" 0
same "which is" "$(wc -l <"$TMP/may")" 15
for op in info rate snapshot mark delta heapdump ring domain; do
	case $op in
	delta) ./devfile mark drop $op | tail -n 1 ;;
	*) ./devfile drop $op ;;
	esac >"$TMP/may"
	same "passed on: $op" "$(cat "$TMP/may")" "$op ok"
done
echo 4096 >"$PROFILE/rate"
resets=$(cat "$PROFILE/reset")
for op in setrate reset drain drainsnapshot drainmark drainheapdump enable; do
	# Magazines that are idle lose their objects in some seconds, so fill them again.
	client hold mib=1 || fail "hold"
	client release || fail "release"
	same "passed on: $op" "$(./devfile drop $op)" "$op EPERM"
	same "with CAP_SYSLOG: $op" "$(./devfile drop syslog $op)" "$op EPERM"
	within "nothing was drained by $op: cached objects" "$(stat cached_objects)" 1 1000000
done
same "the rate is what it was" "$(cat "$PROFILE/rate")" 4096
same "no reset" "$(cat "$PROFILE/reset")" "$resets"
same "the domain slab is off" "$(cat "$QUARRY/kernel/slab/enable")" 0
for op in setrate reset drain drainsnapshot drainmark drainheapdump disable; do
	same "with CAP_PERFMON: $op" "$(./devfile drop perfmon $op)" "$op ok"
	same "with CAP_SYS_ADMIN: $op" "$(./devfile drop sys_admin $op)" "$op ok"
done
echo default >"$PROFILE/rate"
expect "the walker finds no error" validate
finish
