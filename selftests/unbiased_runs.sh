# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck source=lib.sh
# Functions that the tests share which compare estimates with the truth. A test sources it after
# lib.sh, sets STREAM, the client's command, and PROFILE, the directory, and calls "unbiased" for
# each rate, and then "unbiased_as_a_whole".
#
# A stream of allocations that is known exactly runs many times. The profile estimates objects and
# bytes, live and allocated, for each of eight sites. The mean of each estimate must be within
# three standard errors of the truth.
#
# The standard error is that of the mean of the runs; it follows from the differences between
# the runs. Some 200 values are compared, and one in 180 is off by more than three by chance
# (Student's t, 29 degrees of freedom). So a value that is off is measured again with as many
# fresh runs, twice at most. It fails if it is off in all three sets, and to the same side each
# time. All sets are shown. A bias of two standard errors may go unseen in one value but not in
# all, because the mean square of z is checked, too.
#
# Of objects of eight times the rate or more, all but one in 3,000 are sampled. Then the runs
# hardly differ, so the profile's own error is used if it is larger.

# With 30 runs the standard error is known within a seventh.
runs=${QUARRY_RUNS:-30}
[ "$runs" -ge 30 ] || runs=30
scale=$(choose 1 8)
pieces=8
: >"$TMP/z"

# shellcheck disable=SC2016 # for awk
one_run='
/^# [0-9]+ samples/ {
	strays += pending
	pending = 1
	samples = $2
	gsub(/,/, "")
	for (i = 3; i < NF; i++) {
		if ($(i + 2) == "+/-") {
			value[$i] = $(i + 1)
			error[$i] = $(i + 3)
		}
	}
}
/^#\t/ && pending && match($0, /stream_site_[0-9]/) {
	site = substr($0, RSTART, RLENGTH)
	pending = 0
	sampled[site] += samples
	for (name in value) {
		sum[site, name] += value[name]
		var[site, name] += error[name] * error[name]
	}
}
function line(name, truth) {
	printf "%s %s %.0f %.0f %.0f %.0f %.0f\n", $1, name, truth, sum[$1, name],
		var[$1, name], sampled[$1], $6
}
/^stream_site/ {
	line("alloc_objects", $2)
	line("inuse_objects", $4)
	line("alloc_space", $3)
	line("inuse_space", $5)
}
END { print "strays strays 0 " strays + pending " 0 0 0" }'

# Reads the lines of one_run of all runs, and prints the table. The file "over" gets the values
# that are off by more than three, with the side; "zs" gets all z; and "ratios" gets the
# profile's own variances over those of the runs.
# shellcheck disable=SC2016 # for awk
judge='
# Some builds of busybox have no sqrt().
function root(x,	y, i) {
	y = x > 1 ? x : 1
	for (i = 0; i < 200 && y * y > x * 1.000001; i++)
		y = (y + x / y) / 2
	return y
}
$1 == "strays" {
	strays += $4
	next
}
{
	k = $1 " " $2
	if (!(k in n))
		order[++keys] = k
	n[k]++
	truth[k] += $3
	estimate[k] += $4
	off[k] += $4 - $3
	squares[k] += ($4 - $3) * ($4 - $3)
	own[k] += $5
	# The same share of the live objects is sampled as of all objects.
	if ($2 == "alloc_objects")
		allocated = $3
	if ($2 == "inuse_objects")
		live = $3
	samples[k] += $2 ~ /inuse/ ? $6 * live / allocated : $6
	smallest[k] = $7
}
END {
	printf "%-14s %-14s %12s %14s %10s %6s %8s %8s\n", "#site", "value", "truth",
		"mean_estimate", "std_error", "z", "samples", "own/runs"
	for (i = 1; i <= keys; i++) {
		k = order[i]
		split(k, name, " ")
		bias = off[k] / n[k]
		var = (squares[k] - off[k] * bias) / (n[k] - 1)
		own[k] /= n[k]
		all = smallest[k] >= 8 * rate
		used = all && own[k] > var ? own[k] : var
		se = root(used / n[k])
		z = bias == 0 ? 0 : se > 0 ? bias / se : bias
		z = z > 999 ? 999 : z < -999 ? -999 : z
		ratio = !all && samples[k] >= 100 && var > 0 ? own[k] / var : 0
		printf "%-14s %-14s %12.0f %14.1f %10.1f %6.2f %8.0f %8s\n", name[1],
			name[2], truth[k] / n[k], estimate[k] / n[k], se, z, samples[k],
			ratio ? sprintf("%.2f", ratio) : "-"
		if (z > 3 || z < -3)
			print name[1], name[2], (z > 0 ? "over" : "under") >over
		if (!all)
			printf "%.3f\n", z >zs
		if (ratio)
			printf "%.0f\n", 100 * ratio >ratios
	}
	print "strays", strays + 0
}'

# set_of_runs RATE...: a set of runs. The stream is cut into as many parts as there are rates, and
# each part runs at its rate.
set_of_runs()
{
	: >"$TMP/set"
	for _ in $(seq "$runs"); do
		part=0
		for rate; do
			echo "$rate" >"$PROFILE/rate"
			[ $part != 0 ] || echo 1 >"$PROFILE/reset"
			client "$STREAM" from=$((part * pieces / $#)) \
				to=$(((part + 1) * pieces / $#)) "scale=$scale" ||
				fail "$STREAM"
			part=$((part + 1))
		done
		awk "$one_run" "$PROFILE/allocs.txt" "$CLIENT/result" >>"$TMP/set"
		client "un$STREAM" || fail "un$STREAM"
	done
}

# unbiased TEXT RATE...
unbiased()
{
	what=$1
	shift
	largest=$(printf '%s\n' "$@" | sort -n | tail -n 1)
	for try in 1 2 3; do
		set_of_runs "$@"
		: >"$TMP/over"
		awk -v rate="$largest" -v over="$TMP/over" -v zs="$TMP/zs" \
			-v ratios="$TMP/ratios.$try" "$judge" "$TMP/set" >"$TMP/table"
		note "$what, set $try of $runs runs:"
		sed 's/^/# /' "$TMP/table"
		if [ "$try" = 1 ]; then
			cat "$TMP/zs" >>"$TMP/z"
			mv "$TMP/over" "$TMP/suspects"
			[ "$STREAM" != stream ] ||
				same "$what: rows of other sites" "$(value "$TMP/table" strays)" 0
		else
			sort "$TMP/over" "$TMP/suspects" | uniq -d >"$TMP/still"
			mv "$TMP/still" "$TMP/suspects"
		fi
		[ -s "$TMP/suspects" ] || break
		note "off by more than three:" "$(tr '\n' ';' <"$TMP/suspects")"
	done
	same "$what: values off by more than three standard errors in each set" \
		"$(tr '\n' ';' <"$TMP/suspects")" ""
	error_bars "$TMP/ratios.1"
}

# The profile's own variances must agree with those of the runs, which are known within a
# quarter only. So a single ratio may be off by a factor of four, and the middle one by two.
error_bars()
{
	sort -n "$1" >"$TMP/bars"
	values=$(wc -l <"$TMP/bars")
	within "$what: values with 100 samples and more" "$values" 8 32
	within "$what: own variance over that of the runs in per cent, middle" \
		"$(sed -n "$(((values + 1) / 2))p" "$TMP/bars")" 50 200
	within "$what: the same, least" "$(sed -n 1p "$TMP/bars")" 25 400
	within "$what: the same, most" "$(sed -n '$p' "$TMP/bars")" 25 400
}

# unbiased_as_a_whole: the mean square of all z.
unbiased_as_a_whole()
{
	awk '{ n++; sum += $1 * $1; over2 += $1 * $1 > 4; over3 += $1 * $1 > 9 }
		END {
			printf "# of %d z, %d are beyond 2 (%.0f by chance), %d beyond 3 (%.1f)\n",
				n, over2, n * 0.055, over3, n * 0.0055
			printf "percent %.0f\n", 100 * sum / n
		}' "$TMP/z" >"$TMP/mean"
	grep '^#' "$TMP/mean"
	within "mean square of z, per cent (107 by chance)" "$(value "$TMP/mean" percent)" 30 200
}
