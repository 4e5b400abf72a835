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

SECONDS ?= 60
TARGETS ?= region inherit config
JOBS ?= $(shell nproc)

# The reader of the configuration file needs NSS's headers.
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
	@$(TOOLS)/step build/log/fuzz.log 'building the fuzz target' \
	    $(MAKE) --no-print-directory -j$(JOBS) fuzz-programs TARGETS=region
	@tests/fuzz/holes -j $(JOBS) $(HOLES)
fuzz-flags:
	@echo 'compile=$(FUZZ_COMPILE_TRACED)'
	@echo 'link=$(FUZZ_REGION_LINK)'
	@echo 'objects=$(FUZZ_REGION)'

# --- inherit ---------------------------------------------------------------

$(FUZZ)/inherit: $(FUZZ)/tests/fuzz/inherit.o $(addprefix $(FUZZ)/core/,$(FUZZ_CORE))
	$(FUZZ_LINK) $(LDFLAGS) -o $@ $^ -lpthread

# --- config ----------------------------------------------------------------

# The parser of the adapter, with the headers of the tree that `make nss` built; all
# else is the distribution's NSS.
FUZZ_NSS = build/nss-$(NSS)
FUZZ_NSS_FLAGS = $(addprefix -isystem ,$(FUZZ_NSS)/nss/lib/ssl \
    $(FUZZ_NSS)/nss/lib/ssl/snce/include $(wildcard $(FUZZ_NSS)/dist/*/nss)) \
    $(subst -I,-isystem ,$(shell pkg-config --cflags nspr)) -Isslsnce/nss \
    -DXP_UNIX -DLINUX -Dlinux -D_REENTRANT -DNDEBUG -DUSE_UTIL_DIRECTLY \
    -DNO_NSPR_10_SUPPORT -DNSS_SSL_SNCE=1

$(FUZZ)/nss/snceparse.o: sslsnce/nss/snceparse.c
$(FUZZ)/nss/sncevalue.o: sslsnce/nss/sncevalue.c
$(FUZZ)/nss/config.o: tests/fuzz/config.c
$(FUZZ)/nss/config.o: FUZZ_GUIDED :=
FUZZ_CONFIG := $(addprefix $(FUZZ)/nss/,config.o snceparse.o sncevalue.o)
$(FUZZ_CONFIG): tests/support/fuzz.mk
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_NSS_FLAGS) $(FUZZ_CHECKED) $(FUZZ_GUIDED) \
	    $(CFLAGS) -c -o $@ $(filter %.c,$^)

$(FUZZ)/config: $(FUZZ_CONFIG) \
    $(addprefix $(FUZZ)/core/,$(FUZZ_CORE))
	$(FUZZ_LINK) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs nss) -lpthread

-include $(wildcard $(FUZZ)/*/*.d $(FUZZ)/tests/*/*.d)
