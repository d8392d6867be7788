#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The character device. kernel_dev.sh tests the domains of the kernel profile, and faults.sh what
# happens without memory.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client

# shellcheck disable=SC2119 # all parts
run_dev
same "live objects" "$(stat live_objects)" 0
expect "the equations hold" balanced
expect "the walker finds no error" validate
unload quarry_client
expect "the module stays while a file is open" \
	sh -c 'exec 3<>/dev/quarry; ! rmmod quarry 2>/dev/null'
expect "and goes when it is closed" rmmod quarry
finish
