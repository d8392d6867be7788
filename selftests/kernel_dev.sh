#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel profile through the character device. It has a test of its own, because the kernel
# patches its code when a domain is switched.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

load_anew quarry_client
switch_once "$QUARRY/kernel/slab"
run_dev domain
same "the domain slab is off" "$(cat "$QUARRY/kernel/slab/enable")" 0
expect "the walker finds no error" validate
unload quarry_client quarry
finish
