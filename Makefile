# sslsnce: `make help` lists what can be made. Everything goes under build/.

NSS ?= 3.87.1
PREFIX ?= /usr/local
SANITIZE ?=

# A tree that is given says itself which release it is.
ifneq ($(NSS_SRC),)
override NSS := $(shell patches/apply --release '$(NSS_SRC)')
$(if $(NSS),,$(error NSS_SRC=$(NSS_SRC) is no NSS source tree))
export NSS_SRC
endif

SUPPORT := tests/support

.DEFAULT_GOAL := help
.PHONY: help
help:
	@echo 'make demo          the cache beside stock NSS, with real clients, in one table'
	@echo 'make check         every test'
	@echo 'make unit          the tests of the core alone, in seconds and without NSS'
	@echo 'make processes     the tests of the core with many processes'
	@echo 'make storm         workers killed and stopped for STORM_SECONDS=40 a storm'
	@echo 'make steps         a process stopped and killed at each step that the code names'
	@echo 'make core          the core alone: build/core/libsnce.a'
	@echo 'make nss           patched NSS: build/nss-$(NSS)/{nss,dist,lib/libssl3.so}'
	@echo 'make nss-stock     the same unpatched: build/stock-$(NSS)'
	@echo 'make nss-minimal   the same with patches/minimal alone: build/minimal-$(NSS)'
	@echo 'make adapter       the tests of the adapter, inside the patched libssl'
	@echo 'make pointers      session timeouts at the two pointers of a socket'
	@echo 'make interop       sessions offered under other names, by OpenSSL, GnuTLS and NSS'
	@echo 'make ssl_gtest     NSS'"'"'s own ssl_gtest on the patched tree'
	@echo 'make regress       which promises of Tech Note 8 (bug 223242) ours keeps;'
	@echo '                   with LIBDIR=DIR the libssl3.so in DIR'
	@echo 'make regress-compare'
	@echo '                   stock, minimal and ours side by side'
	@echo 'make regress-mutants'
	@echo '                   does that suite see each fault that is put into ours?'
	@echo 'make bench         speed, size and hit ratios beside stock NSS and others, in'
	@echo '                   about an hour; BENCH=NAME only one of them; KEEP=1 keeps'
	@echo '                   the results (tests/bench/README.md)'
	@echo 'make bench-smoke   the smallest size of each benchmark, in a minute'
	@echo 'make deps          install what is missing (Debian 12; root or sudo)'
	@echo 'make install       headers, man page and patch tool, under DESTDIR and PREFIX'
	@echo 'make format-check  does the code keep to .clang-format?'
	@echo 'make clean         remove what was built, keep what was downloaded'
	@echo
	@echo 'NSS=3.87.1         the release'
	@echo 'NSS_SRC=DIR        build from a copy of this NSS source tree'
	@echo 'NSS_PARTS=all      build all of NSS, not its libraries only'
	@echo 'SANITIZE=address   core and its tests with a sanitizer: address, thread or'
	@echo '                   undefined, each in a directory of its own'
	@echo 'JOBS=2             how many compilers at once inside NSS'

.PHONY: deps
deps:
	@$(SUPPORT)/deps

# --- The core and its tests: no NSS ----------------------------------------

include $(SUPPORT)/core.mk
include $(SUPPORT)/storm.mk

# --- NSS -------------------------------------------------------------------

NSS_PARTS ?= libs

.PHONY: nss nss-stock nss-minimal
nss:
	@$(SUPPORT)/build-nss nss $(NSS) $(NSS_PARTS)
nss-stock:
	@$(SUPPORT)/build-nss stock $(NSS) $(NSS_PARTS)
nss-minimal:
	@$(SUPPORT)/build-nss minimal $(NSS) $(NSS_PARTS)

# These tests reach into libssl as ssl_gtest does. Where NSS puts its
# libraries is known only when they are built, hence the second make.
.PHONY: adapter pointers
adapter: nss
	@$(MAKE) --no-print-directory -f $(SUPPORT)/adapter.mk NSS=$(NSS) run
pointers: nss
	@$(MAKE) --no-print-directory -f $(SUPPORT)/adapter.mk NSS=$(NSS) pointers-run

.PHONY: nss-gtest nss-stock-gtest ssl_gtest ssl_gtest-stock
nss-gtest:
	@$(SUPPORT)/build-nss nss $(NSS) libs gtest
nss-stock-gtest:
	@$(SUPPORT)/build-nss stock $(NSS) libs gtest
ssl_gtest: nss-gtest
	@tests/nss/run-ssl-gtest build/nss-$(NSS)
ssl_gtest-stock: nss-stock-gtest
	@tests/nss/run-ssl-gtest build/stock-$(NSS)

# --- Regression suite of bug 223242 ----------------------------------------

include $(SUPPORT)/regress.mk

# --- Demo and check --------------------------------------------------------

# These programs use NSS's public API only and are built once, against the
# distribution's NSS: the same binary runs on both libraries.
DEMO_PROGRAMS := $(patsubst tests/%.c,build/%,$(wildcard tests/demo/*.c))
INTEROP_PROGRAMS := $(patsubst tests/%.c,build/%,$(wildcard tests/interop/*.c))
CLIENT_LIBRARY := nss
build/interop/client_gnutls: CLIENT_LIBRARY := gnutls
$(DEMO_PROGRAMS) $(INTEROP_PROGRAMS): build/%: tests/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -MMD -MP $(CFLAGS) \
	    -Iinclude $$(pkg-config --cflags $(CLIENT_LIBRARY)) -o $@ $< \
	    $(LDFLAGS) $$(pkg-config --libs $(CLIENT_LIBRARY)) -lpthread
-include $(DEMO_PROGRAMS:=.d) $(INTEROP_PROGRAMS:=.d)

.PHONY: demo demo-programs
demo-programs: $(DEMO_PROGRAMS)
demo:
	@$(SUPPORT)/deps
	@$(MAKE) --no-print-directory nss
	@$(MAKE) --no-print-directory -s demo-programs
	@tests/demo/run build/nss-$(NSS)/lib

.PHONY: interop interop-programs
interop-programs: $(INTEROP_PROGRAMS)
interop: nss
	@$(MAKE) --no-print-directory -s interop-programs
	@tests/interop/run build/nss-$(NSS)/lib
	@tests/interop/unmodified build/nss-$(NSS)/lib

.PHONY: check
check:
	@$(SUPPORT)/deps
	@NSS=$(NSS) $(SUPPORT)/check

# --- Benchmarks ------------------------------------------------------------

include $(SUPPORT)/bench.mk

# --- The rest --------------------------------------------------------------

SHARE = $(DESTDIR)$(PREFIX)/share/sslsnce

# patches/apply takes what it copies from where it lies, so it goes with the
# sources in the layout of this tree.
.PHONY: install
install:
	install -d $(DESTDIR)$(PREFIX)/include/sslsnce
	install -m 644 include/sslsnce/*.h $(DESTDIR)$(PREFIX)/include/sslsnce
	rm -rf $(SHARE)
	install -d $(SHARE)
	cp -R sslsnce include patches $(SHARE)
	install -m 644 LICENSE $(SHARE)
	chmod -R u=rwX,go=rX $(SHARE)
	chmod 755 $(SHARE)/patches/apply
	rm -f $(SHARE)/sslsnce/sslsnce.7
	install -d $(DESTDIR)$(PREFIX)/share/man/man7
	sed 's,@SHARE@,$(PREFIX)/share/sslsnce,' sslsnce/sslsnce.7 \
	    >$(DESTDIR)$(PREFIX)/share/man/man7/sslsnce.7
	@echo 'To patch an NSS tree: $(PREFIX)/share/sslsnce/patches/apply NSS_TREE'

.PHONY: format-check
format-check:
	@command -v clang-format >/dev/null || \
	    { echo 'format-check: install clang-format (version 14)' >&2; exit 1; }
	find sslsnce include tests -name '*.[ch]' -o -name '*.cc' | \
	    xargs clang-format --dry-run --Werror

.PHONY: clean
clean:
	rm -rf $(filter-out build/download,$(wildcard build/*))
