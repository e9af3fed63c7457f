# hpbuild: one non-recursive Makefile. `make help` lists the targets. Settings may stand in config.mak.
# V=1 shows commands; DEV=1 turns warnings into errors; SAN=address,undefined builds with sanitizers in a folder of its own.
-include config.mak

CC ?= cc
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/hpbuild
MANDIR ?= $(PREFIX)/share/man
INCLUDEDIR ?= $(PREFIX)/include
CFLAGS ?= -O2 -g
SAN ?=
B := build$(if $(SAN),-san)$(if $(filter-out cc gcc,$(CC)),-$(notdir $(CC)))

export LC_ALL = C

warnings := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 -Wundef -Wwrite-strings \
	-Wcast-qual -Wcast-align -Wpointer-arith -Wswitch-enum -Wnull-dereference -Wimplicit-fallthrough
HP_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -include base/banned.h -DHP_LIBEXECDIR='"$(LIBEXECDIR)"' $(warnings) \
	$(if $(DEV),-Werror) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	-fno-common -fvisibility=hidden -fstack-protector-strong -ffile-prefix-map=$(CURDIR)=. -pthread
HP_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now -pthread

# Debian 12 has no .pc file for Zydis; the others have, yet their flags are these on every distribution we know.
# libdwarf is the foreign reader of one unit test (ARCHITECTURE.md, "Decisions").
LIBS_CORE = -lelf -lzstd -lsodium -ljansson
LIBS_BUILD = $(LIBS_CORE) -lZydis -llzma
LIBS_LIVE = $(LIBS_CORE) -ldw

lib_src := $(sort $(wildcard base/*.c formats/*.c differ/*.c differ/arch/*.c packager/*.c signer/*.c applier/*.c applier/arch/*.c))
cli_src := $(sort $(wildcard cli/*.c))
live_only := cli/live_main.c cli/cmd_apply.c cli/cmd_revert.c cli/cmd_run.c cli/cmd_status.c cli/live_all.c cli/live_common.c \
	cli/skip.c
cli_both := cli/cmd.c cli/opts.c cli/out.c cli/rollback.c cli/trust.c
hpbuild_src := $(filter-out $(live_only),$(cli_src))
live_src := $(filter $(live_only) $(cli_both),$(cli_src))
unit_src := $(sort $(wildcard tests/unit/test_*.c))
# Unit tests of the applier link like hpbuild-live, all others like hpbuild.
unit_live := $(filter tests/unit/test_applier%,$(unit_src))
unit_bin := $(unit_src:%.c=$B/%)
fuzz_src := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# Each fuzz target is also linked with a plain main, which replays its corpus in `make check`.
replay_bin := $(fuzz_src:tests/fuzz/fuzz_%.c=$B/tests/fuzz/replay_%)
# Programs that test scripts use: $B/tests/lib/NAME.
testlib_bin := $(patsubst %.c,$B/%,$(sort $(wildcard tests/lib/*.c)))
test_bin := $(unit_bin) $(replay_bin) $(testlib_bin)

obj = $(1:%.c=$B/%.o)
q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2);)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help demo check check-run check-long live lint bench corpus-table fuzz fuzz-run install uninstall clean analyze

all: $B/hpbuild $B/hpbuild-live

help:
	@echo 'all        build hpbuild and hpbuild-live in $B/'
	@echo 'demo       everything, from installing packages to a patched running daemon'
	@echo 'check      install what the tests need, build, run the tests (T=unit/test_err runs one, KEEP=1 keeps its folder)'
	@echo 'check-run  the tests alone; check-long adds those that take minutes'
	@echo 'lint       layering, sizes, headers, man pages'
	@echo 'bench      benchmarks, as ratios in one run'
	@echo 'corpus-table  real fixes: functions to be replaced, proven with symbols, stripped, refused (HP_SHARED, CASE=...)'
	@echo 'fuzz       libFuzzer targets (clang); fuzz-run runs each for FUZZ_SECONDS'
	@echo 'analyze    gcc -fanalyzer, cppcheck'
	@echo 'install uninstall clean   with DESTDIR PREFIX BINDIR LIBEXECDIR INCLUDEDIR MANDIR'
	@echo 'settings   DEV=1 SAN=address,undefined V=1 CC=clang'

$B/%.o: %.c Makefile
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(HP_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# One archive: each program takes only the members that it refers to, and fails to link if that drags in a library it must not have.
$B/libhp.a: $(call obj,$(lib_src))
	$(call say,AR,$@)rm -f $@ && ar rcsD $@ $^

$B/hpbuild: $(call obj,$(hpbuild_src)) $B/libhp.a
	$(call say,LD,$@)$(CC) $(HP_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_BUILD)

$B/hpbuild-live: $(call obj,$(live_src)) $B/libhp.a
	$(call say,LD,$@)$(CC) $(HP_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_LIVE)

$(unit_bin): $B/%: $B/%.o $B/libhp.a
	$(call say,LD,$@)$(CC) $(HP_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(if $(filter $(unit_live:%.c=$B/%),$@),$(LIBS_LIVE),$(LIBS_BUILD) $(if $(findstring _oracle,$@),-ldwarf))

$(testlib_bin): $B/%: $B/%.o $B/libhp.a
	$(call say,LD,$@)$(CC) $(HP_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_BUILD)

$(replay_bin): $B/tests/fuzz/replay_%: $B/tests/fuzz/fuzz_%.o $B/tests/fuzz/replay.o $B/libhp.a
	$(call say,LD,$@)$(CC) $(HP_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_BUILD)

demo:
	$(q)tests/lib/need demo
	$(q)$(MAKE) --no-print-directory all
	$(q)B=$B tests/demo/run

check:
	$(q)tests/lib/need check
	$(q)$(MAKE) --no-print-directory check-run

tests-bin: $(test_bin)
.PHONY: tests-bin

# The value of a variable, for scripts: make -s print-HP_CFLAGS.
print-%:
	@echo '$(subst ','\'',$($*))'

check-run: all $(test_bin)
	$(q)B=$B CC='$(CC)' tests/run $(T)

check-long: all $(test_bin)
	$(q)B=$B CC='$(CC)' LONG=1 tests/run $(T)

live: all $(testlib_bin)
	$(q)B=$B CC='$(CC)' tests/run live/

lint: all
	$(q)B=$B CC='$(CC)' tests/run lint/

bench: all $(testlib_bin)
	$(q)B=$B tests/bench/run

# What the proof says of each case of a corpus: HP_SHARED is the folder that holds corpus/.
corpus-table: all $(testlib_bin)
	$(q)w=$$(mktemp -d) && trap 'rm -rf "$$w"' EXIT && python3 tests/lib/corpus_table.py $(abspath $B) $(or $(HP_SHARED),../shared)/corpus/cases $$w $(CASE)

# Fuzz targets are built from sources in a folder of their own, with clang's libFuzzer.
fuzz:
	$(q)tests/lib/need fuzz
	$(q)$(MAKE) --no-print-directory CC=clang SAN=address,undefined,fuzzer-no-link B=build-fuzz fuzz-bin
.PHONY: fuzz-bin
fuzz-bin: $(fuzz_src:%.c=$B/%)
$(fuzz_src:%.c=$B/%): $B/%: $B/%.o $B/libhp.a
	$(call say,LD,$@)$(CC) -fsanitize=address,undefined,fuzzer -pthread -o $@ $^ $(LIBS_BUILD)
fuzz-run: fuzz
	$(q)tests/fuzz/run

install: all
	install -D -m 755 $B/hpbuild $(DESTDIR)$(BINDIR)/hpbuild
	install -D -m 755 $B/hpbuild-live $(DESTDIR)$(LIBEXECDIR)/hpbuild-live
	install -D -m 644 include/hotpatch.h $(DESTDIR)$(INCLUDEDIR)/hotpatch.h
	for m in man/*.[1357]; do install -D -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/hpbuild $(DESTDIR)$(LIBEXECDIR)/hpbuild-live $(DESTDIR)$(INCLUDEDIR)/hotpatch.h
	for m in man/*.[1357]; do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done

analyze:
	$(q)$(MAKE) --no-print-directory B=build-analyze CFLAGS='-O1 -g -fanalyzer' all
	cppcheck -q --std=c11 --enable=warning,portability --inline-suppr -I. base formats differ packager signer applier cli

clean:
	rm -rf build build-*

-include $(wildcard $(patsubst %.c,$B/%.d,$(lib_src) $(cli_src) $(unit_src) $(fuzz_src) $(wildcard tests/lib/*.c tests/fuzz/*.c)))
