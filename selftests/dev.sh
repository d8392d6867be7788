#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The character device. The program dev makes the checks, and this script makes TAP of its lines.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client
switch_once "$QUARRY/kernel/slab"

mkfifo "$TMP/lines"
./dev "$(choose 5 3)" "${QUARRY_SEED:-1}" >"$TMP/lines" 2>&1 &
while read -r line; do
	case $line in
	"ok "*) ok "${line#ok }" ;;
	"not ok "*) fail "${line#not ok }" ;;
	*) note "${line#"# "}" ;;
	esac
done <"$TMP/lines"
wait $! || fail "dev ends with status $?"
same "live objects" "$(stat live_objects)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
unload quarry_client
expect "the module stays while a file is open" \
	sh -c 'exec 3<>/dev/quarry; ! rmmod quarry 2>/dev/null'
expect "and goes when it is closed" rmmod quarry
finish
