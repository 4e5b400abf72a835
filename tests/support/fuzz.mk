# The fuzz targets: clang and libFuzzer, with ASan and UBSan. Included by the
# Makefile. tests/fuzz has a file for each target, what they share, and in
# corpus/TARGET their seeds.
#
#   SECONDS=60    how long each target runs
#   TARGETS=NAME  this one only; or several in quotes
#   JOBS=2        so many processes of each at once; without it as many as there
#                 are processors
#
#   region   a region that another process changes
#   inherit  the inheritance string
#   config   the configuration file
#   keyfile  files of ticket keys and ticket secrets
#   ticket   the ticket that a client offers

SECONDS ?= 60
TARGETS ?= region inherit config keyfile ticket
JOBS ?= $(shell nproc)

# The readers of the adapter need NSS's headers.
.PHONY: fuzz fuzz-programs
fuzz:
	@$(TOOLS)/deps tests/fuzz/packages
	@$(MAKE) --no-print-directory nss
	@$(TOOLS)/step build/log/fuzz.log 'building the fuzz targets' \
	    $(MAKE) --no-print-directory -j$(JOBS) fuzz-programs
	@tests/fuzz/run $(SECONDS) $(JOBS) $(TARGETS)
fuzz-programs: $(addprefix build/fuzz/,$(TARGETS))

comma := ,
space := $(subst ,, )

FUZZ := build/fuzz
FUZZ_CC := clang-14 -std=gnu11
FUZZ_CXX := clang++-14 -std=gnu++17
FUZZ_FLAGS := -O2 -g -MMD -MP -fno-omit-frame-pointer
FUZZ_CORE_FLAGS := -Iinclude -Isslsnce/core -Itests/support
# What is tested. A finding ends the program.
FUZZ_CHECKED := -fsanitize=address,undefined -fno-sanitize-recover=all
# ... as libFuzzer likes it best.
FUZZ_GUIDED := -fsanitize=fuzzer-no-link
# ... and so that tests/fuzz/sandbox.cc is told what is read and written. Not
# what is compared: it takes a third of the time, and an input is no text that
# could be found by it.
FUZZ_TRACED := -DSNCE_STEPS -fsanitize-coverage=$(subst $(space),$(comma),$(strip \
    inline-8bit-counters pc-table trace-loads trace-stores))
# What tests it is not guided by, but its buffers are watched.
FUZZ_ADDRESS := -fsanitize=address
FUZZ_LINK := $(FUZZ_CXX) -fsanitize=fuzzer,address,undefined
fuzz_wrap = $(addprefix -Wl$(comma)--wrap=,$(1))

FUZZ_COMPILE_TRACED := $(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_CORE_FLAGS) \
    $(FUZZ_CHECKED) $(FUZZ_TRACED)

FUZZ_CORE := $(patsubst sslsnce/core/%.c,%.o,$(wildcard sslsnce/core/*.c))

$(FUZZ)/traced/%.o: sslsnce/core/%.c tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_COMPILE_TRACED) $(CFLAGS) -c -o $@ $<
$(FUZZ)/core/%.o: sslsnce/core/%.c tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_CORE_FLAGS) $(FUZZ_CHECKED) $(FUZZ_GUIDED) \
	    $(CFLAGS) -c -o $@ $<
$(FUZZ)/tests/%.o: tests/%.cc tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_CXX) $(WARNINGS) $(FUZZ_FLAGS) $(FUZZ_CORE_FLAGS) $(FUZZ_ADDRESS) \
	    $(CXXFLAGS) -c -o $@ $<

# --- region ----------------------------------------------------------------

# Called at every load: without checks of its own.
$(FUZZ)/tests/fuzz/sandbox.o: FUZZ_ADDRESS :=

FUZZ_REGION := $(addprefix $(FUZZ)/tests/,fuzz/region.o fuzz/sandbox.o \
    fuzz/target.o support/test_session.o)
FUZZ_REGION_LINK := $(FUZZ_LINK) $(call fuzz_wrap,mmap64 munmap mprotect \
    munlock mlock2 madvise fstat fstat64 ftruncate64 fallocate64 lseek64 \
    clock_gettime sched_getcpu getrandom snceMap_Add snceCount_Add snceCount_Lane)

$(FUZZ)/region: $(FUZZ_REGION) $(addprefix $(FUZZ)/traced/,$(FUZZ_CORE))
	$(FUZZ_REGION_LINK) $(LDFLAGS) -o $@ $^ -lpthread

# Does it find the checks that are taken out of the core? HOLES= some of them.
.PHONY: fuzz-holes fuzz-flags
fuzz-holes:
	@$(TOOLS)/deps tests/fuzz/packages
	@$(MAKE) --no-print-directory nss
	@$(TOOLS)/step build/log/fuzz.log 'building the fuzz targets' \
	    $(MAKE) --no-print-directory -j$(JOBS) fuzz-programs \
	    TARGETS='region keyfile ticket'
	@tests/fuzz/holes -j $(JOBS) $(HOLES)
fuzz-flags:
	@echo 'region-compile=$(FUZZ_COMPILE_TRACED)'
	@echo 'region-link=$(FUZZ_REGION_LINK)'
	@echo 'region-objects=$(FUZZ_REGION)'
	@echo 'region-libs=-lpthread'
	@echo 'keyfile-compile=$(FUZZ_COMPILE_NSS) $(FUZZ_GUIDED)'
	@echo 'keyfile-link=$(FUZZ_LINK)'
	@echo 'keyfile-objects=$(filter-out %/sncekeyfile.o,$(FUZZ_KEYFILE))'
	@echo "keyfile-libs=$(FUZZ_LIBS)"
	@echo 'ticket-compile=$(FUZZ_COMPILE_NSS) $(FUZZ_GUIDED)'
	@echo 'ticket-link=$(FUZZ_LINK)'
	@echo 'ticket-objects=$(FUZZ_TICKET_BESIDE)'
	@echo "ticket-libs=$(FUZZ_TICKET_LIBS)"

# --- inherit ---------------------------------------------------------------

$(FUZZ)/inherit: $(FUZZ)/tests/fuzz/inherit.o $(addprefix $(FUZZ)/core/,$(FUZZ_CORE))
	$(FUZZ_LINK) $(LDFLAGS) -o $@ $^ -lpthread

# --- config, keyfile --------------------------------------------------------

# The parsers of the adapter, with the headers of the tree that `make nss` built;
# all else is the distribution's NSS.
FUZZ_NSS = build/nss-$(NSS)
FUZZ_NSS_FLAGS = $(addprefix -isystem ,$(FUZZ_NSS)/nss/lib/ssl \
    $(FUZZ_NSS)/nss/lib/ssl/snce/include $(wildcard $(FUZZ_NSS)/dist/*/nss)) \
    $(subst -I,-isystem ,$(shell pkg-config --cflags nspr)) -Isslsnce/nss \
    -DXP_UNIX -DLINUX -Dlinux -D_REENTRANT -DNDEBUG -DUSE_UTIL_DIRECTLY \
    -DNO_NSPR_10_SUPPORT -DNSS_SSL_SNCE=1
FUZZ_COMPILE_NSS = $(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_NSS_FLAGS) $(FUZZ_CHECKED)
FUZZ_LIBS = $$(pkg-config --libs nss) -lpthread

FUZZ_KEYFILE := $(addprefix $(FUZZ)/nss/,keyfile.o sncekeyfile.o sncefile.o)
FUZZ_CONFIG := $(addprefix $(FUZZ)/nss/,config.o snceparse.o sncevalue.o \
    sncekeyfile.o sncefile.o)
$(FUZZ)/nss/%.o: sslsnce/nss/%.c tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_COMPILE_NSS) $(FUZZ_GUIDED) $(CFLAGS) -c -o $@ $<
$(FUZZ)/nss/%.o: tests/fuzz/%.c tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_COMPILE_NSS) $(CFLAGS) -c -o $@ $<

$(FUZZ)/config: $(FUZZ_CONFIG) \
    $(addprefix $(FUZZ)/core/,$(FUZZ_CORE))
	$(FUZZ_LINK) $(LDFLAGS) -o $@ $^ $(FUZZ_LIBS)
$(FUZZ)/keyfile: $(FUZZ_KEYFILE)
	$(FUZZ_LINK) $(LDFLAGS) -o $@ $^ $(FUZZ_LIBS)

# --- ticket ------------------------------------------------------------------

# The whole cache, and those files of libssl that open a ticket and read it, before
# libssl.a, which holds the same without checks (adapter.mk). All else is NSS as it was
# built.
FUZZ_DIST = $(FUZZ_NSS)/dist/$(shell cat $(FUZZ_NSS)/dist/latest)
FUZZ_TICKET_BESIDE := $(FUZZ)/nss/ticket.o $(addprefix $(FUZZ)/core/,$(FUZZ_CORE)) \
    $(addprefix $(FUZZ)/libssl/,ssl3exthandle.o selfencrypt.o sslencode.o)
FUZZ_TICKET_LIBS = $(FUZZ_DIST)/lib/libssl.a -L$(FUZZ_DIST)/lib \
    -Wl,-rpath,$(abspath $(FUZZ_DIST)/lib) -lsmime3 -lnss3 -lnssutil3 \
    $$(pkg-config --libs nspr) -lpthread -ldl
$(FUZZ)/libssl/%.o: build/nss-$(NSS)/nss/lib/ssl/%.c tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_COMPILE_NSS) $(FUZZ_GUIDED) $(CFLAGS) -c -o $@ $<
$(FUZZ)/ticket: $(FUZZ_TICKET_BESIDE) \
    $(patsubst sslsnce/nss/%.c,$(FUZZ)/nss/%.o,$(wildcard sslsnce/nss/*.c))
	$(FUZZ_LINK) $(LDFLAGS) -o $@ $^ $(FUZZ_TICKET_LIBS)

-include $(wildcard $(FUZZ)/*/*.d $(FUZZ)/tests/*/*.d)
