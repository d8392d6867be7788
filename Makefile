# SPDX-License-Identifier: GPL-2.0
# The front door.  What is built is in Kbuild; the work is done in scripts/.

# Kernel to build against: the running one's headers, else the newest installed.
KDIR ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build), \
	     $(lastword $(shell ls -dv /usr/src/linux-headers-*-amd64 2>/dev/null)))
KERNEL ?= 6.12
export KERNEL

modules := $(MAKE) -C "$(KDIR)" M="$(CURDIR)" CONFIG_QUARRY_SAMPLES=m

all: modules

help:
	@sed -n 's/^#: \{0,1\}//p' $(MAKEFILE_LIST)

#: Build
#:   make                 quarry.ko and the samples, against KDIR
#:   make clean           remove what was built in the tree, and build/
#:   make modules_install install the modules for KDIR's kernel (root)
#:   make tools           the command quarry, build/tools/quarry
#:   make install         it, its manual, its completion, and headers (root; below PREFIX)
#:   make uninstall       remove what "make install" installed
#:   make dkms-source     the module's source for DKMS, in /usr/src (root)
#:   make deb             Debian packages, in build/deb
#:
#: See it
#:   make demo            boot Debian's kernel in a VM, index real text, show the books
#:   make demo-kernel     the same kernel, whose own memory a module loses: find the module
#:   make vm              the VM of the first, with a shell: module loaded, debugfs mounted
#:
#: Check it
#:   make check           what a change of the core can break, in 18 minutes;
#:                        ends in "N passed, N failed"
#:   make check-all       the rest of the tests, in an hour
#:   make soak            everything at once, for ten minutes on each of five kernels
#:   make check-fast      what needs no VM: lint, generated files, build warnings
#:   make lint            sparse, checkpatch, kernel-doc, shellcheck, layers, ...
#:   make bench           instructions per operation, beside SLUB's, in a table
#:   make bench-native    nanoseconds and throughput, beside SLUB's, in User Mode Linux
#:
#: Other
#:   make docs            the manual, build/docs/index.html; a warning is an error
#:   make generate        generated tables anew, after a change of scripts/mk*.c
#:   make compile_commands.json   for clangd
#:
#: Variables
#:   KDIR=DIR             kernel headers to build against (make, modules_install)
#:   KERNEL=6.12|6.1      Debian's kernel to boot (demos, vm); also debug, kcsan
#:   QUARRY_CACHE=DIR     where kernels are kept (default ~/.cache/quarry)
#:   QUARRY_NO_INSTALL=1  never install packages; say what is missing and stop
#:   PREFIX=DIR           where to install (default /usr/local); DESTDIR=DIR stands before it
#:   V=1 W=1 C=2          as in the kernel's own makefiles

modules:
	@test -n "$(KDIR)" || { echo "No kernel headers found. Install linux-headers-amd64, or say KDIR=..." >&2; exit 1; }
	$(modules) modules

# Modules that use Quarry need Module.symvers; quarry.pc says where it is.
modules_install: modules
	$(modules) modules_install
	install -D -m 644 Module.symvers \
		"$(INSTALL_MOD_PATH)/lib/modules/$$($(MAKE) -s -C "$(KDIR)" kernelrelease)/quarry.symvers"

install uninstall:
	@$(MAKE) --no-print-directory -C tools/quarry $@

# What DKMS needs to build the module, without tests.
version := $(file <VERSION)
dkms_source := $(DESTDIR)/usr/src/quarry-$(version)
dkms-source:
	install -d "$(dkms_source)"
	cp VERSION COPYING Kbuild "$(dkms_source)/"
	find include debugfs module scripts/dkms-symvers -path module/tests -prune -o \
		\( -name '*.[ch]' -o -name dkms-symvers \) -exec cp --parents -t "$(dkms_source)/" {} +
	sed 's/#MODULE_VERSION#/$(version)/' debian/quarry-dkms.dkms >"$(dkms_source)/dkms.conf"

deb:
	@scripts/deb

clean:
	$(if $(KDIR),$(modules) CONFIG_QUARRY_KUNIT=m CONFIG_QUARRY_TEST=m CONFIG_QUARRY_BENCH=m clean)
	rm -rf build

tools:
	@scripts/tools

demo:
	@scripts/demo

demo-kernel:
	@scripts/demo-kernel

vm:
	@scripts/deps build vm tools
	@scripts/build "$(KERNEL)" >/dev/null
	@scripts/tools
	@scripts/vm --kernel "$(KERNEL)" --program "$(CURDIR)/build/tools/quarry" --shell

check:
	@scripts/check

check-all:
	@scripts/check --rest

soak:
	@scripts/deps build kernel vm
	@scripts/soak

check-fast:
	@scripts/check-fast

lint:
	@scripts/check-fast lint

bench:
	@scripts/bench
	@scripts/bench-kernel

bench-native:
	@scripts/bench-native

generate:
	@scripts/check-generated --write

docs:
	@scripts/docs

compile_commands.json: modules
	@scripts/compile-commands >$@

.PHONY: all help modules modules_install tools install uninstall dkms-source deb clean demo \
	demo-kernel vm check check-all soak check-fast lint \
	bench bench-native generate docs compile_commands.json
