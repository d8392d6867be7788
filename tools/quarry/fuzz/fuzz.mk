# SPDX-License-Identifier: GPL-2.0
#
# Harnesses of libFuzzer, one for each parser.  scripts/fuzz builds and runs them.
#
#   make fuzz O=DIR   DIR/NAME_fuzz for each fuzz/NAME_fuzz.c, with ASan and UBSan
#
# Each has the library and all commands, as an archive: a harness replaces functions of theirs by its
# own.

FUZZ_CC	?= clang
# Conversions of floating point that do not fit are not among "undefined".
FUZZ	:= -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer -Wno-format-zero-length \
	   -Wno-bitwise-instead-of-logical
fuzz	:= $(patsubst fuzz/%.c,$(O)/%,$(wildcard fuzz/*_fuzz.c))
fuzzed	:= $(patsubst %.c,$(O)/fuzzed/%.o,$(filter-out lib/page_html.c,$(wildcard *.c lib/*.c)) \
	     fuzz/fuzz.c) $(O)/fuzzed/lib/profile.pb-c.o

fuzz: $(fuzz)

$(O)/%_fuzz: $(O)/fuzzed/fuzz/%_fuzz.o $(O)/fuzzed/quarry.a
	@echo '  LD      $(@:$(O)/%=%)'
	$(Q)$(FUZZ_CC) $(FUZZ) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Made anew, as it would keep objects that are gone.
$(O)/fuzzed/quarry.a: $(fuzzed)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/fuzzed/%.o: %.c $(O)/lib/profile.pb-c.h
	@mkdir -p $(@D)
	@echo '  CC      $(@:$(O)/%=%)'
	$(Q)$(FUZZ_CC) $(CFLAGS) $(FUZZ) -O1 -fsanitize=fuzzer-no-link -MMD -c -o $@ $<

$(O)/fuzzed/lib/profile.pb-c.o: $(O)/lib/profile.pb-c.h
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CFLAGS) $(FUZZ) -O1 -fsanitize=fuzzer-no-link -c -o $@ $(O)/lib/profile.pb-c.c

-include $(fuzzed:.o=.d)

# libFuzzer has main().
$(O)/fuzzed/main.o: FUZZ += -Dmain=quarry_main

.PRECIOUS: $(O)/fuzzed/fuzz/%_fuzz.o
.PHONY: fuzz
