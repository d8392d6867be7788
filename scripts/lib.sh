#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Functions that the scripts share. Source it; it runs nothing.

set -euo pipefail
# Without this option a failure inside "$(...)" goes unnoticed.
shopt -s inherit_errexit

# shellcheck disable=SC2034 # for the scripts that source this
QUARRY_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Outside the tree, so that "git clean" does not cost an hour of kernel builds.
QUARRY_CACHE=${QUARRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quarry}
export QUARRY_CACHE
export LC_ALL=C
# Lines of a guest's console that selftests/handed.sh causes: the kernel warns of a free of memory
# that is not its own, and stops the user of a cache that is not.
# shellcheck disable=SC2034 # for the scripts that source this
QUARRY_MOVED_ALLOW='free_large_kmalloc|general protection fault|Oops:|Call Trace|KASAN: maybe'

# Progress goes to stderr: stdout belongs to the answer (a path, a verdict).
say()
{
	printf '[%4ds] %s\n' "$SECONDS" "$*" >&2
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# need TOOL GROUP: if TOOL is missing, stop and name the command that installs it.
need()
{
	have "$1" || die "$1 not found; run scripts/deps $2"
}

# use_ccache: a clean clone compiles what another one in its place did, which is most of the time of
# a build, so keep the objects. Debian's headers name their compiler, and have a switch for ccache.
use_ccache()
{
	have ccache || return 0
	export CCACHE_DIR=${CCACHE_DIR:-$QUARRY_CACHE/ccache} DEBIAN_KERNEL_USE_CCACHE=y
}

# Print the comment block at the top of a script as its help text.
usage()
{
	awk 'NR > 2 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
}

# locked NAME COMMAND...: run a shell function while no other run holds the lock NAME. The lock
# ends with the process, however the process ends.
locked()
{
	local lock=$QUARRY_CACHE/lock/$1

	shift
	mkdir -p "$QUARRY_CACHE/lock"
	(
		if ! flock -n 9; then
			say "waiting for another run (${lock##*/})"
			flock 9
		fi
		"$@"
	) 9>"$lock"
}

# cached DIR COMMAND...: print DIR. If it is absent, "COMMAND... TEMPDIR" makes it first. An
# interrupted command leaves only a temporary directory, which the next run removes.
cached()
{
	local dir=$1

	shift
	[ -d "$dir" ] || locked "${dir##*/}" cached_make "$dir" "$@"
	printf '%s\n' "$dir"
}

cached_make()
{
	local dir=$1 tmp=$1.new

	shift
	[ ! -d "$dir" ] || return 0
	rm -rf "$tmp"
	mkdir -p "$tmp"
	"$@" "$tmp" >&2
	mv -T "$tmp" "$dir"
}
