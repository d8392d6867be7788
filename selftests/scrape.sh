#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Programs that "quarry serve" is for: Debian's Prometheus scrapes it for two minutes by
# contrib/prometheus.yml, and says what debugfs says; pprof reads profiles over HTTP. The page of
# metrics is left in /tmp/metrics for promtool.
#
# The programs prometheus and pprof are in /opt/bin, the files of contrib/ in /root/contrib.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=serve_lib.sh
. ./serve_lib.sh
for program in prometheus pprof; do
	command -v $program >/dev/null || skip_all "the program $program is not here"
done
CONTRIB=/root/contrib
[ -f $CONTRIB/prometheus.yml ] || skip_all "contrib/ is not here"
load_anew quarry_client
echo 1 >"$QUARRY/profile/rate"
API=http://127.0.0.1:9090/api/v1
# Two minutes of scrapes. Prometheus waits for an answer no longer than until the next scrape, and
# an emulated machine may be slow, so the interval is not shorter.
INTERVAL=10
SCRAPES=12

# ask PATH [QUERY]: the answer of Prometheus to a query, as JSON.
ask()
{
	wget -q -O - "$API/$1${2:+?query=$(printf '%s' "$2" | sed 's/%/%25/g; s/+/%2B/g; s/ /%20/g
		s/"/%22/g; s/{/%7B/g; s/}/%7D/g; s/\[/%5B/g; s/]/%5D/g; s/|/%7C/g')}" 2>/dev/null
}

# ask_value QUERY: the value of the only series, or nothing.
ask_value()
{
	ask query "$1" | sed -n 's/.*"value":\[[0-9.]*,"\([^"]*\)"\]}\]}}$/\1/p'
}

# series: of an answer, each series as a line of the text format, without the labels that Prometheus
# adds.
series()
{
	sed 's/{"metric":/\n&/g' | sed -n '
		s/^{"metric":{"__name__":"\([^"]*\)",*\(.*\)},"value":\[[0-9.]*,"\([^"]*\)"\].*/\1{\2} \3/
		t made
		d
		: made
		s/"instance":"[^"]*",*//
		s/"job":"[^"]*",*//
		s/"\([a-z_]*\)":"/\1="/g
		s/,} /} /
		s/{} / /
		p'
}

# at_least QUERY N: Prometheus says at least N. Waits for ten minutes at most, for a slow machine.
# shellcheck disable=SC2317 # run by expect
at_least()
{
	for _ in $(seq 300); do
		got=$(ask_value "$1")
		[ "${got%.*}" -ge "$2" ] 2>/dev/null && return
		sleep 2
	done
	note "$1 is '$got'"
	return 1
}

# take NAME PATH [OPTION...]: pprof -top of a page; its output and its status are in $TMP/NAME.*.
take()
{
	name=$1 path=$2
	shift 2
	PPROF_TMPDIR=$TMP pprof -top -nodecount=5 "$@" "$URL$path" >"$TMP/$name.top" 2>&1
	echo $? >"$TMP/$name.status"
}

# is_top NAME PATTERN: of what was taken: pprof ended well, and the first function is such a one.
is_top()
{
	got=$(awk 'rows { print $6; exit } $1 == "flat" { rows = 1 }' "$TMP/$1.top")
	same "pprof -top of $1: status" "$(cat "$TMP/$1.status")" 0
	if echo "$got" | grep -qE "^$2$"; then
		ok "pprof -top of $1: $got comes first"
	else
		sed 's/^/# /' "$TMP/$1.top"
		fail "pprof -top of $1: '$got' comes first, should be '$2'"
	fi
}

refcnt()
{
	cat /sys/module/quarry/refcnt
}

# --- Start ------------------------------------------------------------------------

expect "the kernel's slab is on" sh -c "echo 1 >'$QUARRY/kernel/slab/enable'"
# shellcheck disable=SC2119 # no options
serve
mkdir "$TMP/prometheus"
cp $CONTRIB/alerts.yml "$TMP/"
sed "s/scrape_interval: .*/scrape_interval: ${INTERVAL}s/" $CONTRIB/prometheus.yml \
	>"$TMP/prometheus.yml"
expect "the interval is shorter" grep -q "scrape_interval: ${INTERVAL}s" "$TMP/prometheus.yml"
prometheus --config.file="$TMP/prometheus.yml" --storage.tsdb.path="$TMP/prometheus" \
	--web.listen-address=127.0.0.1:9090 >"$TMP/prometheus.log" 2>&1 &
prometheus=$!
expect "Prometheus has scraped" at_least 'count_over_time(up{job="quarry"}[1h])' 1
empty=$(stat live_objects)

# --- Work -------------------------------------------------------------------------

client hold mib=8 || fail "hold"
objects=$(result objects)
client kernel way=single n=50000 || fail "kernel"
take heap /debug/pprof/heap
is_top heap 'hold|hold_run'
take allocs /debug/pprof/allocs
is_top allocs 'hold|hold_run'
take slab '/debug/pprof/heap?domain=slab'
is_top slab kernel_single
users=$(refcnt)
take delta '/debug/pprof/heap?seconds=5' -sample_index=alloc_space &
waiting=$!
until_same "users of the module while pprof waits" $((users + 1)) refcnt
client leak seconds=2 forgetful=1000000 || fail "leak"
wait "$waiting"
is_top delta 'leak_[a-z]*'

# --- Two minutes ------------------------------------------------------------------

expect "$SCRAPES scrapes" at_least 'count_over_time(up{job="quarry"}[1h])' $SCRAPES
note "$(ask_value 'count_over_time(up{job="quarry"}[1h])') scrapes"
same "up was 1 at each of them" "$(ask_value 'min_over_time(up{job="quarry"}[1h])')" 1
ask targets >"$TMP/targets"
expect "the target is healthy" grep -q '"lastError":"".*"health":"up"' "$TMP/targets"
ask rules >"$TMP/rules"
expect "contrib/alerts.yml is evaluated" grep -q '"name":"QuarryDown"' "$TMP/rules"
same "rules with an error" "$(grep -c '"health":"err"' "$TMP/rules")" 0
same "objects that it has seen come" \
	"$(ask_value 'max_over_time(quarry_live_objects[1h]) - min_over_time(quarry_live_objects[1h])')" \
	$(($(stat live_objects) - empty))
within "objects that came" $(($(stat live_objects) - empty)) "$objects" $((objects + 1000))

# Each number of debugfs, which is read before a scrape and after it.
cat "$QUARRY/stats" >"$TMP/before"
cat "$QUARRY/kernel/slab/stats" >"$TMP/slab.before"
expect "a scrape after that" at_least 'timestamp(up{job="quarry"})' $(($(date +%s) + 1))
ask query '{job="quarry"}' | series >"$TMP/page"
cat "$QUARRY/stats" >"$TMP/after"
cat "$QUARRY/kernel/slab/stats" >"$TMP/slab.after"
same_numbers "every number of stats is in Prometheus" "$TMP/before" "$TMP/after" quarry_ '' \
	"$TMP/page"
same_numbers "and those of kernel/slab/stats" "$TMP/slab.before" "$TMP/slab.after" \
	quarry_kernel_ '{domain="slab"}' "$TMP/page" 'live|table_samples'
rest=$(awk '
	NR == FNR { v[$1] = $2; next }
	v[$1] == $2 { n++ }
	END { print n + 0 }' "$TMP/before" "$TMP/after")
within "numbers that did not move, so they are exact" "$rest" 20 1000
same "mallocs, which did not move" "$(value "$TMP/page" quarry_mallocs_total)" \
	"$(stat mallocs)"

# --- The end ----------------------------------------------------------------------

expect "the page for promtool" fetch /metrics /tmp/metrics
same "answers that were not 200" "$(grep -c '^quarry_serve_answers_total{code="[^2]' /tmp/metrics)" 0
grep -E 'level=(warn|error)' "$TMP/prometheus.log" >"$TMP/bad"
sed 's/^/# /' "$TMP/bad"
same "complaints of Prometheus" "$(wc -l <"$TMP/bad")" 0
kill "$prometheus"
wait "$prometheus"
same "Prometheus ends with status" $? 0
unserve
client unkernel way=single n=1000000 destroy=1
echo 0 >"$QUARRY/kernel/slab/enable"
unload quarry_client
finish
