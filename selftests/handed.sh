#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Memory of a moved module that the kernel frees, and a cache that it uses. Where ftrace can
# redirect the kernel's functions, the frees work. Where it cannot, they are reported, and the
# pages stay Quarry's. The last part stops a task in the kernel, so the modules stay loaded.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

tracing=/sys/kernel/tracing
enabled=/proc/sys/kernel/ftrace_enabled
grep -q ' free_large_kmalloc$' /proc/kallsyms || skip_all "no free_large_kmalloc() in this kernel"
! has_kasan || skip_all "KASAN reports each free that is to be leaked here"

# handed WHAT [RATE]: load the module, which does it, into an empty Quarry.
handed()
{
	unload wordindex quarry_client quarry_shimmed quarry_handed quarry
	load quarry
	[ -z "${2:-}" ] || echo "$2" >"$QUARRY/profile/rate"
	mark
	insmod "$MODULES/quarry_handed.ko" what="$1"
	since_mark >"$TMP/log"
}

redirected()
{
	grep -qE '^(free_large_kmalloc|vfree)[. ]' "$tracing/enabled_functions"
}

misuses()
{
	awk '/^misuse/ { n += $2 } END { print n }' "$QUARRY/stats"
}

# work TEXT [RATE]
work()
{
	handed work "${2:-}"
	sed -n 's/.*quarry_handed: //p' "$TMP/log" | grep -v '^ok ' | sed 's/^/# /'
	params=/sys/module/quarry_handed/parameters
	same "$1: checks that failed" "$(cat $params/failed)" 0
	within "$1: checks that passed" "$(cat $params/passed)" 13 100
	same "$1: checks announced" "$(sed -n 's/.*quarry_handed: 1\.\.//p' "$TMP/log")" \
		$(($(cat $params/passed) + $(cat $params/failed)))
	expect "$1: the kernel's functions are redirected" redirected
	within "$1: frees by the kernel" "$(stat kernel_frees)" 1000 2000
	expect "$1: the walker finds no error" validate
	expect "$1: ftrace cannot be switched off" sh -c "! echo 0 >$enabled 2>/dev/null"
	unload quarry_handed
	same "$1: live objects" "$(stat live_objects)" 0
	same "$1: misuse, of which there was one" "$(misuses)" 1
	expect "$1: without the module nothing is redirected" sh -c \
		"! grep -qE '^(free_large_kmalloc|vfree)[. ]' $tracing/enabled_functions"
	expect "$1: the equations hold" balanced
}

if [ -e "$enabled" ]; then
	work "plain"
	work "sampled" 1
fi

# --- Where nothing can be redirected -----------------------------------------------

leak()
{
	handed leak 1
	report='misuse: freed by the kernel'
	same "leak: frees by the kernel that Quarry got" "$(stat kernel_frees)" 0
	expect "leak: the log says that it cannot be" \
		grep -q 'memory of Quarry that the kernel frees is leaked' "$TMP/log"
	same "leak: misuse_kernel_free" "$(stat misuse_kernel_free)" 2
	same "leak: leaked objects" "$(stat leaked_objects)" 2
	same "leak: live objects" "$(stat live_objects)" 2
	same "leak: lines in the log" "$(grep -c "$report" "$TMP/log")" 1
	expect "leak: the line names cache and caller" \
		grep -q "$report.* cache malloc-64, seen in kernel_kfree+" "$TMP/log"
	expect "leak: the log names the site" grep -q 'misuse: allocated in leak_here+' "$TMP/log"
	expect "leak: the walker finds it" sh -c "! echo 1 >$QUARRY/control/validate 2>/dev/null"
	expect "leak: the walker says what" \
		grep -q 'freed 2 times by somebody else' "$QUARRY/control/validate"
	# All memory is taken and given back: a page with two owners would show.
	load quarry_client
	expect "leak: the allocator goes on" client hold mib=16
	client release || fail "release"
	unload quarry_client quarry_handed
	mark
	unload quarry
	expect "leak: so does the log when the page goes back" \
		sh -c "dmesg | tail -n +$(($(cat "$TMP/mark") + 1)) | grep -q 'was freed 2 times by code'"
	same "leak: pages in a bad state" "$(dmesg | grep -c 'Bad page')" 0
}

# Since 7.3 ftrace cannot be switched off.
if [ ! -e "$enabled" ]; then
	leak
elif echo 0 2>/dev/null >"$enabled"; then
	leak
	echo 1 >"$enabled"
else
	skip "leak: ftrace cannot be switched off here"
fi

# --- A cache -----------------------------------------------------------------------

load quarry
mark
insmod "$MODULES/quarry_handed.ko" what=cache 2>/dev/null
since_mark >"$TMP/log"
line='kmem_cache_size+.* uses cache handed_on of module quarry_handed'
same "cache: lines in the log" "$(grep -c "$line" "$TMP/log")" 1
expect "cache: it comes before the kernel's" sh -c \
	"grep -n 'handed_on\|protection fault' $TMP/log | head -n 1 | grep -q handed_on"
# The kernel's WARNING and its fault were expected.
same "complaints but for those" "$(dmesg | grep -E 'WARNING:|BUG[: ]|KASAN' |
	grep -vcE 'free_large_kmalloc|KASAN: maybe wild')" 0
printf '1..%d\n' "$number"
[ "$failed" = 0 ]
