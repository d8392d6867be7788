#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A locked kernel, as Debian's is under Secure Boot. Under integrity what shows something can be
# read, and nothing can be changed, in debugfs, by ioctl or by module parameters. Under
# confidentiality no address leaves. Lockdown cannot be undone: the test has a machine of its own
# (step selftests-lockdown of scripts/check), and is the last one there.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

LOCKDOWN=/sys/kernel/security/lockdown
PARAMETERS=/sys/module/quarry/parameters
PROFILE=$QUARRY/profile
TRIED="checked_flushes=1 hard_limit=64M kernel_cgroups=Y panic_on_misuse=N percpu_cache_kib=64
	profile_rows=1000 rate=4096 retain_percent=20 shrinker=N soft_limit=64M"

[ -e $LOCKDOWN ] || mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
[ -e $LOCKDOWN ] || skip_all "the kernel has no lockdown"
load_anew quarry_client
echo 1 >"$PROFILE/rate"
# Files that are opened before the lockdown stay open.
exec 5>"$CLIENT/run"
exec 6>"$PROFILE/reset" 7>"$QUARRY/control/soft_limit.write"
exec 8<>"$PROFILE/top"
echo "hold mib=1" >&5

# lock LEVEL
lock()
{
	echo "$1" >$LOCKDOWN || fail "$1"
	expect "the kernel is locked for $1" grep -q "\[$1\]" $LOCKDOWN
}

# settings: what can be changed, to see that it was not.
settings()
{
	cat "$QUARRY"/control/soft_limit "$QUARRY"/control/hard_limit "$PROFILE/rate" \
		"$QUARRY"/control/retain_percent "$QUARRY"/control/percpu_cache_kib \
		"$QUARRY"/caches/malloc-64/limit "$QUARRY"/caches/malloc-64/check \
		"$QUARRY"/caches/malloc-64/profile/rate \
		"$PROFILE/reset" "$QUARRY/control/drain" "$QUARRY/control/scavenge" \
		"$QUARRY/kernel/slab/enable" "$QUARRY/kernel/slab/rate" \
		"$PARAMETERS/shrinker" "$PARAMETERS/profile_rows" "$PARAMETERS/checked_flushes" \
		"$PARAMETERS/kernel_cgroups" "$PARAMETERS/panic_on_misuse"
}

# reads LEVEL: every file that shows something can be read, and the device too.
reads()
{
	xargs cat <"$TMP/shown" 2>"$TMP/unreadable" >/dev/null || echo "cat fails" >>"$TMP/unreadable"
	same "$1: files that do not read" "$(cat "$TMP/unreadable")" ""
	same "$1: the walker" "$(value "$QUARRY/control/validate" verdict)" ok
	same "$1: settings" "$(settings)" "$before"
	for op in info rate snapshot mark "mark delta" heapdump ring domain; do
		# shellcheck disable=SC2086 # words
		same "$1: $op" "$(./devfile $op | tail -n 1)" "${op##* } ok"
	done
}

# changes LEVEL: nothing can be changed.
changes()
{
	# One cache stands for all.
	find "$QUARRY" -type f | grep -v '/caches/' >"$TMP/all"
	find "$QUARRY/caches/malloc-64" -type f >>"$TMP/all"
	while read -r file; do
		(echo 1 >"$file") 2>/dev/null && echo "$file"
	done <"$TMP/all" >"$TMP/written"
	same "$1: files that can be written" "$(cat "$TMP/written")" ""
	for text in "control/soft_limit 64M" "profile/rate 4096" "profile/reset 1" \
		"control/drain.write 1" "caches/malloc-64/limit.write 1G" \
		"caches/malloc-64/check.write sane"; do
		(echo "${text#* }" >"$QUARRY/${text% *}") 2>"$TMP/error" &&
			fail "$1: ${text% *} can be written"
		expect "$1: ${text% *} says why" grep -q 'not permitted' "$TMP/error"
	done
	(echo 1 >&6) 2>"$TMP/error" && fail "$1: a file from before can be written"
	expect "$1: profile/reset, opened before" grep -q 'not permitted' "$TMP/error"
	(echo 64M >&7) 2>"$TMP/error" && fail "$1: a file from before can be written"
	expect "$1: control/soft_limit.write, opened before" grep -q 'not permitted' "$TMP/error"
	for op in setrate reset drain drainsnapshot drainmark drainheapdump enable; do
		same "$1: $op" "$(./devfile $op)" "$op EPERM"
	done
	for text in $TRIED; do
		(echo "${text#*=}" >"$PARAMETERS/${text%=*}") 2>"$TMP/error" &&
			fail "$1: the parameter ${text%=*} can be written"
		expect "$1: the parameter ${text%=*} says why" grep -q 'not permitted' "$TMP/error"
	done
	same "$1: settings after all that" "$(settings)" "$before"
}

# bare FILE: addresses of the kernel or of its memory in the file, as they are.
bare()
{
	grep -oiE 'ffff[0-9a-f]{12}' "$1" |
		grep -cviE '^(ffffffff[89a-f][0-9a-f]{7}|ffffffffffffffff)$'
}

# shellcheck disable=SC2086 # words
same "parameters that can be set, and are tried" \
	"$(find $PARAMETERS -type f -perm -200 | sed 's,.*/,,' | sort | xargs)" \
	"$(printf '%s\n' $TRIED | sed 's/=.*//' | xargs)"
find "$QUARRY" -type f -perm 400 >"$TMP/shown"
within "files that show something" "$(wc -l <"$TMP/shown")" 1000 4000
before=$(settings)
# kptr_restrict lets addresses through from here on, so only the lockdown keeps them.
echo 1 >/proc/sys/kernel/kptr_restrict
xargs cat <"$TMP/shown" >"$TMP/text"
within "addresses in all files" "$(bare "$TMP/text")" 1000 1000000
same "chunks: page frames" "$(awk '!/^#/ && !$1' "$QUARRY/nodes/0/chunks")" ""

lock integrity
reads integrity
changes integrity
cat "$QUARRY/heapdump" >"$TMP/text"
within "integrity: addresses in heapdump" "$(bare "$TMP/text")" 100 1000000
./devfile ring "sh=echo hold mib=1 >&5; echo release >&5" events >"$TMP/events"
within "integrity: addresses in a ring" "$(bare "$TMP/events")" 100 1024
echo "hold mib=1" >&5
# A ring that is older than the lockdown has no address after it.
./devfile ring "sh=echo confidentiality >$LOCKDOWN; echo release >&5; echo hold mib=1 >&5" events \
	>"$TMP/events"
expect "the kernel is locked for confidentiality" grep -q "\[confidentiality\]" $LOCKDOWN
within "confidentiality: events" "$(grep -c '^event' "$TMP/events")" 100 1024
within "confidentiality: addresses in a ring from before" "$(bare "$TMP/events")" 0 30
reads confidentiality
changes confidentiality
xargs cat <"$TMP/shown" >"$TMP/text"
same "confidentiality: addresses in all files" "$(bare "$TMP/text")" 0
expect "confidentiality: profiles have code where it was linked to" \
	grep -qE '^ffffffff81000000-[0-9a-f]+ r-xp \[kernel' "$TMP/text"
same "confidentiality: page frames" "$(awk '!/^#/ && $1' "$QUARRY/nodes/0/chunks")" ""
./devfile heapdump text >"$TMP/text"
same "confidentiality: addresses in a heap dump of the device" "$(bare "$TMP/text")" 0
within "confidentiality: objects in it" "$(wc -l <"$TMP/text")" 100 1000000
./devfile ring "sh=echo release >&5; echo hold mib=1 >&5" events >"$TMP/events"
within "confidentiality: addresses in a ring" "$(bare "$TMP/events")" 0 30
# Deltas of a file that was opened for writing before it change nothing.
echo reset >&8
expect "a delta of a file from before" sh -c 'cat <&8 | grep -q "^#"'
exec 5>&- 6>&- 7>&- 8>&-
finish
