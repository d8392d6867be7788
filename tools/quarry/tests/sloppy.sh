#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A thousand clients that behave badly, 200 at a time, and the server without a module: what others
# wait for because of them, and what memory they cost; and the same under valgrind.
#
# Usage: sloppy.sh SERVER SLOPPY
#
# SERVER is the program tests/serve_alone.c, SLOPPY is selftests/sloppy.c. Prints TAP. Without
# valgrind its part is skipped.
#
# The clients and the server share the machine with whatever else runs. So a good client asks in
# turns, a second among the crowd and a second alone, and the means are compared; a median would
# not show that the server stands still once for long. They are of two times. What a processor
# worked for the server until the answer was there does not depend on who else runs. What the clock
# says may be 100 ms more, and what the slowest answer takes without a crowd, which is the machine's
# fault. Under valgrind time says nothing.

set -u
[ $# = 2 ] || { sed -n '3,/^#$/s/^# \?//p' "$0" >&2; exit 2; }
program=$1 sloppy=$2
tmp=$(mktemp -d)
server=
number=0 failed=0

# shellcheck disable=SC2317 # run by the trap
cleanup()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

# within TEXT GOT LOW HIGH
within()
{
	number=$((number + 1))
	if [ -n "$2" ] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then
		echo "ok $number $1: $2"
	else
		failed=$((failed + 1))
		echo "not ok $number $1: '$2', should be $3 to $4"
	fi
}

# start COMMAND...: the server, by a program or without. Sets server and port.
start()
{
	rm -f "$tmp/port"
	mkfifo "$tmp/port"
	"$@" "$program" >"$tmp/port" 2>"$tmp/said" &
	server=$!
	read -r port <"$tmp/port"
}

stop()
{
	local status=0

	kill "$server"
	wait "$server" || status=$?
	server=
	sed 's/^/# /' "$tmp/said"
	within "$1: the server's status" "$status" 0 0
}

# crowd NAME PATH N [BUSY]: so many clients, 200 at a time, and what the good client noticed. So many of
# its requests may be told that the server is busy, by default none.
crowd()
{
	"$sloppy" "$port" crowd "$2" "$3" 200 "$server" >"$tmp/crowd"
	sed "s|^|# $1: |" "$tmp/crowd"
	within "$1: clients" "$(value clients)" "$3" 1000000000
	within "$1: requests of the good client that failed" "$(value failed)" 0 0
	within "$1: requests of it that found the server busy" "$(value busy)" 0 "${4:-0}"
}

value()
{
	awk -v name="$1" '$1 == name { print $2 }' "$tmp/crowd"
}

# memory NAME: of the server, in KiB.
memory()
{
	awk -v name="$1:" '$1 == name { print $2 }' "/proc/$server/status"
}

start
before=$(memory VmRSS)
for path in /metrics /debug/pprof/heap; do
	crowd "$path" "$path" 1000
	within "$path: among the crowd, us more than alone" \
		$(($(value among_us) - $(value alone_us))) -100000000 \
		$((100000 + $(value alone_slowest_us)))
	within "$path: work of the server for an answer, us more" \
		$(($(value among_work_us) - $(value alone_work_us))) -100000000 100000
done
# Documentation/serve.rst allows 128 MiB for answers that are not read.
within "most memory of the server, KiB more than the $before at first" \
	$(($(memory VmHWM) - before)) 0 131072
first=$(memory VmRSS)
crowd "the third thousand" /metrics 1000
within "memory after it, KiB more than after the second" $(($(memory VmRSS) - first)) -1000000 16384
stop "alone"

if command -v valgrind >/dev/null; then
	# Each process has a report of its own; the opener is one of them.
	start valgrind --leak-check=full --show-leak-kinds=definite,indirect,possible \
		--errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 \
		--log-file="$tmp/valgrind.%p"
	# It is thirty times as slow then, so a crowd may keep it busy, and only broken answers count.
	crowd "valgrind" /metrics "${VALGRIND_CLIENTS:-1000}" 1000000
	crowd "valgrind, a profile" /debug/pprof/heap 200 1000000
	stop "valgrind"
	cat "$tmp"/valgrind.* >"$tmp/valgrind"
	grep 'ERROR SUMMARY' "$tmp/valgrind" | sed 's/^/# /'
	within "valgrind: processes that it reports on" \
		"$(grep -c 'ERROR SUMMARY' "$tmp/valgrind")" 1 2
	bad=$(grep -c 'ERROR SUMMARY: [1-9]' "$tmp/valgrind")
	[ "$bad" = 0 ] || sed 's/^/# /' "$tmp/valgrind"
	within "valgrind: processes with errors" "$bad" 0 0
else
	number=$((number + 1))
	echo "ok $number valgrind # SKIP there is no valgrind here (scripts/deps memcheck)"
fi
echo "1..$number"
[ "$failed" = 0 ]
