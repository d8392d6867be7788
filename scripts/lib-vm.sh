#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Parts of scripts/vm: the file system that the guest boots from, QEMU's options, and the lines
# that must not be on the guest's console. Source it after lib.sh.

# shellcheck disable=SC2034 # for the script that sources this
GUEST=$QUARRY_TOP/scripts/guest

# Lines that a healthy kernel does not print.
VM_BAD='WARNING:|BUG[: ]|Oops|possible circular locking|INFO: possible|possible recursive locking'
VM_BAD+='|inconsistent lock state|suspicious RCU usage|DEBUG_LOCKS_WARN_ON|Invalid wait context'
VM_BAD+='|sleeping function called|scheduling while atomic|UBSAN:|general protection'
VM_BAD+='|rcu: INFO: rcu_|soft lockup|hard LOCKUP|blocked for more than|Call Trace'
VM_BAD+='|page allocation failure|Kernel panic|ODEBUG:|refcount_t:|(list_add|list_del) corruption'
VM_BAD+='|unable to handle|kmemleak: [0-9]+ new suspected|leaked percpu|Objects remaining'

# vm_complaints LOG ALLOW: the lines of a console that match VM_BAD, but not ALLOW.
vm_complaints()
{
	local allow=${2:-}

	tr -d '\r' <"$1" | grep -aE "$VM_BAD" | if [ -n "$allow" ]; then
		grep -avE "$allow"
	else
		cat
	fi
}

# vm_last LOG: the end of a console: from the stacks that scripts/vm asked for, or 15 lines.
vm_last()
{
	local first

	first=$(grep -anE -m 1 'NMI: (Not continuing|IOCK|unknown)|Uhhuh. NMI' "$1" | cut -d: -f1) || true
	tail -n "${first:++}${first:-15}" "$1" | head -n 150
}

# pack DIR: a cpio archive of DIR on stdout. All files are owned by root, whoever runs this.
pack()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R +0:+0 --quiet)
}

# Print the archive of the part that is the same in every run: busybox and its applets.
vm_base()
{
	local busybox key

	busybox=$(command -v busybox) || die "busybox not found; run scripts/deps vm"
	! ldd "$busybox" >/dev/null 2>&1 ||
		die "busybox needs shared libraries; run scripts/deps vm"
	key=$(sha256sum <"$busybox")
	printf '%s/base.cpio\n' \
		"$(cached "$QUARRY_CACHE/initramfs-${key:0:12}" vm_base_make "$busybox")"
}

vm_base_make()
{
	local busybox=$1 dir=$2 root=$2/root applet

	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,tmp,root,etc,lib/quarry}
	cp "$busybox" "$root/bin/busybox"
	"$busybox" --list-full | while read -r applet; do
		[ "$applet" = bin/busybox ] || ln -sf /bin/busybox "$root/$applet"
	done
	pack "$root" >"$dir/base.cpio"
	rm -rf "$root"
}

# vm_modules BUILD ROOT: copy every module of a build into one directory. Most of a module is
# debugging data, which is left out.
vm_modules()
{
	local module

	mkdir -p "$2/lib/quarry"
	find "$1" -name '*.ko' | while read -r module; do
		strip --strip-debug -o "$2/lib/quarry/${module##*/}" "$module"
	done
}

# vm_file SPEC ROOT: copy a file or directory into ROOT. SPEC is SRC[:DST].
vm_file()
{
	local src=${1%%:*} dst=

	[ "$src" = "$1" ] || dst=${1#*:}
	[ -e "$src" ] || die "$src: no such file"
	[ -n "$dst" ] || dst=/root/
	case $dst in
	*/) dst=$dst$(basename "$src") ;;
	esac
	mkdir -p "$2/$(dirname "$dst")"
	cp -rLT "$src" "$2/$dst"
}

# vm_program NAME ROOT: copy a program, named or by its path, and the shared libraries that it
# needs, into ROOT. The directory is the last one in the guest's PATH, because busybox has programs
# of the same names.
vm_program()
{
	local file library

	file=$(PATH=$PATH:/usr/sbin:/sbin command -v "$1") || die "$1 not found; run scripts/deps moved"
	mkdir -p "$2/opt/bin"
	cp -L "$file" "$2/opt/bin/${1##*/}"
	ldd "$file" | grep -oE '/[^ ]+' | while read -r library; do
		mkdir -p "$2/${library%/*}"
		cp -L "$library" "$2/$library"
	done
}

# vm_numa NODES CPUS MB: QEMU's options for processors and memory, one per line. Each node is a
# socket, because the kernel warns about a machine with a socket on two nodes.
vm_numa()
{
	local nodes=$1 cpus=$2 mb=$3 per node

	per=$((cpus / nodes))
	[ $((per * nodes)) = "$cpus" ] || die "--cpus must be a multiple of --numa"
	printf '%s\n' -smp "$cpus,sockets=$nodes,cores=$per,threads=1" -m "${mb}M"
	[ "$nodes" -gt 1 ] || return 0
	[ $((mb % nodes)) = 0 ] || die "--mem must be a multiple of --numa MiB"
	for ((node = 0; node < nodes; node++)); do
		printf '%s\n' -object "memory-backend-ram,id=m$node,size=$((mb / nodes))M" \
			-numa "node,nodeid=$node,cpus=$((node * per))-$((node * per + per - 1)),memdev=m$node"
	done
}

# vm_add_memory NODES MB ADD: changes the options in the array "machine": modules of ADD MiB that the
# guest finds offline, one on node 0 and, if there are more nodes, one on a node of its own.
vm_add_memory()
{
	local nodes=$1 mb=$2 add=$3 i

	for i in "${!machine[@]}"; do
		[ "${machine[i]}" != "${mb}M" ] ||
			machine[i]="${mb}M,slots=2,maxmem=$((mb + 2 * add))M"
	done
	machine+=(-object "memory-backend-ram,id=add0,size=${add}M"
		-device "pc-dimm,id=dimm0,memdev=add0,node=0")
	[ "$nodes" -gt 1 ] || return 0
	machine+=(-numa "node,nodeid=$nodes"
		-object "memory-backend-ram,id=add1,size=${add}M"
		-device "pc-dimm,id=dimm1,memdev=add1,node=$nodes")
}

# vm_mb SIZE: SIZE in MiB. It is given as 1G, as 512M, or as a number of MiB.
vm_mb()
{
	case $1 in
	*[Gg]) echo $((${1%?} * 1024)) ;;
	*[Mm]) echo "${1%?}" ;;
	*) echo "$1" ;;
	esac
}
