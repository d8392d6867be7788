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

# vm_complaints LOG ALLOW: the lines of a console that match VM_BAD, but not ALLOW. The kernel's own
# data races, of which it has some, are no complaint.
vm_complaints()
{
	local allow=${2:-}

	tr -d '\r' <"$1" | vm_own_races | grep -aE "$VM_BAD" | if [ -n "$allow" ]; then
		grep -avE "$allow"
	else
		cat
	fi
}

# vm_own_races: copy a console without KCSAN's reports in which no function of one of our modules is,
# and without those about the kernel's clock, whose readers race with its writer by design.
vm_own_races()
{
	awk '/BUG: KCSAN: data-race in ktime_get_mono_fast_ns/ {
			within = report = ours = 0
			skip = 1
			next
		}
		skip && /={60}/ { skip = 0; next }
		skip && /BUG:|WARNING:|Oops|panic/ { skip = 0 }
		skip { next }
		/BUG: KCSAN:/ { report = $0; ours = 0; within = 1; next }
		within && /={60}/ { if (ours) print report; within = 0; next }
		within { report = report "\n" $0; if (/\[(quarry|wordindex)/) ours = 1; next }
		{ print }
		END { if (within) print report }'
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

# vm_base ARCH: print the archive of the part that is the same in every run: busybox and its
# applets. For another architecture it is that architecture's package; it has the same applets.
vm_base()
{
	local busybox foreign key

	busybox=$(command -v busybox) || die "busybox not found; run scripts/deps vm"
	! ldd "$busybox" >/dev/null 2>&1 ||
		die "busybox needs shared libraries; run scripts/deps vm"
	foreign=$busybox
	[ "$1" != arm64 ] || foreign=$(cached "$QUARRY_CACHE/busybox-$1" vm_busybox "$1")/bin/busybox
	key=$(cat "$busybox" "$foreign" | sha256sum)
	printf '%s/base.cpio\n' \
		"$(cached "$QUARRY_CACHE/initramfs-${key:0:12}" vm_base_make "$busybox" "$foreign")"
}

# vm_busybox ARCH DIR: Debian's package for that architecture, unpacked.
vm_busybox()
{
	local deb

	deb=$(fetch_deb busybox-static "bookworm:$1" "$2")
	dpkg -x "$deb" "$2"
	rm "$deb"
}

# vm_base_make BUSYBOX FOREIGN DIR: the names of BUSYBOX, which runs here, for FOREIGN.
vm_base_make()
{
	local busybox=$1 foreign=$2 dir=$3 root=$3/root applet

	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,tmp,root,etc,lib/quarry}
	cp "$foreign" "$root/bin/busybox"
	"$busybox" --list-full | while read -r applet; do
		[ "$applet" = bin/busybox ] || ln -sf /bin/busybox "$root/$applet"
	done
	pack "$root" >"$dir/base.cpio"
	rm -rf "$root"
}

# vm_modules BUILD ROOT CROSS: copy every module of a build into one directory. Most of a module is
# debugging data, which is left out.
vm_modules()
{
	local module

	mkdir -p "$2/lib/quarry"
	find "$1" -name '*.ko' | while read -r module; do
		"$3strip" --strip-debug -o "$2/lib/quarry/${module##*/}" "$module"
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

# vm_emulator ARCH: the program that runs it.
vm_emulator()
{
	case $1 in
	arm64) need qemu-system-aarch64 arm64 && echo qemu-system-aarch64 ;;
	*) need qemu-system-x86_64 vm && echo qemu-system-x86_64 ;;
	esac
}

# vm_console ARCH: the kernel's console.
vm_console()
{
	case $1 in
	um) echo tty0 ;;
	arm64) echo ttyAMA0 ;;
	*) echo ttyS0 ;;
	esac
}

# vm_cpu ARCH ICOUNT: the processor.
vm_cpu()
{
	local major

	if [ "$1" = arm64 ]; then
		# It has atomic instructions and addresses of 48 bits. Debian's kernel is for 52, so its
		# direct map does not begin at PAGE_OFFSET there.
		echo neoverse-n1
		return
	fi
	# Before 8.0 its "cmpxchg16b" may leave an operand of the last addition in the flags, and an
	# interrupt that comes next brings them back with the direction flag or single steps on. With
	# --icount the kernel must run the code that it runs on other machines.
	major=$(qemu-system-x86_64 --version | sed -nE '1s/.* version ([0-9]+).*/\1/p')
	if [ -n "$2" ] || [ "${major:-0}" -ge 8 ]; then
		echo max,la57=off
	else
		echo max,la57=off,cx16=off
	fi
}

# vm_ports ARCH: QEMU's options, one per line, for the machine and for the ports ttyS1 and ttyS2.
# That of arm64 has no ports of that kind but on a card, the first of whose four is not used.
vm_ports()
{
	case $1 in
	arm64)
		printf '%s\n' -M virt,gic-version=3 -chardev null,id=none1 -chardev null,id=none4 -device \
			pci-serial-4x,chardev1=none1,chardev2=output,chardev3=control,chardev4=none4
		;;
	*) printf '%s\n' -M q35 -serial chardev:output -serial chardev:control ;;
	esac
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
