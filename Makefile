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
#:   make tools           the command quarry, build/tools/quarry
#:   make clean           remove what was built in the tree, and build/
#:   make modules_install install the modules for KDIR's kernel (root)
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
#:   V=1 W=1 C=2          as in the kernel's own makefiles

modules:
	@test -n "$(KDIR)" || { echo "No kernel headers found. Install linux-headers-amd64, or say KDIR=..." >&2; exit 1; }
	$(modules) modules

modules_install: modules
	$(modules) modules_install

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

.PHONY: all help modules modules_install clean tools demo demo-kernel vm check check-all check-fast lint \
	bench bench-native generate docs compile_commands.json
