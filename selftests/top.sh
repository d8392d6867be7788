#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# "quarry top --batch", "quarry record" and "quarry events --json" with the running module: what
# they print agrees with the module's files, a recording stays within its bytes, and one that was
# killed goes on and can be read.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

command -v quarry >/dev/null || skip_all "the command quarry is not here"
load_anew quarry_client
client hold mib=4 || fail "hold"
quarry rate 4K >/dev/null || fail "rate"
rec=$TMP/rec

# json KEY [FILE]: the first value of a member, wherever it stands.
json()
{
	sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "${2:-$TMP/out}" | head -n 1
}

# service SECONDS: the client allocates and frees meanwhile.
service()
{
	echo "leak seconds=$1" >"$CLIENT/run" &
	load=$!
	sleep 1
}

# --- top ------------------------------------------------------------------------

expect "top" sh -c "quarry top --batch 2 --interval 0.5 --bytes >'$TMP/out'"
same "top: a head for each round" "$(grep -c '^Memory ' "$TMP/out")" 2
# Nothing runs, so the two readings are of the same moment.
awk '/^cache / { n++; next } n == 2 && NF > 5 && !/^[(]/ { print $1, $3 }' "$TMP/out" |
	sort >"$TMP/shown"
awk '!/^#/ { print $1, $4 }' "$QUARRY/caches/table" | sort >"$TMP/table"
within "top: caches" "$(grep -c . "$TMP/shown")" 1 20
expect "top: memory of caches, as in the module's table" sh -c \
	"! grep -vxFf '$TMP/table' '$TMP/shown'"

service 6
expect "top under load" sh -c "quarry top --batch 3 --interval 1 --view sites --json >'$TMP/out'"
wait $load || fail "leak"
same "top: a document a round" "$(grep -c . "$TMP/out")" 3
same "top: of this command" "$(json command)" top
sed -n 3p "$TMP/out" >"$TMP/last"
within "top: calls a second" "$(json mallocs_per_second "$TMP/last")" 1 1000000000
within "top: sites of the service" \
	"$(tr '{' '\n' <"$TMP/last" | grep -c '"stack":"[^"]*leak_')" 1 100
# The heap's domain has no processes; a domain that is off has a sentence.
got=0
quarry top --batch 1 --view kernel 2>"$TMP/err" || got=$?
same "top of a domain that is off: status" "$got" 1
expect "top of a domain that is off: a sentence" grep -q 'quarry kernel on slab' "$TMP/err"

# --- record ---------------------------------------------------------------------

# bytes_of DIR: what it takes on the disk.
bytes_of()
{
	echo $(($(du -s -k "$1" | cut -f 1) * 1024))
}

moments()
{
	find "$1" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | wc -l
}

service 6
expect "record" quarry record -o "$rec" --interval 0.5 --moments 10
wait $load || fail "leak"
same "record: moments" "$(moments "$rec")" 10
expect "report" sh -c "quarry report '$rec' --json >'$TMP/out'"
same "report: moments" "$(json moments)" 10
same "report: none is damaged" "$(json damaged)" 0
expect "report: the leak is there" grep -q 'leak_session' "$TMP/out"

# A recording of few bytes: the oldest moments go.
each=$(($(bytes_of "$rec") / 10))
most=$((each * 5))
expect "record in few bytes" quarry record -o "$TMP/small" --interval 0.1 --moments 20 \
	--max-bytes "$most"
within "its bytes" "$(bytes_of "$TMP/small")" $((each / 2)) "$most"
within "its moments" "$(moments "$TMP/small")" 2 5
expect "it can be read" sh -c "quarry report '$TMP/small' >'$TMP/out'"

# Killed in the middle, a few times, it goes on where it was.
for try in 1 2 3 4 5; do
	before=$(moments "$rec")
	quarry record -o "$rec" --interval 0.1 2>"$TMP/err" &
	recorder=$!
	until [ "$(moments "$rec")" -gt "$before" ] || ! kill -0 $recorder 2>/dev/null; do
		sleep 0.1
	done
	kill -9 $recorder || fail "$try: the recorder ended by itself: $(cat "$TMP/err")"
	wait $recorder 2>/dev/null
done
before=$(moments "$rec")
within "killed five times: moments" "$before" 15 100000
expect "record goes on" quarry record -o "$rec" --interval 0.1 --moments 3
same "with new moments" "$(moments "$rec")" $((before + 3))
expect "report reads all" sh -c "quarry report '$rec' --json >'$TMP/out'"
same "none is lost" "$(json moments)" $((before + 3))
same "none is damaged" "$(json damaged)" 0
same "nothing half written stays" \
	"$(find "$rec" -mindepth 1 -maxdepth 1 ! -name '[0-9]*' -type d | wc -l)" 0

# Two recorders of one folder would mix their moments.
quarry record -o "$rec" --interval 1 2>/dev/null &
recorder=$!
until [ "$(moments "$rec")" -gt $((before + 3)) ]; do sleep 0.1; done
got=0
timeout 20 quarry record -o "$rec" --moments 1 2>"$TMP/err" || got=$?
same "a second recorder is refused" "$got" 1
sed 's/^/# /' "$TMP/err"
kill $recorder
wait $recorder
same "SIGTERM ends a recorder: status" $? 0

# --- events ---------------------------------------------------------------------

quarry rate 1 >/dev/null || fail "rate"
service 3
expect "events" sh -c "timeout 60 quarry events --frees --json -n 200 >'$TMP/out'"
wait $load || fail "leak"
same "events: one object a line" "$(grep -c '^{.*}$' "$TMP/out")" 200
within "events: allocations" "$(grep -c '"type":"alloc"' "$TMP/out")" 1 199
within "events: frees" "$(grep -c '"type":"free"' "$TMP/out")" 1 199
same "events: each has a time, a size and a site" "$(grep -cE \
	'"time_ns":[1-9][0-9]*,.*"size":[1-9][0-9]*,.*"site":[0-9]+,' "$TMP/out")" 200
# With a rate of 1 each event is an object, and stands for itself.
same "events: what they stand for" "$(
	sed -n 's/.*"size":\([0-9]*\),.*"stands_for":\([0-9]*\),.*/\1 \2/p' "$TMP/out" |
		awk '$1 == $2' | wc -l)" 200
expect "events: their numbers rise" sh -c "sed 's/.*\"seq\"://; s/}//' '$TMP/out' | sort -c -n -u"

client unleak || fail "unleak"
client release || fail "release"
unload quarry_client quarry
finish
