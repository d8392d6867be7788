#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# "quarry top" in a terminal (tmux) of 80x24 and 200x50 and with --batch, and "quarry report", over a
# recording that tests/recording.py makes up.  Prints TAP.
#
# Usage: tests/top.sh [PROGRAM]      (default: build/tools/quarry)

here=$(cd "$(dirname "$0")" && pwd) || exit 1
program=$(realpath "${1:-$here/../../../build/tools/quarry}")
for tool in tmux python3; do
	command -v $tool >/dev/null || {
		echo "1..0 # SKIP $tool is missing; run scripts/deps tools"
		exit 0
	}
done

TMP=$(mktemp -d)
session=quarry-top-$$
number=0 failed=0
trap 'tmux -L $session kill-server 2>/dev/null; rm -rf "$TMP"' EXIT
export LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR
python3 "$here/recording.py" "$TMP/rec" 12 60 || exit 1

ok()
{
	number=$((number + 1))
	echo "ok $number $*"
}

fail()
{
	number=$((number + 1)) failed=$((failed + 1))
	echo "not ok $number $*"
	sed 's/^/# |/' "$TMP/screen"
}

# same TEXT GOT WANTED
same()
{
	if [ "$2" = "$3" ]; then ok "$1"; else
		: >"$TMP/screen"
		fail "$1: '$2', should be '$3'"
	fi
}

# status TEXT WANTED COMMAND...: what it prints is in $TMP/out and $TMP/err.
status()
{
	text=$1 wanted=$2 got=0
	shift 2
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null || got=$?
	same "$text: status" "$got" "$wanted"
}

# --- A terminal ---------------------------------------------------------------

# start SIZE COMMAND...: run it in a terminal, then print its status and wait.
start()
{
	size=$1
	shift
	rm -f "$TMP/before" "$TMP/after"
	tmux -L $session -f /dev/null new-session -d -x "${size%x*}" -y "${size#*x}" \
		"stty -g >$TMP/before; $*; status=\$?; stty -g >$TMP/after; echo \"status \$status\"; cat"
}

# Ends the server too, and waits for that: the next one has the same socket.
stop()
{
	server=$(tmux -L $session display-message -p '#{pid}')
	tmux -L $session kill-server
	while kill -0 "$server" 2>/dev/null; do sleep 0.05; done
}

keys()
{
	tmux -L $session send-keys "$@"
}

shoot()
{
	tmux -L $session capture-pane -pJ "$@" 2>/dev/null | sed 's/ *$//' >"$TMP/screen"
}

# sees TEXT PATTERN: the screen has the pattern, at once or within half a minute, because other work
# may keep the machine busy.
sees()
{
	# shellcheck disable=SC2016 # for sed
	sees_in '1,$p' "$1" "$2"
}

# sees_in LINES TEXT PATTERN: the same for lines that sed prints.
sees_in()
{
	until=$(($(date +%s) + 30))
	while :; do
		shoot
		if sed -n "$1" "$TMP/screen" | grep -qE -- "$3"; then
			ok "$2"
			return
		fi
		[ "$(date +%s)" -lt $until ] || break
		sleep 0.05
	done
	fail "$2: no '$3'"
}

# lacks TEXT PATTERN: the screen that was seen last does not have it.
lacks()
{
	if grep -qE -- "$2" "$TMP/screen"; then fail "$1: '$2'"; else ok "$1"; fi
}

# first_row TEXT PATTERN: the first row, below the headings.
first_row()
{
	sees_in 7p "$1" "$2"
}

top="$program top --recording $TMP/rec --interval 0.1"

for size in 80x24 200x50; do
	lines=${size#*x}
	start $size "$top --view sites"
	sees "$size: the end of the recording" '09-21 14:24:20  end$|14:24:20  end$'
	same "$size: the first line" "$(head -n 1 "$TMP/screen" | cut -c 1-19)" \
		"Memory   16.0 MiB ["
	sees "$size: calls" '^Calls    1,000 allocs/s, 1,000 frees/s; 11 live \(8.7 MiB\); slow 0.5 %$'
	sees "$size: the profiler" '^Profiler one in 512 KiB, 321 samples; kernel: slab 1.2 MiB$'
	sees "$size: warnings" '^! 3 allocations failed. \(1 more\)$'
	same "$size: the last line" "$(sed -n "${lines}p" "$TMP/screen" | cut -c 1-14)" \
		"q quit  ? help"
	first_row "$size: sites: what holds most" '4\.0 MiB +3\.0 MiB .* table +filler < load'
	sees "$size: growth of the leak" '^ *768 KiB +704 KiB +1\.1 KiB/s +768 .*leaky +leaker <'
	keys s
	keys s
	first_row "$size: sorted by allocations" 'churner <'
	keys Left
	first_row "$size: sorted by growth" 'filler <'
	keys Down Enter
	sees "$size: the second row's stack" '^  ret_from_fork$'
	sees "$size: and its cache" '^Cache leaky, domain quarry$'
	keys q
	sees "$size: back" '^Memory'
	keys / CHURN
	sees "$size: the filter" '^/CHURN_'
	sees "$size: rows" '1 of 4'
	lacks "$size: no others" 'filler'
	keys Enter
	sees "$size: the filter stays" '^/CHURN +\('
	keys / BSpace BSpace BSpace BSpace BSpace xyz
	sees "$size: nothing passes" 'None of 4 sites has "xyz" in it\.'
	keys Escape
	sees "$size: all again" 'filler'

	keys 1
	first_row "$size: caches" '^table .* 4\.0 MiB .* 64 .* 0\.0 %'
	sees "$size: a cache's waste" '^block .* 68\.7 %'
	keys Enter
	sees "$size: a cache's page" '^Cache table$'
	sees "$size: which the recording has no more of" 'were not recorded'
	keys Escape
	sees "$size: back from it" '^table '
	keys 3
	first_row "$size: kernel" 'ext4_inode_(cache|…) +alloc_inode <'
	keys d
	sees "$size: a domain without data" 'Domain pages was not recorded'
	keys 4
	first_row "$size: processes" '1\.2 MiB .* find$'
	keys Enter
	sees "$size: the sites of a process" '1\.2 MiB  ext4_inode_cache  alloc_inode <'
	sees "$size: their stacks are whole" 'path_openat$'
	keys Enter 5
	first_row "$size: cgroups" '1\.2 MiB .* 4242$'
	sees "$size: samples without a cgroup" '\(none\)$'
	keys Tab
	sees "$size: Tab: caches again" '^table '
	keys '?'
	sees "$size: help" '^quarry top: '
	sees "$size: its last line" 'm metadata$'
	keys x
	sees "$size: back from help" '^Memory'
	keys q
	sees "$size: q ends it" '^status 0$'
	lacks "$size: and leaves the screen" '^Memory'
	same "$size: the terminal is as before" "$(cat "$TMP/after")" "$(cat "$TMP/before")"
	stop
done

# --- Sizes --------------------------------------------------------------------

start 80x24 "$top"
sees "80x24 at first" ' end$'
tmux -L $session resize-window -x 200 -y 50
sees "wider: all columns" 'cache .* size .* remote/s'
same "higher: the last line" "$(sed -n 50p "$TMP/screen" | cut -c 1-6)" "q quit"
tmux -L $session resize-window -x 50 -y 12
sees "narrow: fewer columns" '^cache +memory +live'
lacks "narrow: no remote/s" 'remote/s'
same "narrow: the last line" "$(sed -n 12p "$TMP/screen" | cut -c 1-6)" "q quit"
tmux -L $session resize-window -x 30 -y 5
sees "too small" 'window is too small'
tmux -L $session resize-window -x 80 -y 24
sees "80x24 again" '^table '
keys q
sees "and it ends" '^status 0$'
stop

# --- Pause --------------------------------------------------------------------

start 80x24 "$program top --recording $TMP/rec --interval 1"
sees "it runs" '^table '
keys p
sees "it says so" ' paused$'
moment=$(sed -n 5p "$TMP/screen")
sleep 2.5
shoot
same "nothing is read while it is paused" "$(sed -n 5p "$TMP/screen")" "$moment"
keys p
sees "it goes on" '14:24:20  end$'
keys q
sees "and ends" '^status 0$'
stop

# --- Ends ---------------------------------------------------------------------

start 80x24 "$top"
sees "it runs" '^table '
keys C-c
sees "SIGINT ends it" '^status 0$'
same "SIGINT: the terminal is as before" "$(cat "$TMP/after")" "$(cat "$TMP/before")"
stop
start 80x24 "sh -c 'echo \$\$ >$TMP/pid; exec $top'"
sees "it runs" '^table '
kill -TERM "$(cat "$TMP/pid")"
sees "SIGTERM ends it" '^status 0$'
same "SIGTERM: the terminal is as before" "$(cat "$TMP/after")" "$(cat "$TMP/before")"
stop
cp -r "$TMP/rec" "$TMP/gone"
start 80x24 "$program top --recording $TMP/gone --interval 1"
sees "it runs" '^table '
rm -r "$TMP/gone"
sees "what it reads is gone: a sentence" '^quarry: .* does not have that$'
sees "and a status" '^status 1$'
same "the terminal is as before" "$(cat "$TMP/after")" "$(cat "$TMP/before")"
stop
start 80x24 "env TERM=unknown-terminal $top"
sees "an unknown terminal: a sentence" '^quarry: this terminal \(TERM=unknown-terminal\)'
sees "and a status" '^status 1$'
stop

# --- Colours ------------------------------------------------------------------

colours()
{
	sees "$1: it runs" ' end$'
	shoot -e
	same "$1: lines with colours" "$(($(grep -cE "$(printf '\033')\[[0-9;]*3[1-7]m" \
		"$TMP/screen") > 0))" "$2"
	keys q
	stop
}

start 80x24 "$top"
colours "a terminal" 1
start 80x24 "env NO_COLOR=1 $top"
colours "NO_COLOR" 0
start 80x24 "$top --colour never"
colours "--colour never" 0
start 80x24 "env TERM=vt100 $top"
colours "vt100" 0

# --- Printed ------------------------------------------------------------------

set -- "$program" top --recording "$TMP/rec"
status "without a terminal" 2 "$@"
status "a view that is not there" 2 "$@" --batch 1 --view everything
status "a key that is not there" 2 "$@" --batch 1 --sort hits
status "no interval" 2 "$@" --batch 1 --interval 0
status "not a number" 2 "$@" --batch 1 --interval nan
status "no rounds" 2 "$@" --batch -1
status "a domain that was not recorded" 1 "$@" --batch 1 --view kernel --domain pages
status "three rounds" 0 "$@" --batch 3 --view sites
same "their heads" "$(grep -c '^Memory' "$TMP/out")" 3
same "all that there are" "$("$@" --batch 0 | grep -c '^Memory')" 11
status "sorted and short" 0 "$@" --batch 1 --sort live -n 1
same "the rest is counted" "$(grep -c '^(3 more' "$TMP/out")" 1
"$@" --batch 11 --view sites --json >"$TMP/json"
python3 - "$TMP/json" >"$TMP/out" <<-'END'
	import json, sys
	rounds = [json.loads(line) for line in open(sys.argv[1])]
	last = rounds[-1]
	leak = [s for s in last["sites"] if s["stack"].startswith("leaker < ")][0]
	print(len(rounds), last["schema"], last["command"], last["view"], last["domain"], last["rows"],
	      last["head"]["mallocs_per_second"], last["seconds"], leak["live_bytes"],
	      leak["growth_bytes"], leak["allocated_bytes_per_second"], leak["live_objects"])
END
same "JSON has exact numbers" "$(cat "$TMP/out")" \
	"11 1 top sites quarry 4 1000 60.0 $((12 * 65536)) $((11 * 65536)) 1092 768"

# --- A report -----------------------------------------------------------------

set -- "$program" report "$TMP/rec"
status "a report" 0 "$@"
same "its axis" "$(grep -c '▁▁.*█  8.0 MiB to 8.7 MiB, 8.7 MiB at the end' "$TMP/out")" 1
same "the leak is named" "$(grep -c '^leaker leaks: .*(704 KiB in 11 min)' "$TMP/out")" 1
same "what filled is named" "$(grep -c '^filler filled' "$TMP/out")" 1
same "the kernel's leak, too" "$(grep -c '^alloc_inode leaks' "$TMP/out")" 1
same "churn" "$(awk '/churner/ { print $1 }' "$TMP/out")" churn
status "something leaks" 6 "$@" --check
status "between two moments" 0 "$@" --from 14:20 --to '2026-09-21 14:22:20' --json
python3 -c 'import json, sys
r = json.load(sys.stdin)
print(len(r["axis"]), r["axis"][0]["moment"], r["axis"][-1]["quarry"], r["domains"][0]["leaks"],
      r["domains"][0]["sites"][0]["growth_bytes"], r["domains"][1]["domain"])' \
	<"$TMP/out" >"$TMP/numbers"
same "its numbers" "$(cat "$TMP/numbers")" "3 8 $((8 * 1048576 + 9 * 65536)) 0 $((2 * 65536)) slab"
status "in the last two minutes" 0 "$@" --from 2m
same "three moments" "$(grep -c '3 moments$' "$TMP/out")" 3
status "one moment" 1 "$@" --from 10s
status "no moment" 1 "$@" --from '2026-09-21 14:30'
status "not a time" 2 "$@" --from soon
status "not a recording" 1 "$program" report "$TMP"
truncate -s 100 "$TMP/rec/00000006/profile.heap.pb.gz"
: >"$TMP/rec/00000007/stats"
status "damaged files" 0 "$@"
same "are named" "$(grep -cE '^Damaged    1 moments|^quarry: 10 moments; 1 more' "$TMP/out")" 2
same "and the leak is found" "$(grep -c '^leaker leaks' "$TMP/out")" 1

echo "1..$number"
[ "$failed" = 0 ]
