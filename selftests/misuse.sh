#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Each kind of misuse is counted, reported in one line, and survived.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

# misuse KIND COUNTER TEXT CACHE CALLER [LIVE]: the client makes a mistake. COUNTER must grow by
# one, and one line of the log must have TEXT, CACHE and CALLER, a function of the client. LIVE objects
# stay (default 0).
misuse()
{
	before=$(stat "misuse_$2")
	others=$(awk '/^misuse/ { n += $2 } END { print n }' "$QUARRY/stats")
	mark
	expect "$1: the client goes on" client misuse "kind=$1"
	object=$(result object)
	since_mark | grep 'quarry: misuse: byte' >"$TMP/byte"
	since_mark | grep 'quarry: misuse' | grep -vE 'misuse: (byte|allocated in)' >"$TMP/report"
	same "$1: misuse_$2" "$(stat "misuse_$2")" $((before + 1))
	same "$1: misuse in all" "$(awk '/^misuse/ { n += $2 } END { print n }' "$QUARRY/stats")" \
		$((others + 1))
	same "$1: lines in the log" "$(wc -l <"$TMP/report")" 1
	sed 's/^/# /' "$TMP/report"
	expect "$1: the line says what" grep -q "$3" "$TMP/report"
	expect "$1: the line names the object" grep -q "object $object," "$TMP/report"
	expect "$1: the line names the cache" grep -q "cache $4[, ]" "$TMP/report"
	expect "$1: the line names the caller" grep -q "seen in $5+.* \[quarry_client\]; " "$TMP/report"
	awk '/^[0-9]/ { text = "" } { text = text $0 "\n" } END { printf "%s", text }' \
		"$QUARRY/misuse" >"$TMP/kept"
	sed 's/^/# /' "$TMP/kept"
	expect "$1: the last report that is kept says what, and names the caller" \
		grep -qE "^[0-9]+: [0-9.]+ $2: .*$3.*, in $5\+.* \[quarry_client\]$" "$TMP/kept"
	expect "$1: it names object and cache" \
		sh -c "grep -F '  object $object' '$TMP/kept' | grep -qF ', cache $4'"
	expect "$1: it names a task and a processor" grep -qE '^  task .+ \([0-9]+\), CPU [0-9]' "$TMP/kept"
	expect "$1: the walker finds no error" validate
	expect "$1: the equations hold" balanced
	expect "$1: the allocator goes on" client hold mib=1
	client release || fail "$1: release"
	same "$1: live objects" "$(stat live_objects)" "${6:-0}"
}

# The fast path sees a free that repeats the last one. Any other wrong free is noticed when the
# object reaches its slab; here, this is when the client shrinks the cache.
misuse foreign foreign "not Quarry's" none free_foreign
misuse large_interior interior "not the start of an object" "(large)" free_large_interior
misuse mapped_interior interior "not the start of an object" "(large)" free_mapped_interior
misuse arena_object foreign "not Quarry's to free" "(arena)" free_arena_object
misuse stale_mark stale_mark "a mark that is not good" client_misused release_twice
misuse interior interior "not the start of an object" client_misused free_interior
misuse wrong_cache wrong_cache "wrong cache" client_misused free_wrong_cache
expect "wrong_cache: the line names the cache it was given to" \
	grep -q 'given to client_wrong' "$TMP/report"
misuse double_free double_free "double free" client_misused free_twice
misuse behind_end red_zone "behind its end" client_watched write_behind_end
expect "behind_end: a line names the byte" \
	grep -q 'byte 96 of 96 is 0x78 and should be 0xcc; from byte 88: ' "$TMP/byte"
misuse when_free poison "while it was free" client_watched write_when_free
expect "when_free: a line names the byte" \
	grep -q 'byte 7 of 96 is 0x78 and should be 0x6b; from byte 0: 6b 6b' "$TMP/byte"
misuse busy_destroy busy_destroy "live objects" client_busy destroy_busy
# Its objects have been freed since; the last one takes the cache along, soon and without a drain.
tries=0
while [ "$(stat zombie_caches)" != 0 ] && [ "$tries" -lt 10 ]; do
	sleep 1
	tries=$((tries + 1))
done
same "zombie caches some seconds after late frees" "$(stat zombie_caches)" 0

mark
before=$(stat misuse_foreign)
for again in 1 2 3 4; do
	client misuse kind=foreign || fail "foreign again"
done
same "the same caller again is counted" "$(stat misuse_foreign)" $((before + again))
same "and not logged" "$(since_mark | grep -c 'quarry: misuse')" 0

# The walker finds a double free whose second free is still in the magazine, and changes
# nothing. The drain then refuses exactly this object, and every other object is there once.
client misuse kind=pend || fail "pend"
object=$(result object)
before=$(stat misuse_double_free)
for how in 1 strict; do
	if (echo $how >"$QUARRY/control/validate") 2>/dev/null; then
		fail "$how: the walker misses an object that is free and cached"
	else
		ok "$how: the walker finds an object that is free and cached"
	fi
done
expect "and names it" grep -q "^verdict.*${object#0x}" "$QUARRY/control/validate"
cat "$QUARRY/control/validate" >/dev/null
drain
expect "nobody called when it was noticed, and the log says so" \
	sh -c "dmesg | grep -q \"object $object, cache client_pending, seen in no client's call; \""
expect "after a drain it finds no error" validate
same "it was counted once" "$(stat misuse_double_free)" $((before + 1))
expect "all other objects are there, and once" client misuse kind=settle
expect "the walker finds no error at the end" validate
expect "the equations hold at the end" balanced
same "live objects at the end" "$(stat live_objects)" 0

same "addresses in the log" "$(dmesg | grep 'quarry: ' | grep -ciE 'ffff[0-9a-f]{12}')" 0

# Objects that a client never frees go back when the module is unloaded, and the log names them.
echo 1 >"$QUARRY/profile/rate"
client misuse kind=lost || fail "lost"
same "large and mapped objects that are lost" \
	"$(stat large_objects) $(stat mapped_objects)" "2 1"
mark
unload quarry_client quarry
expect "both modules unload" test ! -d "$QUARRY"
same "lines about large objects that were lost" \
	"$(since_mark | grep -c 'quarry: 3 objects over 32 KiB were never freed')" 1
since_mark | grep 'quarry: never freed: about' >"$TMP/sites"
sed 's/^/# /' "$TMP/sites"
same "sites that are named" "$(wc -l <"$TMP/sites")" 5
page=$(page_bytes)
same "bytes of the five largest sites, without the mapped one" \
	"$(sed -n 's/.*about \([0-9]*\) bytes in 1 objects, .*/\1/p' "$TMP/sites" | tail -n 4 | xargs)" \
	"3145728 $(((100000 + page - 1) / page * page)) 8192 4096"
same "each was allocated in the client's function" \
	"$(grep -c ', allocated in lose_objects \[quarry_client\]' "$TMP/sites")" 5
same "sites that are not named" \
	"$(since_mark | grep -c 'never freed: less than that in each of 2 other sites')" 1
same "lines about memory that was kept" "$(since_mark | grep -c 'quarry: unloaded with')" 0
finish
