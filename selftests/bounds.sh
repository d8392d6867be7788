#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The profiler's memory is bounded, and samples that it has no room for are counted. A million
# samples come from 10,000 call stacks and 5,000 label sets, and a third of them stays live. All
# files of the profile are read in the meantime. Every allocation is sampled, so the sums over
# the rows are no estimates: they are exact to the byte.
#
# QUARRY_REQUESTS: number of requests, of 200 objects each

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

requests=${QUARRY_REQUESTS:-$(choose 5000 1600 2000)}
visits=$(choose 20 6)
stacks=$(choose 10000 8000)
keep=$(choose 3 1)		# one object in so many is kept

# start [PARAMETER...]: load Quarry anew, with these parameters and a sample at each allocation.
start()
{
	unload wordindex quarry_client quarry
	insmod "$MODULES/quarry.ko" rate=1 "$@" || {
		fail "insmod quarry"
		finish
	}
	load quarry_client
}

# --- Sums over a profile ----------------------------------------------------------

# sums FILE: the sums over the rows of profile/top, one "name value" per line. "wrong" counts the
# rows with more live than allocated.
sums()
{
	awk '
	/^# dropped/ { dropped = $3; dropped_space = $5 }
	/^#/ { next }
	{
		live_space += $1; live += $3; all_space += $5; all += $6
		wrong += $3 > $6 || $1 > $5
	}
	END {
		printf "live %.0f\nlive_space %.0f\nall %.0f\nall_space %.0f\n", live,
			live_space, all, all_space
		printf "dropped %.0f\ndropped_space %.0f\nwrong %d\n", dropped,
			dropped_space, wrong
	}' "$1"
}

# --- Every stack is told apart ----------------------------------------------------

start
n=$(choose 2000 500)
client crowd requests=1 "visits=$n" "stacks=$n" objects=3 threads=1 || fail "crowd"
cat "$QUARRY/profile/allocs.txt" >"$TMP/text"
awk '
/^[0-9]/ {
	row = $0
	sub(/.*@/, "", row)
	objects = substr($3, 2) + 0
}
/^# site/ { mine = / cache=malloc-64 .* request=r-0$/ }
# The thread may go to another node meanwhile, so rows that differ by their node only count as one.
/^# site/ && mine {
	gsub(/ site [0-9]+| node=[0-9]+/, "")
	objects_of[row $0] += objects
	sum += objects
	seen[row]++
}
END {
	for (row in objects_of) {
		rows++
		full += objects_of[row] == 3
	}
	for (row in seen)
		stacks++
	printf "rows %d\nstacks %d\nfull %d\nsum %d\n", rows, stacks, full, sum
}' "$TMP/text" >"$TMP/stacks"
large=$((3 * n / 1000))
same "a row for each of $n stacks" "$(value "$TMP/stacks" rows)" "$n"
same "stacks that differ" "$(value "$TMP/stacks" stacks)" "$n"
same "rows of three objects, but for where a large one was" "$(value "$TMP/stacks" full)" \
	$((n - large))
same "their objects" "$(value "$TMP/stacks" sum)" $((3 * n - large))

# --- More than there is room for ---------------------------------------------------

# Compares numbers of one copy of stats, because each reading has other numbers.
within_bounds()
{
	cat "$QUARRY/stats" >"$TMP/stats"
	awk '
	{ v[$1] = $2 }
	function most(name, limit) {
		if (v[name] <= limit)
			return
		printf "# %s is %.0f, more than %.0f\n", name, v[name], limit
		wrong++
	}
	END {
		most("profile_bytes", v["profile_max_bytes"])
		most("profile_bytes", v["metadata_bytes"])
		most("profile_sites", v["profile_max_sites"])
		most("profile_label_sets", 1024)
		most("live_samples", v["samples"])
		exit wrong || NR == 0
	}' "$TMP/stats"
}

# The number of samples in a profile lies between the numbers just before and just after it.
look_at_sums()
{
	before=$(stat samples)
	cat "$QUARRY/profile/top" >"$TMP/top" || return
	after=$(stat samples)
	sums "$TMP/top" >"$TMP/sums"
	[ "$(value "$TMP/sums" wrong)" = 0 ] &&
		[ "$(value "$TMP/sums" all)" -ge "$before" ] &&
		[ "$(value "$TMP/sums" all)" -le "$after" ] && return
	note "between $before and $after samples:" "$(tr '\n' ' ' <"$TMP/sums")"
	return 1
}

look()
{
	within_bounds || out=$((out + 1))
	bytes=$(value "$TMP/stats" profile_bytes)
	[ "$bytes" -le "$highest" ] || highest=$bytes
	looks=$((looks + 1))
}

# overflow TEXT REQUESTS: run the load, and check the profile during and after it.
overflow()
{
	what=$1
	client crowd "requests=$2" "visits=$visits" "stacks=$stacks" "keep=$keep" \
		threads=$(($(cpus_online) * 2 + 1)) &
	pid=$!
	looks=0 out=0 unread=0 inconsistent=0 highest=0
	while kill -0 "$pid" 2>/dev/null; do
		for file in profile/top profile/heap caches/malloc-64/profile/allocs.folded \
			profile/lifetime profile/fragmentation.folded profile/peak; do
			look
			look_at_sums || inconsistent=$((inconsistent + 1))
			look
			cat "$QUARRY/$file" >/dev/null || unread=$((unread + 1))
			kill -0 "$pid" 2>/dev/null || break
		done
	done
	wait "$pid"
	same "$what: status of the load" $? 0
	look
	for file in "$QUARRY"/profile/*; do
		cat "$file" >/dev/null || unread=$((unread + 1))
	done
	within "$what: looks meanwhile" "$looks" 3 1000000
	same "$what: looks that found too much" "$out" 0
	same "$what: files that did not read" "$unread" 0
	same "$what: profiles that do not add up" "$inconsistent" 0
	sums_are_exact
	note "profile_bytes up to $highest of $(stat profile_max_bytes)"
	note "$(grep -E '^(samples|live_s|dropped|other|profile_)' "$QUARRY/stats" |
		awk '{ printf "%s %s  ", $1, $2 }')"
}

sums_are_exact()
{
	objects=$(result objects)
	live=$(result live)
	same "$what: mallocs" "$(stat mallocs)" "$objects"
	same "$what: samples and those dropped" \
		$(($(stat samples) + $(stat dropped_samples))) "$objects"
	same "$what: live objects" "$(stat live_objects)" "$live"
	within "$what: live objects that are not sampled" \
		$((live - $(stat live_samples))) 0 "$(stat dropped_samples)"

	cat "$QUARRY/profile/top" >"$TMP/top"
	sums "$TMP/top" >"$TMP/sums"
	same "$what: rows with more live than allocated" "$(value "$TMP/sums" wrong)" 0
	same "$what: objects of all rows" "$(value "$TMP/sums" all)" "$(stat samples)"
	same "$what: bytes of all rows and those dropped" \
		$(($(value "$TMP/sums" all_space) + $(stat dropped_bytes))) "$(result space)"
	same "$what: live objects of all rows" "$(value "$TMP/sums" live)" "$(stat live_samples)"
	same "$what: live bytes of all rows" "$(value "$TMP/sums" live_space)" \
		"$(stat sampled_live_bytes)"
	same "$what: the profile says what was dropped" \
		"$(value "$TMP/sums" dropped) $(value "$TMP/sums" dropped_space)" \
		"$(stat dropped_samples) $(stat dropped_bytes)"

	cat "$QUARRY/profile/heap.txt" >"$TMP/text"
	same "$what: the first line of the text" "$(sed -n '1 { s/ @.*//p; q }' "$TMP/text")" \
		"$(awk '{ v[$1] = $2 }
		END {
			printf "heap profile: %s: %s [%s: %s]", v["live"], v["live_space"],
				v["all"], v["all_space"]
		}' "$TMP/sums")"
	same "$what: objects without stack or labels" \
		"$(grep -F -B 1 ' labels=other' "$TMP/text" | tr -d '][:' |
			awk '/^[0-9]/ { n += $3 } END { printf "%.0f", n }')" \
		"$(stat other_samples)"
	same "$what: bytes freed, by age" \
		"$(awk '{ n += $NF } END { printf "%.0f", n }' "$QUARRY/profile/lifetime.folded")" \
		$(($(value "$TMP/sums" all_space) - $(value "$TMP/sums" live_space)))
	drain	# because the dump shows the objects in magazines as live
	cat "$QUARRY/heapdump" >"$TMP/text"
	same "$what: objects in the heap dump" "$(grep -cE '^[0-9a-f]{16} ' "$TMP/text")" "$live"
	same "$what: those that are sampled" $((live - $(grep -c -- '-$' "$TMP/text"))) \
		"$(stat live_samples)"
	rm "$TMP/text"
}

released()
{
	full=$(stat profile_bytes)
	client uncrowd || fail "uncrowd"
	drain
	same "$what: live samples after all is freed" "$(stat live_samples)" 0
	same "$what: sampled_live_bytes" "$(stat sampled_live_bytes)" 0
	cat "$QUARRY/profile/top" >"$TMP/top"
	sums "$TMP/top" >"$TMP/sums"
	same "$what: live objects of all rows" "$(value "$TMP/sums" live)" 0
	within "$what: memory for samples given back" $((full - $(stat profile_bytes))) 1000 "$full"
	same "$what: slabs after a drain" "$(stat slabs)" 0
	expect "$what: the walker finds no error" validate
	expect "$what: the equations hold" balanced
	mark
	unload quarry_client quarry
	same "$what: lines that say something was not given back" \
		"$(since_mark | grep -c 'not given back\|never freed')" 0
}

start profile_kib="$(choose 0 5120 5120)"
note "$requests requests, $visits visits each, $stacks stacks"
overflow "a million" "$requests"
within "samples and those dropped" $(($(stat samples) + $(stat dropped_samples))) \
	$((requests * visits * 10)) $((requests * visits * 10))
# Half of the room is for sets with a task's name. Sets that no row has any more are used again.
within "label sets" "$(stat profile_label_sets)" 500 1024
same "rows, all that there may be" "$(stat profile_sites)" "$(stat profile_max_sites)"
within "samples without stack or labels" "$(stat other_samples)" 1000 1000000000
within "samples dropped" "$(stat dropped_samples)" 1000 1000000000
released

# The profiler has used up its memory before any of its tables is full.
start profile_kib=1024
overflow "1 MiB" $((requests / 4))
within "samples dropped" "$(stat dropped_samples)" 1000 1000000000
released
finish
