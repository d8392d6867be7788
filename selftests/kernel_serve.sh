#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# "quarry serve" and the domains of the kernel profile.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=serve_lib.sh
. ./serve_lib.sh
load_anew quarry_client

# shellcheck disable=SC2119 # no options
serve
for domain in slab pages percpu vmalloc; do
	answer_of "/debug/pprof/heap?domain=$domain" >"$TMP/answer"
	expect "$domain is off" grep -q '^HTTP/1.[01] 409' "$TMP/answer"
	expect "the answer says how to switch it on" grep -q "quarry kernel on $domain" "$TMP/answer"
	echo 1 >"$QUARRY/kernel/$domain/enable" || continue
	[ $domain != slab ] || client kernel way=single n=50000
	cat "$QUARRY/kernel/$domain/stats" >"$TMP/before"
	expect "metrics while $domain is on" fetch /metrics "$TMP/metrics"
	cat "$QUARRY/kernel/$domain/stats" >"$TMP/after"
	same_numbers "numbers of $domain" "$TMP/before" "$TMP/after" quarry_kernel_ \
		"{domain=\"$domain\"}" "$TMP/metrics" 'live|table_samples'
	for page in heap allocs peak lifetime; do
		expect "$page of $domain" fetch "/debug/pprof/$page?domain=$domain" "$TMP/$domain.gz"
		expect "$page of $domain is compressed" gunzip -t "$TMP/$domain.gz"
	done
	expect "a view of $domain" fetch "/live.json?view=kernel&domain=$domain" "$TMP/live.json"
	expect "it is of $domain" grep -q "\"domain\":\"$domain\"" "$TMP/live.json"
	[ $domain != slab ] || expect "with its sites" grep -q '"stack":"kernel_single' "$TMP/live.json"
	expect "a delta of $domain" fetch "/debug/pprof/heap?domain=$domain&seconds=1&debug=1" \
		"$TMP/delta"
	expect "it is one" grep -q delta "$TMP/delta"
	same "gc=1 of $domain" "$(status_of "/debug/pprof/heap?domain=$domain&gc=1")" 400
	same "fragmentation of $domain" "$(status_of "/debug/pprof/fragmentation?domain=$domain")" 400
done
client unkernel way=single destroy=1
for domain in slab pages percpu vmalloc; do
	echo 0 >"$QUARRY/kernel/$domain/enable"
done
unserve
unload quarry_client
finish
