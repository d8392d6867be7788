# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Functions that the tests share: for modules, files of debugfs, and TAP. A test sources it
# as ". ./lib.sh", begins with "load" or "skip_all", and ends with "finish".
#
# The tests run as root in a machine of their own (scripts/vm) with the modules in
# /lib/quarry, under a POSIX shell with busybox's programs.

MODULES=${QUARRY_MODULES:-/lib/quarry}
DEBUGFS=/sys/kernel/debug
QUARRY=$DEBUGFS/quarry
CLIENT=$DEBUGFS/quarry_client
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

number=0 failed=0

# --- TAP ----------------------------------------------------------------------

note()
{
	printf '# %s\n' "$*"
}

ok()
{
	number=$((number + 1))
	printf 'ok %d %s\n' "$number" "$*"
}

fail()
{
	number=$((number + 1))
	failed=$((failed + 1))
	printf 'not ok %d %s\n' "$number" "$*"
}

# skip TEXT: this kernel or machine cannot make the check.
skip()
{
	number=$((number + 1))
	printf 'ok %d # SKIP %s\n' "$number" "$*"
}

skip_all()
{
	printf '1..0 # SKIP %s\n' "$*"
	exit 4
}

# expect TEXT COMMAND...: the command succeeds.
expect()
{
	text=$1
	shift
	if "$@"; then
		ok "$text"
	else
		fail "$text"
	fi
}

# same TEXT GOT WANTED
same()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1: $2, should be $3"
	fi
}

# within TEXT GOT LOW HIGH
within()
{
	if [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then
		ok "$1: $2"
	else
		fail "$1: $2, should be $3 to $4"
	fi
}

# The last check: the kernel's log has no new warning or bug. Ends the test.
finish()
{
	same "no complaint of the kernel" "$(complaints)" "$complaints_before"
	printf '1..%d\n' "$number"
	[ "$failed" = 0 ]
	exit
}

# The kernel has data races of its own; scripts/vm looks for those of Quarry's functions.
complaints()
{
	dmesg | grep -v 'BUG: KCSAN' |
		grep -cE 'WARNING:|BUG[: ]|KASAN|possible (circular|recursive)|Invalid wait context'
}
complaints_before=$(complaints)

# --- Machine ------------------------------------------------------------------

# The debug kernel, whose sanitizers make everything ten times slower.
is_slow()
{
	[ -d "$DEBUGFS/failslab" ]
}

# A kernel with PREEMPT_RT, on which the first samples of a new call stack may be without it.
is_rt()
{
	grep -q PREEMPT_RT /proc/version
}

# switch_once DIR: switch a domain on and off. The memory for its snapshots stays from then on.
switch_once()
{
	echo 1 >"$1/enable"
	echo 0 >"$1/enable"
}

# run_dev [PART...]: the program dev makes the checks, and its lines become TAP.
run_dev()
{
	mkfifo "$TMP/lines"
	./dev "$(choose 5 3)" "${QUARRY_SEED:-1}" "$@" >"$TMP/lines" 2>&1 &
	while read -r line; do
		case $line in
		"ok "*) ok "${line#ok }" ;;
		"not ok "*) fail "${line#not ok }" ;;
		*) note "${line#"# "}" ;;
		esac
	done <"$TMP/lines"
	wait $! || fail "dev ends with status $?"
}

# choose NORMAL SLOW [SHORT]: one of the values. SLOW is for a slow kernel, SHORT for runs with
# QUARRY_SHORT, which "make check" sets. "make check-all" runs with NORMAL.
choose()
{
	if is_slow; then
		echo "$2"
	elif [ -n "${QUARRY_SHORT:-}" ]; then
		echo "${3:-$1}"
	else
		echo "$1"
	fi
}

has_kasan()
{
	grep -q ' kasan_restore_multi_shot$\| __asan_report_load8_noabort$' /proc/kallsyms
}

cpus_online()
{
	grep -c '^processor' /proc/cpuinfo
}

# on_cpus MASK: this shell, and all that it starts, runs on these processors from now on. MASK is
# hexadecimal.
on_cpus()
{
	taskset -p "$1" $$ >/dev/null
}

# Nodes that have memory, one per line.
memory_nodes()
{
	awk -F, '{
		for (i = 1; i <= NF; i++) {
			n = split($i, range, "-")
			for (k = range[1]; k <= range[n]; k++)
				print k
		}
	}' /sys/devices/system/node/has_memory 2>/dev/null || echo 0
}

# cpu_of NODE: the number of a processor of the node; nothing if it has none.
cpu_of()
{
	for cpu in /sys/devices/system/node/node"$1"/cpu[0-9]*; do
		[ ! -e "$cpu" ] || echo "${cpu##*/cpu}"
	done | head -n 1
}

# since_mark prints the lines of the kernel's log since the last "mark".
mark()
{
	dmesg | wc -l >"$TMP/mark"
}

since_mark()
{
	dmesg | tail -n +$(($(cat "$TMP/mark") + 1))
}

# --- Modules ------------------------------------------------------------------

loaded()
{
	[ -d "/sys/module/$1" ]
}

load()
{
	for module; do
		loaded "$module" && continue
		insmod "$MODULES/$module.ko" || {
			fail "insmod $module"
			finish
		}
	done
}

unload()
{
	for module; do
		loaded "$module" || continue
		rmmod "$module" || fail "rmmod $module"
	done
}

# load_anew [MODULE...]: unload Quarry and load it again with these modules. Its books are empty.
load_anew()
{
	unload wordindex quarry_client quarry
	load quarry "$@"
}

# --- Files --------------------------------------------------------------------

# value FILE NAME: the value of NAME in a file of "name value" lines.
value()
{
	awk -v name="$2" '$1 == name { print $2 }' "$1"
}

stat()
{
	value "$QUARRY/stats" "$1"
}

cache_stat()
{
	value "$QUARRY/caches/$1/stats" "$2"
}

# by_label FUNCTION KEY: of a profile as text, "VALUE OBJECTS" for each value of a label, over the
# live objects whose leaf is FUNCTION.
by_label()
{
	awk -v wanted="$1" -v key="$2=" '
		/^[0-9]/ { objects = $1 + 0 }
		/^# site / {
			value = ""
			for (i = 4; i <= NF; i++)
				if (index($i, key) == 1)
					value = substr($i, length(key) + 1)
			leaf = 1
		}
		leaf && /^#\t/ {
			leaf = 0
			sub(/[+].*/, "", $3)
			if ($3 == wanted && value != "")
				n[value] += objects
		}
		END { for (value in n) print value, n[value] }' | sort
}

# client COMMAND...: have the client module run a command; returns its status. If the write
# fails the shell prints the error, which is kept in $TMP/error.
client()
{
	{ echo "$*" >"$CLIENT/run"; } 2>"$TMP/error"
}

result()
{
	value "$CLIENT/result" "$1"
}

drain()
{
	echo 1 >"$QUARRY/control/drain"
}

# The walker with the machine stopped, which finds the most. What it found is in the log.
validate()
{
	echo strict >"$QUARRY/control/validate" && return
	dmesg | grep 'the books do not agree' | tail -n 1 | sed 's/^/# /'
	return 1
}

# Sets verdict to what the walker in slices says. The shell reads the file itself, without a new
# process.
read_verdict()
{
	verdict=
	while read -r name text; do
		# shellcheck disable=SC2034 # for the tests
		[ "$name" != verdict ] || verdict=$text
	done <"$QUARRY/control/validate"
}

# The numbers of one reading of stats must agree. A number below zero shows as one of twenty
# digits, so live_objects must also be small.
balanced()
{
	awk '
	function equal(text, a, b) {
		if (a == b)
			return
		printf "# %s: %.0f is not %.0f\n", text, a, b
		wrong++
	}
	{ v[$1] = $2 }
	END {
		equal("sys = inuse + idle + metadata", v["sys_bytes"],
		      v["inuse_bytes"] + v["idle_bytes"] + v["metadata_bytes"])
		equal("held = inuse + idle", v["held_bytes"], v["inuse_bytes"] + v["idle_bytes"])
		equal("taken - returned = sys", v["taken_bytes"] - v["returned_bytes"],
		      v["sys_bytes"])
		equal("mallocs - frees = live", v["mallocs"] - v["frees"], v["live_objects"])
		if (v["live_objects"] > 1e15)
			equal("live is below zero", v["live_objects"], 0)
		exit wrong || NR == 0
	}' "$QUARRY/stats"
}

# Bytes of book-keeping, without the profiler's: its table keeps every row that it ever had.
metadata()
{
	awk '{ v[$1] = $2 } END {
		printf "%.0f", v["metadata_bytes"] - v["profile_bytes"] - v["magazine_array_bytes"]
	}' \
		"$QUARRY/stats"
}

# The same, once it no longer changes: some of it is freed after a grace period.
settled_metadata()
{
	last=
	for try in 1 2 3 4 5 6 7 8 9 10; do
		# Background work would release idle chunks later, and their descriptors too.
		echo 1 >"$QUARRY/control/scavenge"
		now=$(metadata)
		[ "$now" != "$last" ] || break
		last=$now
		sleep 0.3
	done
	[ "$try" != 10 ] || note "metadata_bytes does not come to rest"
	echo "$now"
}

# Wait a second without a new process. A process would take memory, and some of it would be
# freed only after the next grace period.
wait_quietly()
{
	[ -p "$TMP/never" ] || mkfifo "$TMP/never"
	# shellcheck disable=SC3045 # busybox has -t
	read -r -t 1 _ <>"$TMP/never"
}

# Bytes of a page. busybox has no getconf.
page_bytes()
{
	awk '/^KernelPageSize:/ { print $2 * 1024; exit }' /proc/self/smaps
}

# Sets pages_free. MemFree leaves out the pages in the processors' own lists, where pages that
# were freed singly are. So both are read, from one file, because between two readings pages
# would move. The shell itself reads it. The counters are brought up to date first.
count_free_pages()
{
	echo 1 >/proc/sys/vm/stat_refresh
	pages_free=0
	while read -r word next count _; do
		case "$word $next" in
		"pages free") pages_free=$((pages_free + count)) ;;
		"count: "*) pages_free=$((pages_free + next)) ;;
		esac
	done </proc/zoneinfo
}

# Have the kernel free memory that it holds without need: cached files, empty slabs, and
# mappings that it unmaps lazily.
settle_memory()
{
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	for shrink in /sys/kernel/slab/*/shrink; do
		[ ! -w "$shrink" ] || echo 1 >"$shrink"
	done 2>/dev/null
	wait_quietly
}
