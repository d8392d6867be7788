#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Names and labels that clients handle badly, and what a profile knows of a module that is gone.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

threads=$(choose 200 20 200)
client=quarry_client_names

# id_of DIRECTORY: the number of the cache that it belongs to.
id_of()
{
	cache_stat "$1" id
}

# build_id: that of the client's file, in hexadecimal.
build_id()
{
	od -An -v -tx1 "/sys/module/$client/notes/.note.gnu.build-id" | tr -d ' \n' | tail -c 40
}

# mapping: the client's line in the profile's list of mappings, without the addresses.
mapping()
{
	sed '1,/^MAPPED_LIBRARIES:/d' "$QUARRY/profile/heap.txt" | sed -n "s/.* \(\[$client\]\)/\1/p"
}

echo 1 >"$QUARRY/profile/rate"
expect "a client with forgotten labels is loaded" \
	insmod "$MODULES/$client.ko" "forget=$threads"

# --- Names ---

first=$(id_of clash)
within "number of the first cache with the name" "$first" 1 1000000
third=$((first + 2))
same "the third cache's directory" "$(id_of "clash:$third")" "$third"
same "the second's, which has the name of the third's" \
	"$(id_of "clash:$third:$((first + 1))")" "$((first + 1))"
same "directories" "$(find "$QUARRY/caches" -mindepth 1 -maxdepth 1 -type d | wc -l)" \
	"$(stat caches)"
same "a name with a blank, quote, line and comment, as a directory" \
	"$(id_of 'a_b_c____x!y')" "$((first + 3))"
for file in caches/table profile/top profile/heap.folded profile/heap.txt heapdump; do
	same "lines of $file that have the name, some" \
		"$(($(grep -c 'a_b_c____x/y' "$QUARRY/$file") > 0))" 1
	same "lines of $file that the name has forged" "$(grep -c '^# x/y' "$QUARRY/$file")" 0
done
same "lines of heapdump with the names of a task and of a label, some" \
	"$(($(grep -c ', comm a__b___s, k__ v_____site_2$' "$QUARRY/heapdump") > 0))" 1
same "lines of heap.txt with them, some" \
	"$(($(grep -c ' comm=a__b___s k__=v_____site_2$' "$QUARRY/profile/heap.txt") > 0))" 1
same "lines that these names have forged" \
	"$(cat "$QUARRY/heapdump" "$QUARRY/profile/heap.txt" | grep -c '^# s$\|^# site 2$')" 0

# --- Labels ---

# Tasks that have exited lose their labels within five seconds.
tries=100
while [ "$(stat label_scopes)" -gt 0 ] && [ $tries -gt 0 ]; do
	sleep 0.2
	tries=$((tries - 1))
done
same "labels that are set" "$(stat label_scopes)" 0
same "dropped labels" "$(stat dropped_labels)" 0
same "a label of a task that forgot it, some lines" \
	"$(($(grep -c 'request=forgotten' "$QUARRY/profile/allocs.txt") > 0))" 1
same "a label of a task that ended it, some lines" \
	"$(($(grep -c 'request=honest' "$QUARRY/profile/allocs.txt") > 0))" 1

# --- Mappings ---

# The init section is gone, so the stacks through it are known by names.
id=$(build_id)
same "length of the build id" "${#id}" 40
same "the client's mapping" "$(mapping)" "[$client] $id"
same "frames below the init function with an offset, some" \
	"$(($(grep -c ' names_take+0x[0-9a-f]*/0x' "$QUARRY/profile/heap.txt") > 0))" 1
same "frames below the init function without an offset" \
	"$(grep -c ' names_take \[' "$QUARRY/profile/heap.txt")" 0
unload $client
same "the client's mapping when it is unloaded" "$(mapping)" "[$client] $id"
same "frames of the client when it is unloaded, some" \
	"$(($(grep -c " names_take \[$client\]" "$QUARRY/profile/heap.txt") > 0))" 1

# The same code again and again is one mapping.
for round in 1 2 3; do
	insmod "$MODULES/$client.ko" || fail "insmod $client, round $round"
	unload $client
done
same "mappings after it was loaded again" "$(mapping)" "[$client] $id"
expect "the equations hold" balanced
expect "the walker finds no error" validate
finish
