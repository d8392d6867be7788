#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Each allocation that Quarry asks of the kernel fails once. Then the request fails, or
# succeeds without this memory. Nothing is leaked, and nothing breaks.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
is_slow || skip_all "no fault injection here"

# Inject failures also into requests that may sleep and into those for single pages, which are
# spared by default. Do not print the injected failures.
for fault in failslab fail_page_alloc; do
	echo N >"$DEBUGFS/$fault/ignore-gfp-wait"
	echo 0 >"$DEBUGFS/$fault/verbose"
done
echo 0 >"$DEBUGFS/fail_page_alloc/min-order"
echo N >"$DEBUGFS/fail_page_alloc/ignore-gfp-highmem"

# Nothing is live and the books agree.
intact()
{
	balanced && validate && [ "$(stat live_objects)" = 0 ]
}

# look: read the result of an operation, and the books after it. Sets worked, injected, spoilt,
# now (see metadata) and chunks. It takes only one process, because it runs hundreds of times.
look()
{
	worked='' injected='' spoilt=1 now='' chunks=''
	eval "$(awk '
		/wrong contents/ { spoilt = 1 }
		{ v[$1] = $2 }
		END {
			printf "worked=%d injected=%d spoilt=%d now=%.0f chunks=%d\n",
			       v["worked"], v["injected"], spoilt,
			       v["metadata_bytes"] - v["profile_bytes"] - v["magazine_array_bytes"],
			       v["chunks"]
		}' "$CLIENT/result" "$QUARRY/stats")"
}

# sweep OP LEAST: repeat an operation, and fail its first, its second, ... allocation, until it
# makes no more. It must make at least LEAST. It first runs without faults, so that the page heap
# has its final size.
sweep()
{
	client failnth "op=$1" || fail "$1 without faults"
	drain
	before=$(settled_metadata)
	had=$(stat chunks)
	nth=0 failures=0 wrong=0
	while :; do
		nth=$((nth + 1))
		client failnth "op=$1" "nth=$nth" || wrong=$((wrong + 1))
		drain
		look
		[ "$worked" = 1 ] || failures=$((failures + 1))
		[ "$spoilt" = 0 ] || wrong=$((wrong + 1))
		if [ "$now" != "$before" ]; then
			now=$(settled_metadata)
			chunks=$(stat chunks)
		fi
		# After a failure the request may go to another node, whose page heap grows.
		if [ "$chunks" != "$had" ]; then
			had=$chunks before=$now
		fi
		if [ "$now" != "$before" ]; then
			note "$1, allocation $nth: metadata $now instead of $before"
			wrong=$((wrong + 1))
			before=$now
		fi
		intact || wrong=$((wrong + 1))
		[ "$injected" = 1 ] || break
		[ "$nth" -lt 2000 ] || break
	done
	note "$1: $((nth - 1)) allocations, of which $failures made it fail"
	within "$1: allocations" $((nth - 1)) "$2" 1999
	same "$1: wrong endings" "$wrong" 0
}

# rate BYTES: set the sampling rate.
rate()
{
	echo "$1" >"$QUARRY/profile/rate" || fail "rate $1"
}

load_anew quarry_client
rate 0
sweep create 4
same "create: the request failed for some" "$((failures > 0))" 1
sweep first 1
sweep bulk 1
sweep nofail 1
same "nofail: failures" "$failures" 0
sweep row 1
sweep mapped 10
same "mapped: the request failed for some" "$((failures > 0))" 1
sweep realloc 1
sweep reserve 1
sweep pool 4
same "pool: the request failed for some" "$((failures > 0))" 1
sweep arena 5
same "arena: a request failed for some" "$((failures > 0))" 1

# A sample that cannot be recorded is dropped and counted. The client's request still succeeds.
rate 1
sweep first 2
same "first, sampled: failures" "$failures" 0
sweep bulk 2
same "bulk, sampled: failures" "$failures" 0
sweep large 2
sweep arena 10
expect "samples were dropped and counted" test "$(stat dropped_samples)" -gt 0
rate 0

# With an empty page heap the operation also needs chunks, and with an empty profile it needs
# rows, stacks and labels.
for op in first large bulk row; do
	nth=0 failures=0 wrong=0
	while :; do
		nth=$((nth + 1))
		load_anew quarry_client
		if [ "$op" = bulk ]; then rate 0; else rate 1; fi	# too many for bulk at 1
		client failnth "op=$op" "nth=$nth" || wrong=$((wrong + 1))
		[ "$(result worked)" = 1 ] || failures=$((failures + 1))
		intact || wrong=$((wrong + 1))
		[ "$(result injected)" = 1 ] || break
		[ "$nth" -lt 100 ] || break
	done
	note "$op in an empty heap: $((nth - 1)) allocations, $failures made it fail"
	within "$op in an empty heap: allocations" $((nth - 1)) 3 99
	same "$op in an empty heap: wrong endings" "$wrong" 0
done

# below START END: from now on, allocations fail, and count, only if a function between these
# addresses is on the stack.
below()
{
	for fault in failslab fail_page_alloc; do
		echo "0x$1" >"$DEBUGFS/$fault/require-start"
		echo "0x$2" >"$DEBUGFS/$fault/require-end"
	done
}

# Only the allocations of the module's own init function fail. The kernel also allocates memory
# to load a module, for tracepoints and jump labels for example, and warns when that fails.
range=$(awk '
	{ a = "x" $1 }
	pass == 1 && $3 == "do_one_initcall" { start = a }
	pass == 2 && a > start && (end == "" || a < end) { end = a }
	END { print substr(start, 2), substr(end, 2) }' pass=1 /proc/kallsyms pass=2 /proc/kallsyms)
[ "$range" != " " ] || fail "the kernel has no do_one_initcall"
# shellcheck disable=SC2086 # two words
below $range

# Loading. To try every allocation would take minutes, so one in $step is tried. The first one
# depends on the clock, so that each run tries other allocations.
unload quarry_client quarry
step=${QUARRY_NTH_STEP:-131}
nth=$((1 + $(date +%s) % step))
note "loading: from allocation $nth in steps of $step"
tries=0 refused=0 wrong=0
while :; do
	answer=$(./modload nth "$MODULES/quarry.ko" quarry "$nth") || {
		note "allocation $nth: modload failed"
		wrong=$((wrong + 1))
		break
	}
	tries=$((tries + 1))
	case $answer in
	clean*) break ;;
	"injected loaded") ;;
	"injected Cannot allocate memory") refused=$((refused + 1)) ;;
	*)
		note "allocation $nth: $answer"
		wrong=$((wrong + 1))
		;;
	esac
	if loaded quarry || [ -d "$QUARRY" ]; then
		note "allocation $nth: something is left"
		wrong=$((wrong + 1))
		break
	fi
	nth=$((nth + step))
done
same "loading: the last try" "$answer" "clean loaded"
note "loading: $tries of about $nth allocations failed, $refused of them the load"
within "loading: failures that it does not survive" "$refused" 3 100000
same "loading: wrong endings" "$wrong" 0
same "loading: messages about memory that was kept" \
	"$(dmesg | grep -c 'quarry: unloaded with')" 0
below 0 ffffffffffffffff
load quarry quarry_client
expect "after all that it loads and works" client hold mib=4
client release || fail "release"

# --- The page heap grows and shrinks while one in five of its requests fails ------------

# The addresses of Quarry's own functions, without the client's.
# shellcheck disable=SC2046 # two words
below $(awk '$4 == "[quarry]" && $2 ~ /[tT]/ {
	a = "x" $1
	if (first == "" || a < first) first = a
	if (a > last) last = a
} END { print substr(first, 2), substr(last, 2) }' /proc/kallsyms)

# often PERCENT: from now on, so many per cent of the allocations fail.
often()
{
	for fault in failslab fail_page_alloc; do
		echo N >"$DEBUGFS/$fault/task-filter"
		echo -1 >"$DEBUGFS/$fault/times"
		echo "$1" >"$DEBUGFS/$fault/probability"
	done
}

(echo 0 >"$QUARRY/control/retain_percent") || fail "retain_percent 0"
client churn mib=24 turns=4 || fail "churn without faults"
before=$(stat failed_allocs) released=$(stat released_bytes)
often 20
client churn mib=24 "turns=${QUARRY_TURNS:-12}" lossy=1 &
pid=$!
rounds=0 wrong=0
while kill -0 "$pid" 2>/dev/null; do
	echo 1 >"$QUARRY/control/scavenge" || wrong=$((wrong + 1))
	drain
	validate || wrong=$((wrong + 1))
	rounds=$((rounds + 1))
done
wait "$pid"
same "with faults: its end" $? 0
often 0
below 0 ffffffffffffffff
within "with faults: requests refused" "$(result refused)" 1 1000000
same "with faults: failed_allocs" $(($(stat failed_allocs) - before)) "$(result refused)"
note "with faults: $(tr '\n' ' ' <"$CLIENT/result")"
within "with faults: MiB given back" $((($(stat released_bytes) - released) >> 20)) 24 1000000
within "with faults: rounds of scavenge and drain" "$rounds" 2 1000000
same "with faults: wrong rounds" "$wrong" 0
expect "with faults: nothing is live and the books agree" intact
drain
echo 1 >"$QUARRY/control/scavenge" || fail "scavenge"
same "with faults: bytes in use and idle after all that" \
	"$(stat inuse_bytes) $(stat idle_bytes)" "0 0"
expect "without faults it has what it wants" client churn mib=24 turns=4

./dev 1 1 faults >"$TMP/dev" 2>&1 || fail "dev ends with status $?"
while read -r line; do
	case $line in
	"ok "*) ok "/dev/quarry: ${line#ok }" ;;
	"not ok "*) fail "/dev/quarry: ${line#not ok }" ;;
	*) note "$line" ;;
	esac
done <"$TMP/dev"
expect "the walker finds no error" validate
finish
