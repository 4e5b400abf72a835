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

# What builds: packages, NSS's source, NSS. What tests share is in SUPPORT.
TOOLS := patches/build
SUPPORT := tests/support

.DEFAULT_GOAL := help
.PHONY: help
define HELP
First
  make demo              the cache beside stock NSS, with real clients, in one table
  make check             every test that one release of NSS needs
  make deps              install what is missing (Debian 12; root or sudo)
  make install           headers, man page, patch tool, documents and an example, under
                         DESTDIR and PREFIX

Build
  make core              the core alone: build/core/libsnce.a
  make nss               patched NSS: build/nss-$(NSS)/{nss,dist,lib/libssl3.so}
  make nss-stock         the same unpatched: build/stock-$(NSS)
  make nss-minimal       the same with patches/minimal alone: build/minimal-$(NSS)
  make deb               a Debian package of libssl3.so beside libnss3: build/deb
  make dist-lib          libssl3.so with an install script, for one NSS: build/dist
  make clean             remove what was built, keep what was downloaded

Test the core, without NSS
  make unit              in seconds
  make processes         with many processes
  make steps             one stopped and killed at each step that the code names
  make storm             workers killed and stopped for STORM_SECONDS=40 a storm
  make model             the slot protocol and faults of it, every state, with spin
  make fuzz              a hostile region, inheritance string, configuration file and
                         ticket key file, by libFuzzer, a minute each; SECONDS=, TARGETS=, JOBS=
  make fuzz-holes        does it find checks that are taken out of the code?

Test the cache in NSS
  make adapter           inside the patched libssl
  make pointers          session timeouts at the two pointers of a socket
  make interop           sessions offered under other names, by OpenSSL, GnuTLS and NSS
  make fleet             tickets on two machines with the same secret or keys, which are
                         replaced under load; LONG=1 for longer
  make ssl_gtest         NSS's own tests on the patched tree
  make ssl-tests         NSS's own tests/ssl, with real servers and clients; stock
                         beside ours; SETS='resume' only some, LONG=1 all
  make orders            every order of Shutdown, NSS_Shutdown, dlclose and the rest
  make hostile           large pages, limits, locked memory, forbidden system calls,
                         valgrind, debuggers; stock beside ours; ROWS= only some
  make programs          the distribution's programs, unmodified, on the patched
                         library, stock beside ours; PROGRAMS= only some
  make deb-check         the Debian package: installed, updated under, removed, killed;
                         secrets in its build and with link-time optimisation
  make deb-faults        does deb-check see each fault of the maintainer scripts?
  make dist-check        what make dist-lib packs: installed and taken away again
  make secrets           do the tests see each place where a secret is not wiped, and
                         does the cache say nothing?
  make soak              everything at once for MINUTES=2; memory, descriptors and
                         stalls at the end beside the start

The regression suite of bug 223242
  make regress           which promises of Tech Note 8 ours keeps; with LIBDIR=DIR the
                         libssl3.so in DIR
  make regress-compare   stock, minimal and ours side by side
  make regress-mutants   does the suite see each fault that is put into ours?
  make adapter-mutants   the same of faults of the adapter's ticket keys

Every release of NSS (patches/README.md)
  make check-release     what one release needs, stock beside ours, in a line of
                         figures; NSS=3.110 or NSS_SRC=DIR
  make matrix            the table of all releases that were checked; RELEASES='3.110
                         3.87.1' checks these first
  make upstream          does the timeout fix, as a series for NSS's maintainers, apply
                         to NSS_SRC? LONG=1 builds and runs its tests

Measure (tests/bench/README.md)
  make bench             speed, size and hit ratios beside stock NSS and others, in
                         about an hour; BENCH=NAME only one; KEEP=1 keeps the results
  make bench-smoke       the smallest size of each, in a minute

Everything
  bash .ci/run           what CI asks of a change, in less than an hour on two cores
  make nightly           the long form of it, in some hours

Examine the code
  make sanitize          the tests under ASan, UBSan and TSan; PROGRAMS=unit some
                         only
  make portability       clang, LTO, i386, aarch64 and s390x; ROWS= only some, LONG=1
                         for the long form
  make analyze           clang's static analyzer, cppcheck, and whether calls go down
                         the layers
  make coverage          which lines and branches the tests run, and why not all
  make format-check      does it keep to .clang-format?

Variables
  NSS=3.87.1             the release
  NSS_SRC=DIR            build from a copy of this NSS source tree
  NSS_PARTS=all          build all of NSS, not its libraries only
  COMPILER=clang         core and its tests with clang; TARGET=i386, aarch64 or s390x:
                         for that processor; LTO=1: the core optimised over files
  SANITIZE=address       core and its tests with a sanitizer: address, thread or
                         undefined, or address,undefined; in directories of their own
  JOBS=2                 how many compilers at once inside NSS, and fuzzing processes
endef
help:
	$(info $(HELP))
	@:

.PHONY: deps
deps:
	@$(TOOLS)/deps

# --- The core: no NSS ------------------------------------------------------

# SANITIZE= and COVERAGE=1 instrument it for tests; STEPS=1 lets a process stop at
# each step that the code names (tests/steps). Each has objects of its own.
include $(SUPPORT)/instrument.mk
CORE := build/core$(CODE_VARIANT)$(if $(STEPS),-steps)
CORE_OBJECTS := $(patsubst sslsnce/%.c,$(CORE)/%.o,$(wildcard sslsnce/core/*.c))

WARNINGS := -Wall -Wextra -Werror
CORE_WARNINGS := $(WARNINGS) -Wshadow -Wvla -Wstrict-prototypes \
    -Wmissing-prototypes -Wconversion
CORE_FLAGS := -O2 -g -fPIC -MMD -MP -Iinclude -Isslsnce/core \
    $(if $(STEPS),-DSNCE_STEPS) $(SANITIZED)

.PHONY: core
core: $(CORE)/libsnce.a
$(CORE)/libsnce.a: $(CORE_OBJECTS) $(CORE)/objects
	@rm -f $@
	$(AR) rcs $@ $(CORE_OBJECTS)
$(CORE)/core/%.o: sslsnce/core/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CORE_WARNINGS) $(CORE_FLAGS) $(COUNTED) $(CFLAGS) \
	    -c -o $@ $<
-include $(CORE_OBJECTS:.o=.d)

# Changes when a source comes or goes, also one of a test: what was linked with it is
# then old.
LISTED = $(CORE_OBJECTS) $(CORE_TEST_OBJECTS)
$(CORE)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(LISTED)' | cmp -s - $@ || echo '$(LISTED)' >$@
.PHONY: FORCE
FORCE:

# Its tests: unit, processes, storm, steps.
include $(SUPPORT)/core_tests.mk

# --- NSS -------------------------------------------------------------------

NSS_PARTS ?= libs

.PHONY: nss nss-stock nss-minimal
nss:
	@$(TOOLS)/build-nss nss $(NSS) $(NSS_PARTS)
nss-stock:
	@$(TOOLS)/build-nss stock $(NSS) $(NSS_PARTS)
nss-minimal:
	@$(TOOLS)/build-nss minimal $(NSS) $(NSS_PARTS)

# These tests reach into libssl as ssl_gtest does. Where NSS puts its
# libraries is known only when they are built, hence the second make.
.PHONY: adapter pointers
adapter: nss
	@$(MAKE) --no-print-directory -f $(SUPPORT)/adapter.mk NSS=$(NSS) run
pointers: nss
	@$(MAKE) --no-print-directory -f $(SUPPORT)/adapter.mk NSS=$(NSS) pointers-run

.PHONY: nss-gtest nss-stock-gtest ssl_gtest ssl_gtest-stock
nss-gtest:
	@$(TOOLS)/build-nss nss $(NSS) libs gtest
nss-stock-gtest:
	@$(TOOLS)/build-nss stock $(NSS) libs gtest
ssl_gtest: nss-gtest
	@tests/nss/run-ssl-gtest build/nss-$(NSS)
ssl_gtest-stock: nss-stock-gtest
	@tests/nss/run-ssl-gtest build/stock-$(NSS)

# --- Regression suite of bug 223242 ----------------------------------------

include $(SUPPORT)/regress.mk

# --- Every release of NSS ----------------------------------------------------

include $(SUPPORT)/release.mk

# --- Secrets ---------------------------------------------------------------

# Do the tests of secrets, which are in unit, processes and adapter, see what they
# are for, and does the cache say nothing? MUTANTS=: some of them, by name.
.PHONY: secrets
secrets: unit-program processes-program nss
	@$(MAKE) --no-print-directory -f $(SUPPORT)/adapter.mk NSS=$(NSS) program
	@tests/secrets/mutants/run $(CORE) build/nss-$(NSS) $(MUTANTS)
	@tests/secrets/silent $(NSS)

# --- Faults of the adapter --------------------------------------------------

# Do the tests of ticket keys see each fault that is put into the adapter? MUTANTS=:
# some of them, by name.
.PHONY: adapter-mutants
adapter-mutants: nss
	@$(MAKE) --no-print-directory -f $(SUPPORT)/adapter.mk NSS=$(NSS) program
	@tests/nss/mutants/run $(CORE) build/nss-$(NSS) $(MUTANTS)

# --- Packages ---------------------------------------------------------------

include patches/packages.mk

# --- Demo and check --------------------------------------------------------

# These programs use NSS's public API only and are built once, against the
# distribution's NSS: the same binary runs on both libraries.
DEMO_PROGRAMS := build/demo/httpsd build/demo/httpsload
INTEROP_PROGRAMS := $(patsubst tests/%.c,build/%,$(wildcard tests/interop/*.c))
CLIENT_LIBRARY := nss
build/interop/client_gnutls: CLIENT_LIBRARY := gnutls
build/demo/httpsd: sslsnce/examples/httpsd.c
build/demo/httpsload $(INTEROP_PROGRAMS): build/%: tests/%.c
$(DEMO_PROGRAMS) $(INTEROP_PROGRAMS):
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -MMD -MP $(CFLAGS) \
	    -Iinclude $$(pkg-config --cflags $(CLIENT_LIBRARY)) -o $@ $(filter %.c,$^) \
	    $(LDFLAGS) $$(pkg-config --libs $(CLIENT_LIBRARY)) -lpthread
-include $(DEMO_PROGRAMS:=.d) $(INTEROP_PROGRAMS:=.d)

.PHONY: demo demo-programs
demo-programs: $(DEMO_PROGRAMS)
demo:
	@$(TOOLS)/deps
	@$(MAKE) --no-print-directory nss
	@$(MAKE) --no-print-directory -s demo-programs
	@tests/demo/run build/nss-$(NSS)/lib

.PHONY: interop interop-programs
interop-programs: $(INTEROP_PROGRAMS)
interop: nss-stock nss
	@$(TOOLS)/deps tests/interop/packages
	@$(MAKE) --no-print-directory -s interop-programs
	@tests/interop/run build/nss-$(NSS)/lib
	@tests/interop/unmodified build/nss-$(NSS)/lib
	@$(MAKE) --no-print-directory -s demo-programs
	@tests/interop/tickets build/nss-$(NSS)/lib build/stock-$(NSS)/lib

# As the demo's programs; and a clock that is wrong, for any server.
build/fleet/clock.so: tests/fleet/clock.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra $(CFLAGS) -shared -fPIC -o $@ $< \
	    $(LDFLAGS)
.PHONY: fleet
fleet: nss-stock nss
	@$(TOOLS)/deps
	@$(MAKE) --no-print-directory -s demo-programs build/fleet/clock.so
	@tests/fleet/run $(if $(LONG),--long) build/nss-$(NSS)/lib \
	    build/stock-$(NSS)/lib

.PHONY: check
check:
	@$(TOOLS)/deps
	@NSS=$(NSS) $(SUPPORT)/check

# --- Benchmarks ------------------------------------------------------------

include $(SUPPORT)/bench.mk

# --- Scarce resources, and everything at once ------------------------------

include $(SUPPORT)/resources.mk

# --- Programs of the distribution ------------------------------------------

include $(SUPPORT)/programs.mk

# --- Model -----------------------------------------------------------------

# Checked with spin (tests/model/README.md). MODEL=NAME: these only, by a part of
# their names.
.PHONY: model
model:
	@$(TOOLS)/deps tests/model/packages
	@tests/model/run $(MODEL)

# --- Fuzzing ----------------------------------------------------------------

include $(SUPPORT)/fuzz.mk

# --- Sanitizers, static analysis, coverage ----------------------------------

# What they run is in tests/quality. PROGRAMS='unit processes adapter pointers', or
# some of them: what runs under sanitizers.
.PHONY: sanitize analyze coverage quality-deps
quality-deps:
	@$(TOOLS)/deps tests/quality/packages
sanitize: nss
	@tests/quality/sanitize $(NSS) $(PROGRAMS)
analyze: quality-deps nss
	@tests/quality/analyze $(NSS)
coverage: quality-deps nss
	@tests/quality/coverage $(NSS)

# --- Other compilers and processors ------------------------------------------

include $(SUPPORT)/portability.mk

# --- The rest --------------------------------------------------------------

SHARE = $(DESTDIR)$(PREFIX)/share/sslsnce
DOC = $(DESTDIR)$(PREFIX)/share/doc/sslsnce

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
	rm -rf $(SHARE)/sslsnce/sslsnce.7 $(SHARE)/sslsnce/examples \
	    $(addprefix $(SHARE)/patches/,build debian dist packages.mk)
	install -d $(DESTDIR)$(PREFIX)/share/man/man7
	sed 's,@SHARE@,$(PREFIX)/share/sslsnce,' sslsnce/sslsnce.7 \
	    >$(DESTDIR)$(PREFIX)/share/man/man7/sslsnce.7
	install -d $(DOC)/examples
	install -m 644 README.md CHANGELOG.md SECURITY.md $(DOC)
	install -m 644 sslsnce/examples/*.c $(DOC)/examples
	@echo 'To patch an NSS tree: $(PREFIX)/share/sslsnce/patches/apply NSS_TREE'

.PHONY: nightly
nightly:
	@bash .ci/run long

.PHONY: format-check
format-check:
	@command -v clang-format >/dev/null || \
	    { echo 'format-check: install clang-format (version 14)' >&2; exit 1; }
	find sslsnce include tests -name '*.[ch]' -o -name '*.cc' | \
	    xargs clang-format --dry-run --Werror

.PHONY: clean
clean:
	rm -rf $(filter-out build/download,$(wildcard build/*))
