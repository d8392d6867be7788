#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Large modules of the kernel's own work with Quarry's memory: ext4 with jbd2, xfs, erofs and
# wireguard; and serport and dns_resolver, of which the kernel frees memory. Each runs twice, with
# its caches alone moved, and with kmalloc() too. "scripts/port --large" has built them. In the end
# a moved ext4 holds no more pages than the kernel's.
#
# ROWS: which of them (default all); LEVELS: what is moved, "caches" or "kmalloc" (default both)

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=files.sh
. ./files.sh

[ -d "$MODULES/large/caches" ] || skip_all "no large modules here: scripts/port --large builds them"
# Programs of the host, see scripts/vm --program.
bin=/opt/bin

# --- Modules ------------------------------------------------------------------------

# find_module NAME: the module's file: of the level, or one that is not moved.
find_module()
{
	for dir in "$MODULES/large/$level" "$MODULES/large/plain" "$MODULES"; do
		if [ -e "$dir/$1.ko" ]; then
			echo "$dir/$1.ko"
			return
		fi
	done
	echo "no module $1" >&2
}

# bring NAME...: load modules, after those that they need.
bring()
{
	while [ $# -gt 0 ]; do
		if ! loaded "$(echo "$1" | tr - _)"; then
			# shellcheck disable=SC2046 # names are words
			bring $(tr '\0' '\n' <"$(find_module "$1")" | sed -n 's/^depends=//p' | tr , ' ')
			insmod "$(find_module "$1")" || {
				fail "insmod $1"
				finish
			}
		fi
		shift
	done
}

# disk MIB: an empty /dev/ram0.
disk()
{
	unload brd
	insmod "$MODULES/large/plain/brd.ko" rd_nr=1 "rd_size=$(($1 * 1024))" || fail "insmod brd"
}

# By which kmalloc() is counted.
class_mallocs()
{
	cat "$QUARRY"/caches/malloc-*/stats | awk '$1 == "mallocs" { n += $2 } END { printf "%.0f", n }'
}

# begin ROW MODULE...: with an empty Quarry, load the modules of a row.
begin()
{
	row="$1, $level"
	shift
	modules=$*
	unload quarry
	load quarry
	mark
	# shellcheck disable=SC2086 # names are words
	bring $modules
	for module in $modules; do
		expect "$row: $module holds quarry" [ -e "/sys/module/quarry/holders/$module" ]
	done
}

# check_work CACHE: after some work: it was Quarry's memory, of kmalloc() only at that level.
check_work()
{
	within "$row: objects of $1" "$(cache_stat "$1" mallocs)" 1 100000000
	case $level in
	caches) same "$row: objects of kmalloc()" "$(class_mallocs)" 0 ;;
	kmalloc) within "$row: objects of kmalloc()" "$(class_mallocs)" 1 100000000 ;;
	esac
	expect "$row: the walker finds no error" validate
	expect "$row: the equations hold" balanced
}

# A module goes, when the last work that uses it has ended.
remove()
{
	for try in 1 2 3 4 5 6 7 8 9 10; do
		rmmod "$1" 2>/dev/null && return
		sleep 0.2
	done
	rmmod "$1" || fail "$row: rmmod $1"
}

# end: nothing is left of the row's modules.
end()
{
	for module in $modules; do
		remove "$module"
	done
	drain
	soon "stat live_objects" 0
	same "$row: live objects in the end" "$(stat live_objects)" 0
	same "$row: zombie caches" "$(stat zombie_caches)" 0
	same "$row: misuse" "$(misuses)" 0
	expect "$row: the walker finds no error in the end" validate
	expect "$row: the equations hold in the end" balanced
	unload quarry
	same "$row: lines that say something was not given back" \
		"$(since_mark | grep -c 'not given back\|never freed\|live objects')" 0
}

# --- File systems ---------------------------------------------------------------------

head -c 300000 /proc/kallsyms >"$TMP/text"
mkdir "$TMP/source" "$TMP/disk"
tree "$TMP/source" "${QUARRY_FILES:-120}"
sums "$TMP/source" >"$TMP/source.sums"

mount_disk()
{
	mount -t "$@" /dev/ram0 "$TMP/disk" || {
		fail "$row: mount -t $*"
		finish
	}
}

# change DIR: the same changes to each copy of the tree.
change()
{
	(
		cd "$1" || exit
		rm -r 3 7
		mkdir -p 5/again 9/many
		for file in 5/*/*.text; do
			mv "$file" 5/again/
		done
		for file in 4/*/*; do
			echo more >>"$file"
		done
		# Write into the gaps of the files that were removed.
		cp "$TMP/text" "one piece after another"
		ln -s ../../elsewhere 9/link
		ln 6/*/*6.txt 9/ 2>/dev/null
		seq 1 1000 | sed 's|^|9/many/a name of some length that is not the same |' | tr '\n' '\0' |
			xargs -0 touch
		find 9/many -name '*5' -print0 | xargs -0 rm
		mv 9/many 9/less
	)
}

names()
{
	(cd "$1" && find . -exec ls -ld {} + | sort -k 9 |
		awk '$9 != "." && $9 != "./lost+found" { print $1, $9, $11 }' | sha256sum)
}

# file_system TYPE CACHE: files are written, changed, removed and read again.
file_system()
{
	mount_disk "$1"
	expect "$row: a tree is copied" cp -r "$TMP/source/." "$TMP/disk/"
	same_tree "$row: as it was written" "$TMP/disk" "$TMP/source.sums"
	forget
	same_tree "$row: as it is on the disk" "$TMP/disk" "$TMP/source.sums"
	cp -r "$TMP/source" "$TMP/plain"
	change "$TMP/plain"
	change "$TMP/disk"
	sums "$TMP/plain" >"$TMP/plain.sums"
	same_tree "$row: after changes" "$TMP/disk" "$TMP/plain.sums"
	check_work "$2"
	expect "$row: umount" umount "$TMP/disk"
	live_is "$2" 0 "$row: unmounted"
	mount_disk "$1"
	same_tree "$row: mounted again" "$TMP/disk" "$TMP/plain.sums"
	same "$row: names, modes and links" "$(names "$TMP/disk")" "$(names "$TMP/plain")"
	expect "$row: umount again" umount "$TMP/disk"
	rm -r "$TMP/plain"
}

row_ext4()
{
	disk 64
	begin ext4 ext4 jbd2 mbcache
	expect "$row: mke2fs" "$bin"/mke2fs -q -t ext4 /dev/ram0
	file_system ext4 ext4_inode_cache
	end
}

row_xfs()
{
	disk 320
	begin xfs xfs
	expect "$row: mkfs.xfs" "$bin"/mkfs.xfs -q /dev/ram0
	file_system xfs xfs_inode
	end
}

# It can only be read, and its files are compressed.
row_erofs()
{
	disk 64
	begin erofs erofs
	expect "$row: mkfs.erofs" sh -c \
		"$bin/mkfs.erofs -zlz4 $TMP/image $TMP/source >/dev/null && cp $TMP/image /dev/ram0"
	for try in 1 2 3; do
		mount_disk erofs -o ro
		same_tree "$row: as it was written" "$TMP/disk" "$TMP/source.sums"
		forget
		same_tree "$row: as it is on the disk" "$TMP/disk" "$TMP/source.sums"
		same "$row: names" "$(names "$TMP/disk")" "$(names "$TMP/source")"
		[ "$try" != 1 ] || check_work erofs_inode
		expect "$row: umount" umount "$TMP/disk"
	done
	live_is erofs_inode 0 "$row: unmounted"
	rm "$TMP/image"
	end
}

# --- A network --------------------------------------------------------------------------

other_ns()
{
	nsenter -t "$other" -n "$@"
}

# peer NAME PORT: keys and port of one end, and the other end as its peer.
peer()
{
	case $1 in
	wg0) them=wg1 their_port=51821 their_address=10.9.0.2 ;;
	wg1) them=wg0 their_port=51820 their_address=10.9.0.1 ;;
	esac
	"$bin"/wg set "$1" listen-port "$2" private-key "$TMP/$1.key" peer "$(cat "$TMP/$them.pub")" \
		allowed-ips "$their_address/32" endpoint "127.0.0.1:$their_port"
}

# Two ends of a tunnel, the second one in a network of its own. Its socket stays here, so that
# packets travel on the loopback device.
row_wireguard()
{
	[ -p "$TMP/open" ] || mkfifo "$TMP/open"
	begin wireguard wireguard
	ip link set lo up
	for end in wg0 wg1; do
		expect "$row: $end" "$bin"/ip link add $end type wireguard
		(umask 077 && "$bin"/wg genkey >"$TMP/$end.key")
		"$bin"/wg pubkey <"$TMP/$end.key" >"$TMP/$end.pub"
	done
	peer wg0 51820 || fail "$row: wg set wg0"
	peer wg1 51821 || fail "$row: wg set wg1"
	unshare -n sleep 1000 &
	other=$!
	until [ "$(readlink "/proc/$other/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do
		sleep 0.1
	done
	expect "$row: one end moves" "$bin"/ip link set wg1 netns "$other"
	"$bin"/ip address add 10.9.0.1/24 dev wg0
	"$bin"/ip link set wg0 up
	other_ns "$bin"/ip address add 10.9.0.2/24 dev wg1
	other_ns "$bin"/ip link set wg1 up
	expect "$row: ping" sh -c "ping -c 5 -s 1300 10.9.0.2 >/dev/null"
	# Its input must not end, or it would say so, and the other side would end as well.
	other_ns nc -l -p 7000 <>"$TMP/open" >"$TMP/received" &
	listener=$!
	for try in 1 2 3 4 5 6 7 8 9 10; do
		nc 10.9.0.2 7000 <"$TMP/text" 2>/dev/null && break
		sleep 0.2
	done
	wait $listener
	expect "$row: what arrives" cmp "$TMP/text" "$TMP/received"
	check_work wg_peer
	within "$row: live peers" "$(cache_stat wg_peer live_objects)" 2 2
	"$bin"/ip link del wg0
	kill $other
	wait $other 2>/dev/null
	live_is wg_peer 0 "$row: both ends are gone"
	end
}

# --- Memory that the kernel frees -------------------------------------------------------

# Nothing of theirs is Quarry's when only caches are, as they have none.
row_freed()
{
	begin freed serport dns_resolver
	case $level in
	caches) hand_over 0 ;;
	kmalloc) hand_over 1 ;;
	esac
	end
}

# --- Pages ------------------------------------------------------------------------------

# slab_pages: each of the kernel's slab caches with its pages.
slab_pages()
{
	sed 1,2d /proc/slabinfo | awk '{ print $1, $15 * $6 }'
}

# kmalloc() holds pages under free objects of anybody's, which the kernel gives back when asked.
shrink_kmalloc()
{
	for file in /sys/kernel/slab/kmalloc-*/shrink; do
		echo 1 >"$file"
	done
}

# new_pages FILE PATTERN: pages of the caches with such a name, beyond those in FILE.
new_pages()
{
	slab_pages | awk -v pattern="$2" '
		NR == FNR { before[$1] = $2; next }
		$1 ~ pattern { n += $2 - before[$1] }
		END { print n + 0 }' "$1" -
}

# pages_held: what ext4 and its modules hold. In the kernel these are the slabs of caches that did
# not exist before. In Quarry these are all pages that it holds, also idle ones, its metadata, and
# the slabs of its structs. Where kmalloc() is moved, both have also what kmalloc()'s caches grew by.
pages_held()
{
	held=0
	shrink_kmalloc
	case $level in
	plain) held=$(slab_pages | awk '
		NR == FNR { before[$1] = 1; next }
		!before[$1] { n += $2 }
		END { print n + 0 }' "$TMP/caches" -) ;;
	*) held=$((($(stat held_bytes) + $(stat metadata_bytes) - metadata) / 4096 +
		$(new_pages "$TMP/caches" ^quarry_))) ;;
	esac
	[ "$moved" = caches ] || held=$((held + $(new_pages "$TMP/caches" ^kmalloc-)))
	echo "$held"
}

# count_pages: of a disk with 20,000 inodes: sets used, dropped and unmounted: the pages when all
# inodes are in use, 15 s after drop_caches, and as long after the disk is unmounted.
count_pages()
{
	row="pages, $level"
	disk 64
	case $level in
	plain) modules= ;;
	*) begin pages ;;
	esac
	sleep 1
	shrink_kmalloc
	slab_pages >"$TMP/caches"
	bring ext4
	modules="ext4 jbd2 mbcache"
	[ "$level" = plain ] || metadata=$(stat metadata_bytes)
	expect "$row: mke2fs" "$bin"/mke2fs -q -t ext4 -N 24576 -b 4096 /dev/ram0
	mount_disk ext4
	for dir in 1 2 3 4 5 6 7 8 9 10; do
		mkdir "$TMP/disk/$dir"
		seq 1 2000 | sed "s|^|$TMP/disk/$dir/|" | xargs touch
	done
	sync
	used=$(pages_held)
	forget
	sleep 15
	dropped=$(pages_held)
	expect "$row: umount" umount "$TMP/disk"
	sleep 15
	unmounted=$(pages_held)
	note "$row: $used with 20,000 inodes, $dropped after drop_caches, $unmounted unmounted"
	case $level in
	plain)
		for module in $modules; do
			remove "$module"
		done
		;;
	*) end ;;
	esac
}

# What kmalloc()'s caches keep, which is a part of both counts, differs by some ten pages from one
# count to the next. So each side is counted several times, in turns, and the means are compared.
row_pages()
{
	moved=$level
	rounds=$(choose 3 1)
	kernels_dropped=0 kernels_unmounted=0 ours_dropped=0 ours_unmounted=0
	for _ in $(seq "$rounds"); do
		level=plain
		count_pages
		kernels_dropped=$((kernels_dropped + dropped))
		kernels_unmounted=$((kernels_unmounted + unmounted))
		level=$moved
		count_pages
		ours_dropped=$((ours_dropped + dropped))
		ours_unmounted=$((ours_unmounted + unmounted))
	done
	within "$row: after drop_caches, at most the kernel's" $((ours_dropped / rounds)) 0 \
		$((kernels_dropped / rounds))
	within "$row: unmounted, at most the kernel's" $((ours_unmounted / rounds)) 0 \
		$((kernels_unmounted / rounds))
}

unload wordindex quarry_client quarry
# Two that are asked for by the names of algorithms.
level=caches
bring crc32c_generic libcrc32c
for level in ${LEVELS:-caches kmalloc}; do
	for name in ${ROWS:-ext4 xfs erofs wireguard freed pages}; do
		start=$(cut -d. -f1 /proc/uptime)
		case $name in
		ext4) row_ext4 ;;
		xfs) row_xfs ;;
		erofs) row_erofs ;;
		wireguard) row_wireguard ;;
		freed) row_freed ;;
		pages) row_pages ;;
		esac
		note "$row took $(($(cut -d. -f1 /proc/uptime) - start)) s"
	done
done
unload brd
finish
