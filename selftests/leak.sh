#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A leak is found as a person would find it. The leaking site is a small part of the load, and
# loses one object in a thousand. It must be the first line of the delta profile. In a shell:
#
#	exec 3<>/sys/kernel/debug/quarry/profile/top
#	echo reset >&3		# the delta begins
#	sleep 60
#	head <&3		# the sites that grew most since then come first
#
# Each other site of the load holds up to 256 KiB. With one sample per 64 KiB, a leak of
# 2 MiB has some 30 samples: the estimate is known within a fifth, and is far above 256 KiB.
# With the default of one sample per 512 KiB it takes eight times as long to be as sure.
#
# QUARRY_LEAK_SECONDS: seconds of load (default 20); a person would wait a minute

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

seconds=${QUARRY_LEAK_SECONDS:-20}
forgetful=$(choose 1000 100)
rate=$(choose 64K 16K)
echo "$rate" >"$QUARRY/profile/rate"

leak()
{
	client leak "seconds=$1" "forgetful=$forgetful" || fail "leak"
}

# The most bytes that a site without a leak holds.
held()
{
	awk '$1 ~ /^leak_/ && $1 != "leak_session" && $3 > most { most = $3 } END { print most + 0 }' \
		"$CLIENT/result"
}

# What sessions hold: those that are in work, and those that are lost.
sessions()
{
	echo $(($(awk '$1 == "leak_session" { print $3 }' "$CLIENT/result") + $(result lost_space)))
}

# The service has been running for a while.
leak 2
exec 3<>"$QUARRY/profile/top"
exec 4<>"$QUARRY/profile/heap.folded"
exec 5<>"$QUARRY/profile/allocs.folded"
echo reset >&3
echo reset >&4
echo reset >&5
before=$(result leak_session)
held_before=$(sessions)
leak "$seconds"
# On a machine that is too busy to leak much, run the load for longer.
for _ in 1 2 3 4 5 6 7 8; do
	[ "$(result lost_space)" -lt $((8 * $(held))) ] || break
	note "so far $(result lost_space) bytes are lost"
	leak "$seconds"
done
sed 's/^/# /' "$CLIENT/result"

cat <&3 >"$TMP/top"
cat <&4 >"$TMP/folded"
cat <&5 >"$TMP/allocs"
exec 3<&- 4<&- 5<&-
head -n 6 "$TMP/top" | cut -c 1-140 | sed 's/^/# /'

# line N: line N of the table: bytes of growth, their error, bytes allocated, and the function
line()
{
	awk -v n="$1" '
	NR == 1 {
		for (i = 1; i <= NF; i++)
			column[$i] = i
	}
	NR == n + 1 {
		for (i = 1; i <= NF && $i !~ /^leak_/; i++)
			;
		sub(/\+.*/, "", $i)
		printf "%s %s %s %s\n", $1, $2, $column["alloc_bytes"], $i
	}' "$TMP/top"
}

# shellcheck disable=SC2046 # words
set -- $(line 1) $(line 2)
same "first line of the delta" "$4" leak_session
note "$1 +/- $2 bytes; next are $5 +/- $6"
truth=$(($(sessions) - held_before))
within "its growth" "$1" $((truth - 5 * $2)) $((truth + 5 * $2))
# A session of 2,000 bytes gets an object of 2,048 bytes.
allocated=$((($(result leak_session) - before) * 2048))
within "its allocated bytes over the truth, in per cent" $((100 * $3 / allocated)) 80 120
same "first line of the delta, folded" \
	"$(sed -n '1 { s/.*;\(leak_[a-z]*\);.*/\1/p }' "$TMP/folded")" leak_session
same "lines of allocations above the leaking site's, some" \
	"$(awk '/;leak_session;/ { exit } { n++ } END { print (n > 0) }' "$TMP/allocs")" 1

client unleak || fail "unleak"
same "live objects after all is freed" "$(stat live_objects)" 0
same "live samples" "$(stat live_samples)" 0
expect "the walker finds no error" validate
expect "the equations hold" balanced
unload quarry_client quarry
finish
