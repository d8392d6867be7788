#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# "quarry leaks" says what each site does, whatever the load draws: the client's service loses one
# session in a thousand, fills a store that is full after a quarter of the time, and has five kinds
# of things that come and go. The store grows far more than the leak. The leak must be the first
# line, the store must be said to fill, and nothing else may leak.
#
# QUARRY_SEEDS: how many seeds (default 2)
# QUARRY_SEED: the first of them (default 1)
# QUARRY_LEAK_SECONDS: how long the command watches (default 10); a person would wait a minute

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

command -v quarry >/dev/null || skip_all "the command quarry is not here"
load_anew quarry_client

seconds=${QUARRY_LEAK_SECONDS:-10}
first=${QUARRY_SEED:-1}
last=$((first + ${QUARRY_SEEDS:-2} - 1))
forgetful=$(choose 1000 100)
# One sample in 4 KiB: a leak of half a mebibyte is a hundred of them, also on a busy machine.
quarry rate 4K >/dev/null || fail "rate"

# The service's lines of the table: "VERDICT GROWTH ERROR FUNCTION". What is below it are sentences.
rows()
{
	awk 'NR > 1 && !NF { exit }
	NR > 1 && match($0, /leak_[a-z]+/) {
		print $1, $2, $3, substr($0, RSTART, RLENGTH)
	}' "$TMP/out"
}

# verdicts FUNCTION: "VERDICT GROWTH ERROR" of its lines
verdicts()
{
	rows | awk -v site="$1" '$4 == site { print $1, $2, $3 }'
}

# What a person reads first: the first line's verdict and function.
first_line()
{
	rows | awk 'NR == 1 { print $1, $4 }'
}

# The sites that come and go: how many lines have a verdict that is not theirs.
wrong_churn()
{
	rows | grep -v ' leak_session$\| leak_store$' | grep -cv '^churn \|^steady '
}

run()
{
	echo "leak seconds=$((seconds + 4)) forgetful=$forgetful store=8000 seed=$1" \
		>"$CLIENT/run" &
	load=$!
	sleep 1
	began=$(cut -d . -f 1 /proc/uptime)
	quarry leaks --seconds "$seconds" --bytes --lines 100 >"$TMP/out" || fail "quarry leaks"
	took=$(($(cut -d . -f 1 /proc/uptime) - began))
	wait $load || fail "leak"
	note "seed $1, $took s: $(first_line); session $(verdicts leak_session | xargs)," \
		"lost $(result lost_space); store $(verdicts leak_store | xargs);" \
		"wrong among the others $(wrong_churn)"
	same "seed $1: the leak comes first" "$(first_line)" "leak leak_session"
	same "seed $1: the store fills" "$(verdicts leak_store | cut -d ' ' -f 1)" fills
	same "seed $1: what comes and goes does not grow" "$(wrong_churn)" 0
	same "seed $1: and is said to churn" "$(verdicts leak_header | cut -d ' ' -f 1)" churn
	[ "$failed" = "$failed_before" ] || sed 's/^/# /' "$TMP/out" | cut -c 1-160
	failed_before=$failed
	client unleak || fail "unleak"
}

failed_before=0
seed=$first
while [ "$seed" -le "$last" ]; do
	run "$seed"
	seed=$((seed + 1))
done
unload quarry_client quarry
finish
