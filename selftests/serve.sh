#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# "quarry serve": profiles and metrics agree with debugfs, the server has no rights and keeps no
# file of the module open, and clients that behave badly do not keep others from their answers.
# kernel_serve.sh has the domains of the kernel profile.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=serve_lib.sh
. ./serve_lib.sh
load_anew quarry_client
echo 1 >"$QUARRY/profile/rate"

refcnt()
{
	cat /sys/module/quarry/refcnt
}

of_status()
{
	awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"
}

users=$(refcnt)
serve

# --- Rights -----------------------------------------------------------------------

for set in CapInh CapPrm CapEff CapBnd CapAmb; do
	same "$set of the server" "$(of_status "$server" $set)" 0000000000000000
done
same "user of the server" "$(of_status "$server" Uid)" 65534
same "group of the server" "$(of_status "$server" Gid)" 65534
same "the server gains no rights" "$(of_status "$server" NoNewPrivs)" 1
# CAP_DAC_READ_SEARCH is number 2, CAP_PERFMON 38.
same "CapEff of the opener" "$(of_status "$opener" CapEff)" 0000004000000004
same "CapBnd of the opener" "$(of_status "$opener" CapBnd)" 0000004000000004
same "user of the opener" "$(of_status "$opener" Uid)" 65534
same "the opener gains no rights" "$(of_status "$opener" NoNewPrivs)" 1
same "users of the module: the server is none" "$(refcnt)" "$users"

# --- Pages ------------------------------------------------------------------------

client hold mib=4 || fail "hold"
expect "the index" fetch / "$TMP/index"
for page in heap allocs peak lifetime fragmentation; do
	expect "the index has $page" grep -q "/debug/pprof/$page\"" "$TMP/index"
	expect "$page" fetch "/debug/pprof/$page" "$TMP/$page.gz"
	expect "$page is compressed" gunzip -t "$TMP/$page.gz"
	expect "$page as text" fetch "/debug/pprof/$page?debug=1" "$TMP/$page.txt"
	grep -v '^#' "$TMP/$page.txt" | sort >"$TMP/got"
	grep -v '^#' "$QUARRY/profile/$page.txt" | sort >"$TMP/wanted"
	[ "$page" != lifetime ] || continue
	expect "$page has the rows of debugfs" cmp -s "$TMP/got" "$TMP/wanted"
done
expect "a profile that the program reads" \
	sh -c "quarry diff '$TMP/heap.gz' '$TMP/heap.gz' >/dev/null"
within "rows of the heap" "$(grep -c '^[0-9]' "$TMP/heap.txt")" 1 100000
same "a page that there is not" "$(status_of /debug/pprof/nix)" 404
same "a bad argument" "$(status_of '/debug/pprof/heap?seconds=601')" 400
same "a domain that is off" "$(status_of '/debug/pprof/heap?domain=slab')" 409
same "a stranger's name" "$(status_of /metrics 'Host: evil.example')" 403

# --- Metrics ----------------------------------------------------------------------

cat "$QUARRY/stats" >"$TMP/before"
expect "metrics" fetch /metrics "$TMP/metrics"
cat "$QUARRY/stats" >"$TMP/after"
expect "their type" grep -q 'Content-Type: text/plain; version=0.0.4; charset=utf-8' "$TMP/head"
same_numbers "every number of stats is in the metrics" "$TMP/before" "$TMP/after" quarry_ '' \
	"$TMP/metrics"
cat "$QUARRY/kernel/slab/stats" >"$TMP/slab"
same_numbers "and those of kernel/slab/stats" "$TMP/slab" "$TMP/slab" quarry_kernel_ \
	'{domain="slab"}' "$TMP/metrics"
same "bytes of all caches" \
	"$(awk '/^quarry_cache_inuse_bytes/ { n += $2 } END { print n }' "$TMP/metrics")" \
	"$(awk '!/^#/ { n += $4 } END { print n }' "$QUARRY/caches/table")"
expect "OpenMetrics" fetch /metrics "$TMP/open" 'Accept: application/openmetrics-text; version=1.0.0'
expect "its type" grep -q 'Content-Type: application/openmetrics-text; version=1.0.0' "$TMP/head"
same "its end" "$(tail -n 1 "$TMP/open")" "# EOF"
within "series" "$(grep -vc '^#' "$TMP/open")" 100 700

# --- The live page ----------------------------------------------------------------

# row_sum FILE NAME: the sum of a number of all rows of caches.
row_sum()
{
	sed 's/{"name"/\n&/g' "$1" | sed -n "s/^{\"name\".*\"$2\":\([0-9]*\).*/\1/p" |
		awk '{ n += $1 } END { print n + 0 }'
}

# json_number FILE NAME: a number that is not of a row.
json_number()
{
	sed -n "s/{\"name\".*//; s/.*\"$2\":\([0-9.]*\).*/\1/p" "$1"
}

expect "the live page" fetch /live "$TMP/live"
expect "it is the page" grep -q '<title>Quarry, live</title>' "$TMP/live"
expect "a view" fetch '/live.json?view=caches&rows=500' "$TMP/live.json"
expect "its schema" grep -q '^{"schema":1,"command":"live",' "$TMP/live.json"
same "its rows" "$(json_number "$TMP/live.json" rows)" "$(grep -vc '^#' "$QUARRY/caches/table")"
same "bytes of its rows" "$(row_sum "$TMP/live.json" inuse_bytes)" \
	"$(awk '!/^#/ { n += $4 } END { print n }' "$QUARRY/caches/table")"
sleep 1.1
fetch /live.json "$TMP/live.json" || fail "the first reading"
client hold mib=1 || fail "hold"
objects=$(result objects)
sleep 1.1
fetch /live.json "$TMP/live.json" || fail "the second reading"
# The rate is a whole number, so the product is off by half of the seconds at most.
# shellcheck disable=SC2016 # for awk
within "allocations of the second before, by their rate" "$(awk \
	-v rate="$(json_number "$TMP/live.json" mallocs_per_second)" \
	-v seconds="$(json_number "$TMP/live.json" seconds)" \
	'BEGIN { printf "%d", rate * seconds + seconds }')" "$objects" $((objects + 1000))
expect "sites" fetch '/live.json?view=sites' "$TMP/live.json"
expect "hold is one" grep -q '"stack":"hold' "$TMP/live.json"
expect "processes" fetch '/live.json?view=processes' "$TMP/live.json"
expect "this one is there" grep -q "\"comm\":\"$(cat /proc/$$/comm)\"" "$TMP/live.json"
same "a domain that is off" "$(status_of '/live.json?view=kernel&domain=slab')" 409
same "users of the module: a view is none" "$(refcnt)" "$users"

# --- Deltas -----------------------------------------------------------------------

fetch '/debug/pprof/heap?seconds=3&debug=1' "$TMP/delta" &
waiting=$!
until_same "users of the module while a client waits" $((users + 1)) refcnt
wait "$waiting"
same "status of the delta" $? 0
expect "it is a delta" grep -q 'delta' "$TMP/delta"
same "users of the module afterwards" "$(refcnt)" "$users"

./sloppy $PORT gone 3 &
waiting=$!
until_same "users of the module while three wait" $((users + 3)) refcnt
same "a fourth delta" "$(status_of '/debug/pprof/heap?seconds=5')" 503
expect "a profile of now" fetch /debug/pprof/heap "$TMP/heap.gz"
expect "the metrics meanwhile" fetch /metrics "$TMP/metrics"
same "profiles that are being taken" "$(metric "$TMP/metrics" quarry_serve_profiles)" 3
wait "$waiting"
same "three who go away" $? 0
until_same "users of the module when they have gone" "$users" refcnt

# The time since the guest's start.
hundredths()
{
	cut -d ' ' -f 1 /proc/uptime | tr -d .
}

# --- gc=1 -------------------------------------------------------------------------

# At a rate of 1 no object is in a magazine.
echo default >"$QUARRY/profile/rate"
client leak seconds=1 forgetful=1000000 || fail "leak"
within "objects in magazines before" "$(stat cached_objects)" 1 100000000
sleep 1
expect "gc=1" fetch '/debug/pprof/heap?gc=1' "$TMP/heap.gz"
within "objects in magazines after it" "$(stat cached_objects)" 0 10
# Both of two requests are made and answered within a second. A slow machine gets more tries at that.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	sleep 1.1
	begin=$(hundredths)
	fetch '/debug/pprof/heap?gc=1' "$TMP/heap.gz"
	answer_of '/debug/pprof/heap?gc=1' 0.3 >"$TMP/answer"
	took=$(($(hundredths) - begin))
	[ "$took" -ge 100 ] || [ ! -s "$TMP/answer" ] || break
done
within "hundredths of a second for two requests" "$took" 0 99
expect "gc=1 again at once" grep -q '^HTTP/1.[01] 503' "$TMP/answer"
expect "the answer says when to try again" grep -q "once a second" "$TMP/answer"

# --- Clients that behave badly ----------------------------------------------------

# Each number is in milliseconds. The emulated processor is busy with the bad clients themselves, so
# the bound only tells an answer from a server that waits for one of them: it would be 10 s.
measure()
{
	./sloppy $PORT good "$1" "$(choose 40 10)" >"$TMP/good"
	value "$TMP/good" median_ms
}

peak_kb()
{
	of_status "$server" VmHWM
}

for page in /metrics /debug/pprof/heap; do
	measure $page >/dev/null
	alone=$(measure $page)
	for kind in silent half slow big mixed; do
		mkfifo "$TMP/bad"
		./sloppy $PORT bad $kind 200 600 >"$TMP/bad" &
		bad=$!
		read -r line <"$TMP/bad"
		among=$(measure $page)
		same "$page among 200 $kind: refused" "$(value "$TMP/good" failed)" 0
		within "$page among 200 $kind: ms more than $alone" $((among - alone)) -100000 2000
		kill "$bad"
		wait "$bad" 2>/dev/null
		rm "$TMP/bad"
	done
done
note "$line"

# A crowd that comes and goes while a good client asks in turns, among it and alone. The time of the
# processor that the server had until the answer was there says what an answer costs more, whoever
# else is at work; the emulated processor is the clients', too. It is judged where that time is made of
# instructions (QUARRY_EXACT), and not of what a busy machine leaves to the guest.
crowd()
{
	./sloppy $PORT crowd "$1" $((200 * ${QUARRY_ROUNDS:-5})) 200 "$server" >"$TMP/crowd"
	sed 's/^/# /' "$TMP/crowd"
	within "$1 and a crowd: clients" "$(value "$TMP/crowd" clients)" 200 1000000
	same "$1 and a crowd: failed" "$(value "$TMP/crowd" failed)" 0
	same "$1 and a crowd: refused" "$(value "$TMP/crowd" busy)" 0
	more=$((($(value "$TMP/crowd" among_work_us) - $(value "$TMP/crowd" alone_work_us)) / 1000))
	if [ -n "${QUARRY_EXACT:-}" ]; then
		within "$1 and a crowd: ms of work more" $more -100000 100
	else
		note "$1 and a crowd: ms of work more: $more"
	fi
}

resident_kb()
{
	of_status "$server" VmRSS
}

crowd /debug/pprof/heap
resident=$(resident_kb)
crowd /metrics
within "memory after a second crowd, KiB more than the $resident before" \
	$(($(resident_kb) - resident)) -1000000 16384

./sloppy $PORT bad storm 40 600 >"$TMP/line" &
bad=$!
measure /metrics >/dev/null
same "/metrics in a storm: refused" "$(value "$TMP/good" failed)" 0
kill "$bad"
wait "$bad" 2>/dev/null
within "most memory of the server, KiB" "$(peak_kb)" 1000 200000
until_same "users of the module after all that" "$users" refcnt
expect "the metrics after all that" fetch /metrics "$TMP/metrics"
within "bytes that clients have not read" "$(metric "$TMP/metrics" quarry_serve_held_bytes)" 0 0

# --- The module goes and comes back -----------------------------------------------

unload quarry_client
expect "the module unloads under the server" rmmod quarry
same "metrics without the module" "$(status_of /metrics)" 503
same "a profile without it" "$(status_of /debug/pprof/heap)" 503
load quarry
expect "metrics when it is loaded again" fetch /metrics "$TMP/metrics"
expect "a profile" fetch /debug/pprof/heap "$TMP/heap.gz"
unserve
expect "the opener ends with the server" sh -c "! kill -0 $opener 2>/dev/null"

# --- A token ----------------------------------------------------------------------

(umask 077 && echo s3cret >"$TMP/token")
serve --token-file "$TMP/token"
same "without a token" "$(status_of /metrics)" 401
same "with a wrong one" "$(status_of /metrics 'Authorization: Bearer s3creT')" 401
same "with the token" "$(status_of /metrics 'Authorization: Bearer s3cret')" 200
unserve
serve --listen 0.0.0.0:$PORT
expect "an address that others reach has a warning" \
	sh -c "echo '$said' | grep -q 'can be reached from other machines'"
unserve
unload quarry
expect "without the module it does not start" sh -c "quarry serve 2>'$TMP/error'; [ \$? = 3 ]"
expect "and says what helps" grep -q modprobe "$TMP/error"
load quarry
finish
