#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The sample module wordindex counts words as awk does, and gives all its memory back.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
[ -e "$MODULES/wordindex.ko" ] || skip_all "no wordindex.ko"
load_anew wordindex

device=/dev/wordindex
text=$TMP/text
cat ./*.sh ./*.sh ./*.sh >"$text"

# A word is made of letters, digits and inner apostrophes; its first 63 bytes count. The device
# may print words that are equally frequent in any order.
awk '{
	line = tolower($0)
	while (match(line, /[a-z0-9][a-z0-9\x27]*/)) {
		word = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		sub(/\x27+$/, "", word)
		count[substr(word, 1, 63)]++
	}
}
END { for (word in count) print count[word], word }' "$text" | sort -k1,1nr -k2 >"$TMP/wanted"

expect "the text goes in" sh -c "cat $text >$device"
cat "$device" >"$TMP/got"
head -n 8 "$TMP/got" | sed 's/^/# /'
different=$(wc -l <"$TMP/wanted")
words=$(awk '{ n += $1 } END { print n }' "$TMP/wanted")
expect "number of words" grep -q "^# $words words, $different different" "$TMP/got"
shown=$(grep -cv '^#' "$TMP/got")
within "words shown" "$shown" 10 1000
same "how often the most frequent were seen" \
	"$(awk '!/^#/ { print $1 }' "$TMP/got" | xargs)" \
	"$(head -n "$shown" "$TMP/wanted" | awk '{ print $1 }' | xargs)"
awk '!/^#/ { print $1, $3 }' "$TMP/got" >"$TMP/pairs"
same "words that awk counts otherwise" "$(grep -vxFf "$TMP/wanted" "$TMP/pairs")" ""

within "objects of its cache" "$(cache_stat wordindex_positions live_objects)" "$different" 1000000
expect "the equations hold" balanced
expect "the walker finds no error" validate
expect "the text is forgotten" sh -c ": >$device"
same "live objects of its cache" "$(cache_stat wordindex_positions live_objects)" 0
same "live objects in all" "$(stat live_objects)" 0
unload wordindex
expect "its cache is gone" test ! -d "$QUARRY/caches/wordindex_positions"
expect "the walker finds no error after unloading" validate
finish
