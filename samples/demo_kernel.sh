#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The demo of the kernel profile, run by scripts/demo-kernel in its guest: a module loses memory of
# kmalloc(), beside a file system that works. Each command is shown before what it prints.
#
# Exit status: 1 if the module is not found.
#
# shellcheck disable=SC2034,SC2016 # of the commands that "run" evaluates

PROFILE=/sys/kernel/debug/quarry/kernel/slab
seconds=15

title()
{
	printf '\n--- %s ---\n\n' "$*"
}

run()
{
	printf '$ %s\n' "$1"
	eval "$1"
}

# Work on files, for as long as the demo takes.
work()
{
	while :; do
		for file in 1 2 3 4 5 6 7 8; do
			echo "a text" >/tmp/files/$file
		done
		cp -r /tmp/files /tmp/copy
		rm -r /tmp/copy
	done
}

unreclaimable()
{
	awk '$1 == "SUnreclaim:" { print $2 }' /proc/meminfo
}

insmod /lib/quarry/leaky.ko || exit 1
mkdir /tmp/files
work &
worker=$!

title "The symptom: SUnreclaim grows, and slabinfo names a size but no owner"
run 'uname -sr'
run 'lsmod'
before=$(unreclaimable)
run 'grep SUnreclaim /proc/meminfo; sleep 10; grep SUnreclaim /proc/meminfo'
run "grep '^kmalloc-1k ' /proc/slabinfo"

title "Load Quarry, and remember the state of now"
run 'insmod quarry.ko kernel=slab'
run "PROFILE=$PROFILE"
run 'exec 3<>$PROFILE/top; echo reset >&3'
run 'cat $PROFILE/heap >before.pb'
run "sleep $seconds"
run 'cat $PROFILE/heap >after.pb'

title "What grew meanwhile: bytes, standard error, call stack; the largest first"
run 'cat <&3 >top'
exec 3>&-
run "head -n 4 top | awk '{ n = split(\$0, column, \"  +\"); printf \"%-14s %-10s %s\\n\", \$1, \$2, column[n] }'"

title "What was allocated most meanwhile: most of it is freed, so this does not name the leak"
run "head -n 4 \$PROFILE/allocs.top | awk '{ n = split(\$0, column, \"  +\"); printf \"%-14s %-10s %s\\n\", \$1, \$2, column[n] }'"

kill $worker
wait $worker 2>/dev/null
after=$(unreclaimable)
printf '\nSUnreclaim grew by %d KiB in all.\n' $((after - before))
first=$(sed -n 2p top)
case $first in
*' leaky_new_session+'*) ;;
*)
	echo "FAILED: the first line is not the leak: $first"
	exit 1
	;;
esac
