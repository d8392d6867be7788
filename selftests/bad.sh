#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Files of debugfs that take a text refuse every other text.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

# refused FILE TEXT [ERROR]: FILE refuses TEXT, with this error.
refused()
{
	if (echo "$2" >"$1") 2>"$TMP/error"; then
		fail "${1#"$DEBUGFS/"} takes '$2'"
	elif grep -q "${3:-Invalid argument}" "$TMP/error"; then
		ok "${1#"$DEBUGFS/"} refuses '$2'"
	else
		fail "${1#"$DEBUGFS/"} refuses '$2' with another error"
		sed 's/^/# /' "$TMP/error"
	fi
}

long=$(printf '%0300d' 1)
for file in drain validate; do
	for text in '' ' ' 0 2 -1 +-1 1x x1 '1 1' 0x1 1.0 yes; do
		refused "$QUARRY/control/$file" "$text"
	done
	refused "$QUARRY/control/$file" 99999999999 'Numerical result out of range\|Result not representable'
	refused "$QUARRY/control/$file" "${long}0" 'Invalid argument\|Numerical result\|not representable'
	expect "control/$file takes 1" sh -c "echo 1 >$QUARRY/control/$file"
done
refused "$QUARRY/control/drain" strict
refused "$QUARRY/control/validate" stricter
refused "$QUARRY/control/validate" 'strict 1'
expect "control/validate takes strict" sh -c "echo strict >$QUARRY/control/validate"
drained=$(cat "$QUARRY/control/drain")
refused "$QUARRY/control/drain" 2
same "what was refused changes nothing" "$(cat "$QUARRY/control/drain")" "$drained"
for file in stats classes caches/table caches/all caches/malloc-64/stats caches/malloc-64/slabs; do
	refused "$QUARRY/$file" 1 'Invalid argument\|Permission denied\|not permitted'
done

# Tests rely on the client, so it must refuse wrong commands too.
for text in nonsense 'stress secs=1' 'stress seconds' 'stress seconds=x' 'misuse kind=none' \
	'hold mib=99999999' 'release all=1' 'failnth op=create nth=-1'; do
	refused "$CLIENT/run" "$text"
done
expect "the walker finds no error" validate
finish
