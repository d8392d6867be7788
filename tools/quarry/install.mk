# SPDX-License-Identifier: GPL-2.0
#
# What is installed beside the program: manual pages, completion, and what modules and programs need
# to use Quarry.  The Makefile includes this.
#
#   make man completion     build/tools/man and build/tools/completion, or O=DIR
#   make install            all of it, below DESTDIR and PREFIX (/usr/local)
#   make install-program    the program, its pages and its completion
#   make install-dev        headers and the pkg-config file
#   make uninstall          remove what "make install" with the same variables installed
#   make check-texts        do the pages and the completion fit the program?

ZSHDIR	?= $(PREFIX)/share/zsh/site-functions
# The checksums of Quarry's functions in the module for a kernel, which modules that use Quarry need.
# "make modules_install" at the top installs it here.  pkg-config replaces ${kernel}.
SYMVERS	?= /lib/modules/$${kernel}/quarry.symvers

pages	:= $(patsubst man/%.rst,$(O)/man/%,$(wildcard man/*.[17].rst))
shells	:= $(addprefix $(O)/completion/,bash zsh fish)
share	= $(DESTDIR)$(PREFIX)/share

man: $(pages)
completion: $(shells)

# The date of a page is that of its source.
page_date = $(shell date -u $(if $(SOURCE_DATE_EPOCH),-d @$(SOURCE_DATE_EPOCH),-r $<) +%F)

$(O)/man/%: man/%.rst man/common.rst $(top)/VERSION
	@mkdir -p $(@D)
	@echo '  MAN     $(@:$(O)/%=%)'
	$(Q)rst2man --halt=2 $< $@.rst
	$(Q)sed -e 's/@VERSION@/$(VERSION)/; s/@DATE@/$(page_date)/' \
		-e 's/^\.SH .*/\U&/' $@.rst >$@
	$(Q)rm $@.rst

$(O)/completion/%: $(O)/quarry completion/generate completion/help_text.py
	@mkdir -p $(@D)
	@echo '  GEN     $(@:$(O)/%=%)'
	$(Q)PYTHONDONTWRITEBYTECODE=1 completion/generate $(abspath $<) $* >$@.new
	$(Q)mv $@.new $@

$(O)/quarry.pc: quarry.pc.in $(top)/VERSION FORCE
	@mkdir -p $(@D)
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@SYMVERS@|$(SYMVERS)|' $< >$@

install: install-program install-dev

install-program: $(O)/quarry $(pages) $(shells)
	install -D -m 755 $(O)/quarry $(DESTDIR)$(PREFIX)/bin/quarry
	install -d $(share)/man/man1 $(share)/man/man7
	install -m 644 $(filter %.1,$(pages)) $(share)/man/man1
	install -m 644 $(filter %.7,$(pages)) $(share)/man/man7
	install -D -m 644 $(O)/completion/bash $(share)/bash-completion/completions/quarry
	install -D -m 644 $(O)/completion/zsh $(DESTDIR)$(ZSHDIR)/_quarry
	install -D -m 644 $(O)/completion/fish $(share)/fish/vendor_completions.d/quarry.fish

# Headers for modules have a directory of their own: a module that searches /usr/include would find
# headers of the C library there.
install-dev: $(O)/quarry.pc
	install -d $(share)/quarry/include/quarry $(share)/quarry/include/trace/events
	install -m 644 $(top)/include/quarry/*.h $(share)/quarry/include/quarry
	install -m 644 $(top)/include/trace/events/*.h $(share)/quarry/include/trace/events
	install -D -m 644 $(top)/include/uapi/quarry.h $(DESTDIR)$(PREFIX)/include/quarry.h
	install -D -m 644 $(O)/quarry.pc $(share)/pkgconfig/quarry.pc

# The list of files is that of an installation into another place.
uninstall:
	@list=$$(mktemp -d) && trap 'rm -rf "$$list"' EXIT && \
	$(MAKE) -s --no-print-directory install DESTDIR="$$list" && cd "$$list" && \
	find . -type f | while read -r file; do \
		echo "  RM      $(DESTDIR)$${file#.}"; rm -f "$(DESTDIR)$${file#.}"; \
	done && \
	{ [ ! -d "$(share)/quarry" ] || find "$(share)/quarry" -depth -type d -exec rmdir {} +; }

check-texts: $(O)/quarry man completion
	tests/texts_test.py $(O)

.PHONY: check-texts man completion install-program install-dev uninstall FORCE
