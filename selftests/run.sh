#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Run the tests that are named, or all, by the kernel's runner, which is installed beside them.
# Prints TAP. The exit status is 1 if a test failed.
#
# Usage: sh run.sh [TEST...]

cd "$(dirname "$0")" || exit 1
[ $# -gt 0 ] || {
	set -- ./*.sh
	for test; do
		shift
		case ${test##*/} in
		lib.sh | files.sh | run.sh) ;;
		*) set -- "$@" "${test##*/}" ;;
		esac
	done
}

BASE_DIR=$(cd .. && pwd)
export BASE_DIR
# shellcheck source=/dev/null # from the kernel's source
. "$BASE_DIR/kselftest/runner.sh"

# Replaces the runner's function: busybox's timeout has no --foreground. The command is split
# into words.
# shellcheck disable=SC2086,SC2154 # the runner sets it
tap_timeout()
{
	begin=$(cut -d. -f1 /proc/uptime)
	status=0
	timeout "$kselftest_timeout" $1 || status=$?
	echo "# ${1##*./} took $(($(cut -d. -f1 /proc/uptime) - begin)) s"
	return $status
}

run_many "$@" 2>&1 | tee /tmp/run.log
! grep -q '^not ok' /tmp/run.log
