#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The kernel profile agrees with the kernel's own account of its allocations, /proc/allocinfo, which
# only some kernels have. A load of files, sockets, processes and more is held (kernhold.c), and the
# 30 call sites that grew most are compared. At a rate of 1 a site with no object from before the
# profile was switched on must agree to the object. Of other sites, the profile does not see the
# frees of such objects, and may have that much more.
#
# At a rate of 4096 the estimates must be within three standard errors. Of 30 right ones, one is
# outside by chance in every twelfth run, and two in every 300th; so one may be, up to 4.5. Sites
# with fewer than ten samples are shown, but their errors are guesses.
#
# QUARRY_TAGS: a file with the output of scripts/alloc-tags for this kernel

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

[ -e /proc/allocinfo ] || skip_all "the kernel has no /proc/allocinfo"
tags=${QUARRY_TAGS:-/root/alloc-tags}
[ -e "$tags" ] || skip_all "no $tags: see scripts/alloc-tags"
unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=1048576 || skip_all "no memory"
SLAB=$QUARRY/kernel/slab
SITES=30

# measure RATE: leaves the largest sites in $TMP/largest.
measure()
{
	mkdir "$TMP/files"
	echo "$1" >"$SLAB/rate"
	./kernhold 1000 "$TMP/files" "$SLAB" "$TMP" || fail "kernhold"
	rm -rf "$TMP/files"
	note "rate $1: $(xargs <"$SLAB/stats")"
	for name in missed_frees missed_calls dropped_samples; do
		same "rate $1: $name" "$(value "$SLAB/stats" $name)" 0
	done
	echo 0 >"$SLAB/enable"
	awk -f allocinfo.awk part=tags "$tags" part=off "$TMP/off" part=before "$TMP/before" \
		part=after "$TMP/after" part=top "$TMP/top" >"$TMP/groups" ||
		fail "allocinfo.awk"
	grep '^group' "$TMP/groups" | sort -k 2,2 -rn | head -n $SITES >"$TMP/largest"
	awk 'BEGIN { printf "# %10s %8s %10s %8s %8s %9s %6s %7s  %s\n", "allocinfo", "objects",
			"quarry", "objects", "+/-", "older", "z", "samples", "call site" }
		{ printf "# %10d %8d %10d %8d %8d %9d %6.1f %7d  %s %s %s\n", $2, $3, $4, $5, $6,
			$7, $8, $9, $10, $11, $12 }' "$TMP/largest"
	awk '{ sum[$1] += $1 == "group" ? $4 : $2; theirs += $1 == "group" ? $2 : 0 }
		END { printf "# all sites: allocinfo %d bytes, quarry %d bytes and %d elsewhere\n",
			theirs, sum["group"], sum["none"] }' "$TMP/groups"
	grep '^none' "$TMP/groups" | sort -k 2,2 -rn | head -n 4 | sed 's/^/# /'
	same "rate $1: sites compared" "$(wc -l <"$TMP/largest")" $SITES
}

# sites CONDITION: how many of the largest fulfil it.
sites()
{
	awk "{ bytes = \$2; objects = \$3; got = \$4; got_objects = \$5; older = \$7
		z = \$8 < 0 ? -\$8 : \$8; samples = \$9 } $1 { n++ } END { print n + 0 }" "$TMP/largest"
}

measure 1
within "sites that have new objects only" "$(sites '!older')" 10 $SITES
same "of these, sites that do not agree to the object" \
	"$(sites '!older && (got != bytes || got_objects != objects)')" 0
same "other sites with more than the objects from before, or with less" \
	"$(sites 'older && (got < bytes || got > bytes + older)')" 0
measure 4096
within "sites with ten samples or more" "$(sites 'samples >= 10')" 20 $SITES
within "of these, sites outside of three standard errors" \
	"$(sites 'samples >= 10 && z > 3')" 0 1
same "sites outside of 4.5" "$(sites 'samples >= 10 && z > 4.5')" 0

expect "the walker finds no error" validate
unload quarry
finish
