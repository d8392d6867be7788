#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# Modules of the kernel's own source work with Quarry's memory: fat and vfat with their caches,
# overlay, loop, binfmt_misc, serport and dns_resolver with their caches and kmalloc(). scripts/port
# has built them with quarry/kmem_shim.h, and without a change to their source.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
# shellcheck source=files.sh
. ./files.sh

[ -e "$MODULES/overlay.ko" ] ||
	skip_all "no modules of the kernel's own here: scripts/port builds them, for 6.12"

files=${QUARRY_FILES:-240}
unload wordindex quarry_client quarry
load quarry nls_cp437 nls_ascii loop fat vfat overlay binfmt_misc serport dns_resolver
mark

for module in fat vfat overlay loop binfmt_misc serport dns_resolver; do
	expect "$module holds quarry" [ -e "/sys/module/quarry/holders/$module" ]
done

# --- The files that are copied ------------------------------------------------------

head -c 300000 /proc/kallsyms >"$TMP/text"
mkdir "$TMP/source" "$TMP/fat"
tree "$TMP/source" "$files"
sums "$TMP/source" >"$TMP/source.sums"

# --- A disk of 32 MiB with FAT16, by hand --------------------------------------------

# In sectors of 512 bytes: 1 boot sector, 2 tables of 128, a root directory of 32, and clusters
# of 2.
disk=$TMP/disk
dd if=/dev/zero of="$disk" bs=1M count=0 seek=32 2>/dev/null
put()
{
	# shellcheck disable=SC2059 # the bytes are a format
	printf "$2" | dd of="$disk" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
put 0 '\353\074\220QUARRY  \000\002\002\001\000\002\000\002\000\000\370\200\000\040\000\100\000'
put 28 '\000\000\000\000\000\000\001\000\200\000\051\001\002\003\004MOVED      FAT16   '
put 510 '\125\252'
put 512 '\370\377\377\377'
put $((512 * 129)) '\370\377\377\377'

loop=$(losetup -f)
expect "a loop device" losetup "$loop" "$disk"
loop_live=$(stat live_objects)
within "objects of kmalloc's that loop has" "$loop_live" 1 10000

mount_fat()
{
	mount -t vfat "$loop" "$TMP/fat" || {
		fail "mount -t vfat"
		finish
	}
}

# --- fat and vfat ---------------------------------------------------------------------

mount_fat
expect "a tree is copied to vfat" cp -r "$TMP/source/." "$TMP/fat/"
within "inodes of fat" "$(cache_stat fat_inode_cache live_objects)" "$files" 100000
same_tree "as it was written" "$TMP/fat" "$TMP/source.sums"
forget
same_tree "as it is on the disk" "$TMP/fat" "$TMP/source.sums"
within "extents that fat remembered" "$(cache_stat fat_cache mallocs)" 1 100000000
expect "the walker finds no error with fat mounted" validate
expect "the equations hold with fat mounted" balanced

rm -r "$TMP/fat/3" "$TMP/fat/7" "$TMP/source/3" "$TMP/source/7"
for file in "$TMP"/fat/5/*/*.text; do
	mv "$file" "$TMP/fat/5/${file##*/}.moved"
	mv "$TMP/source/${file#"$TMP/fat/"}" "$TMP/source/5/${file##*/}.moved"
done
sums "$TMP/source" >"$TMP/source.sums"
# Write into the gaps of the files that were removed, so that the file is in pieces.
cp "$TMP/text" "$TMP/fat/one piece after another"
cp "$TMP/text" "$TMP/source/one piece after another"
sums "$TMP/source" >"$TMP/source.sums"
expect "vfat is unmounted" umount "$TMP/fat"
live_is fat_inode_cache 0 "unmounted"
live_is fat_cache 0 "unmounted"

mount_fat
same_tree "mounted again, after files went and moved" "$TMP/fat" "$TMP/source.sums"
# The kernel's shrinkers free inodes, which are Quarry's objects.
before=$(cache_stat fat_inode_cache live_objects)
for try in 1 2 3 4 5 6 7 8 9 10; do
	forget
	after=$(cache_stat fat_inode_cache live_objects)
	[ "$after" -ge "$before" ] || break
	sleep 0.2
done
within "inodes that the kernel's shrinkers freed" $((before - after)) 1 "$before"
expect "vfat is unmounted again" umount "$TMP/fat"

echo 1 >"$QUARRY/caches/fat_inode_cache/profile/rate"
mount_fat
ls -R "$TMP/fat" >/dev/null
expect "the profile of fat's inodes names fat" \
	grep -q 'fat_alloc_inode' "$QUARRY/caches/fat_inode_cache/profile/heap.folded"
umount "$TMP/fat"

# --- overlay --------------------------------------------------------------------------

mkdir "$TMP/upper" "$TMP/work" "$TMP/merged"
live_before=$(stat live_objects)
mount_overlay()
{
	mount -t overlay overlay "$TMP/merged" \
		-o "lowerdir=$TMP/source,upperdir=$TMP/upper,workdir=$TMP/work" || {
		fail "mount -t overlay"
		finish
	}
}
mount_overlay
same_tree "overlay shows what is below" "$TMP/merged" "$TMP/source.sums"
within "inodes of overlay" "$(cache_stat ovl_inode live_objects)" 1 100000
within "objects of kmalloc's that overlay has" $(($(stat live_objects) - live_before)) 100 1000000
# Make the same changes on overlay and, for comparison, on a plain directory.
cp -r "$TMP/source" "$TMP/plain"
for where in merged plain; do
	(
		cd "$TMP/$where" || exit
		rm -r 0 1/*/*.text
		mkdir -p 0/again
		for file in 2/*/*; do
			echo more >>"$file"
		done
		cp -r 4 0/again/four
		mv 5/*.moved 0/
		ln -s ../../elsewhere 0/link
		ln 6/*/*6.txt 0/ 2>/dev/null
		rm -r 8
		mkdir 8
		echo new >8/new
		find . | sort | head -c 1000000 >/dev/null
	)
done
sums "$TMP/plain" >"$TMP/plain.sums"
same_tree "overlay after changes" "$TMP/merged" "$TMP/plain.sums"
same "its names and links" "$(cd "$TMP/merged" && find . -exec ls -ld {} + | awk '{ print $1, $9, $11 }' |
	sort | sha256sum)" "$(cd "$TMP/plain" && find . -exec ls -ld {} + |
	awk '{ print $1, $9, $11 }' | sort | sha256sum)"
same_tree "what lies below it" "$TMP/source" "$TMP/source.sums"
expect "the walker finds no error with overlay mounted" validate
expect "the equations hold with overlay mounted" balanced
expect "overlay is unmounted" umount "$TMP/merged"
mount_overlay
forget
same_tree "overlay mounted again" "$TMP/merged" "$TMP/plain.sums"
expect "overlay is unmounted again" umount "$TMP/merged"
live_is ovl_inode 0 "unmounted"

# --- Memory that the kernel frees ------------------------------------------------------

# free_user_ns() frees what binfmt_misc has allocated for the namespace, when that ends.
mkdir "$TMP/binfmt"
kernel_frees 1 "binfmt_misc in a user namespace" unshare -Urm sh -c \
	"mount -t binfmt_misc none $TMP/binfmt && grep -q enabled $TMP/binfmt/status"
hand_over 1
expect "the walker finds no error after it" validate

# --- The end --------------------------------------------------------------------------

rmmod overlay || fail "rmmod overlay"
expect "the loop device is let go" losetup -d "$loop"
for module in vfat fat loop binfmt_misc serport dns_resolver; do
	rmmod "$module" || fail "rmmod $module"
done
drain
same "live objects after all are unloaded" "$(stat live_objects)" 0
same "caches of modules that are unloaded" \
	"$(find "$QUARRY/caches" -maxdepth 1 -name 'fat*' -o -maxdepth 1 -name 'ovl*' | wc -l)" 0
same "misuse" "$(misuses)" 0
expect "the walker finds no error" validate
expect "the equations hold" balanced
unload quarry nls_cp437 nls_ascii
same "lines that say something was not given back" \
	"$(since_mark | grep -c 'not given back\|never freed\|live objects')" 0
finish
