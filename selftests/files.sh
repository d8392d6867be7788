# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Functions that the tests of moved modules share: for trees of files, and for memory that the
# kernel frees. A test sources it after lib.sh.

# --- Trees of files -----------------------------------------------------------------

# tree DIR N: make N files of 0 to 90 KB in directories, with long and short names. All differ.
# They are parts of $TMP/text.
tree()
{
	number_of=0
	while [ "$number_of" -lt "$2" ]; do
		dir=$1/$((number_of % 12))/directory-with-a-name-of-some-length
		name=$number_of.txt
		[ $((number_of % 3)) = 0 ] || name="a longer name, number $number_of.text"
		[ -d "$dir" ] || mkdir -p "$dir"
		tail -c +$((number_of * 97 + 1)) "$TMP/text" |
			head -c $((number_of * number_of * 13 % 90001)) >"$dir/$name"
		number_of=$((number_of + 1))
	done
}

# sums DIR
sums()
{
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# same_tree TEXT DIR SUMS
same_tree()
{
	sums "$2" >"$TMP/sums"
	if cmp -s "$TMP/sums" "$3"; then
		ok "$1: $(wc -l <"$3") files"
	else
		fail "$1: $(diff "$TMP/sums" "$3" | grep -c '^[+-][^+-]') lines of difference"
	fi
}

forget()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# --- Objects ------------------------------------------------------------------------

# soon GOT WANTED: the command GOT prints WANTED, after a while: some objects are freed by RCU
# callbacks or by work that the kernel has put off.
soon()
{
	tries=0
	until [ "$($1)" = "$2" ]; do
		[ "$tries" -lt 20 ] || return
		tries=$((tries + 1))
		sleep 0.2
	done
}

# live_is CACHE NUMBER TEXT: the cache has as many live objects, after a while.
live_is()
{
	soon "cache_stat $1 live_objects" "$2"
	same "$3: live objects of $1" "$(cache_stat "$1" live_objects)" "$2"
}

misuses()
{
	awk '/^misuse/ { n += $2 } END { print n }' "$QUARRY/stats"
}

# --- Memory that the kernel frees -----------------------------------------------------

# kernel_frees N TEXT COMMAND...: the command succeeds, and after it the kernel frees N objects of
# Quarry's.
kernel_frees()
{
	wanted=$(($(stat kernel_frees) + $1))
	shift
	text_of=$1
	expect "$@"
	soon "stat kernel_frees" "$wanted"
	same "$text_of: frees by the kernel" "$(stat kernel_frees)" "$wanted"
}

# hand_over FREES: serport and dns_resolver hand memory to the kernel, which frees it. FREES is 1 if
# that is Quarry's, and otherwise 0.
hand_over()
{
	mkdir -p /dev/pts
	[ -e /dev/pts/ptmx ] || mount -t devpts devpts /dev/pts
	kernel_frees $((3 * $1)) "ports of serport" ./hand port 3
	kernel_frees $((40 * $1)) "keys of dns_resolver" ./hand key 40
}
