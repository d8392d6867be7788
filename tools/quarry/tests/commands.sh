#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each command over recordings: one that tests/recording.py makes up, one whose numbers are the largest
# and the smallest there are, and one whose file stats has no numbers. The program is built with ASan
# and UBSan, which report any fault and any leak. Prints TAP.
#
# Usage: tests/commands.sh PROGRAM      (build/tools/checked/quarry)

here=$(cd "$(dirname "$0")" && pwd) || exit 1
program=$(realpath "$1")
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
number=0 failed=0
export TZ=UTC ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99
python3 "$here/recording.py" "$TMP/good" 4 60 && python3 "$here/recording.py" "$TMP/large" 4 60 &&
	python3 "$here/recording.py" "$TMP/odd" 4 60 || exit 1
for moment in 1 3; do
	folder=$TMP/large/0000000$moment
	sed -i 's/ [0-9]*$/ 9223372036854775807/' "$folder/stats" "$folder/kernel.slab.stats"
	sed -i '2,$s/[0-9.]\{6,\}/9223372036854775807/g' "$folder/caches.table"
	folder=$TMP/large/0000000$((moment + 1))
	sed -i '/uptime_ns\|name/!s/ [0-9]*$/ -9223372036854775808/' "$folder/stats" \
		"$folder/kernel.slab.stats"
	sed -i '2,$s/[0-9.]\{6,\}/-9223372036854775808/g' "$folder/caches.table"
done
# The index says that the moments are good.
python3 - "$TMP" <<'END'
import sys
import zlib
with open(sys.argv[1] + "/odd/index", "w") as index:
    for n in range(1, 5):
        line = f"{n:08d} {n}000000000 5 1 4096 1 -1 -1 -1 -1"
        index.write(f"{line} {zlib.crc32(line.encode()):08x}\n")
        with open(f"{sys.argv[1]}/odd/{n:08d}/stats", "w") as stats:
            stats.write("odd\n")
END

# run COMMAND...: without a fault, whatever it has to say. The exit status is a documented one.
run()
{
	got=0
	"$program" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null || got=$?
	number=$((number + 1))
	if [ "$got" -le 6 ] && ! grep -q 'Sanitizer\|runtime error' "$TMP/err"; then
		echo "ok $number $* ($got)" | sed "s|$TMP/||g"
	else
		failed=$((failed + 1))
		echo "not ok $number $* ($got)" | sed "s|$TMP/||g"
		sed 's/^/# /' "$TMP/err" | head -n 30
	fi
}

for recording in good large odd; do
	dir=$TMP/$recording
	for command in status 'status --json' 'status --bytes' caches 'caches --waste --json' \
		'leaks --seconds=60' 'leaks --json' 'top --batch=3' 'top --batch=3 --json' \
		'top --batch=2 --view=sites' 'top --batch=2 --view=processes' \
		'top --batch=2 --view=cgroups --domain=slab' 'profile --svg' 'profile --html' \
		'profile --pb' 'doctor' 'kernel' 'nodes' 'pools' 'arenas' 'oom' 'limit' 'rate' \
		'dump' 'drain' 'events'; do
		# shellcheck disable=SC2086 # a command with options
		run $command --recording "$dir"
	done
	run report "$dir"
	run report --json --check "$dir"
	run report --from 1h --to 9999-12-31 "$dir"
	run diff "$dir/00000001/profile.heap.pb.gz" "$dir/00000004/profile.heap.pb.gz"
	run diff --html "$dir/00000001/profile.heap.pb.gz" "$dir/00000004/profile.heap.pb.gz"
done
echo "1..$number"
[ "$failed" = 0 ]
