# The tests inside libssl, linked as ssl_gtest is: libssl as an archive, so that
# its internal functions can be called; the libraries under it as they were built
# beside it. Sources are *.cc, and *.c that see libssl's insides.
#
#   program, run                    tests/nss: the adapter
#   pointers-program, pointers-run  tests/regress/pointers
#   faulty                          the adapter's program as $(FAULT)/adapter, with
#                                   $(FAULT)/$(FAULTY) in place of the source $(FAULTY)
#
# BASE=DIR on the command line takes another tree than the one that `make nss`
# built, with nss/ and dist/ in it like that one; the programs go into DIR/tests.
#
# With SANITIZE= or COVERAGE=1 (instrument.mk) the cache is compiled here, from
# sslsnce/, and linked before libssl.a, which holds the same without. What is
# defined already is not taken from an archive, and if it were, by a symbol that
# sslsnce/ has not, the other symbols of that member would be defined twice, which
# the linker refuses. The rest of NSS is as it was built.

include tests/support/instrument.mk
BASE := build/nss-$(NSS)
DIST := $(BASE)/dist/$(shell cat $(BASE)/dist/latest)
OUT := $(BASE)/tests$(CODE_VARIANT)
# Where tests are compiled.
TESTED := $(BASE)/tests$(VARIANT)

FLAGS := -O2 -g -fPIC -MMD -MP -Wall -Wextra -Wno-unused-parameter -Werror \
    -I$(BASE)/nss/lib/ssl -I$(BASE)/nss/lib/ssl/snce/include \
    -I$(BASE)/nss/lib/ssl/snce/core -Itests/support \
    -Itests/support/nss -I$(BASE)/dist/public/nss -I$(BASE)/dist/private/nss \
    $(shell pkg-config --cflags nspr) $(SANITIZED)
# What NSS itself defines for lib/ssl, so that both see the same structures.
DEFINES := -DXP_UNIX -DLINUX -Dlinux -D_REENTRANT -DNDEBUG \
    -DUSE_UTIL_DIRECTLY -DNO_NSPR_10_SUPPORT -DNSS_SSL_SNCE=1

# NSS has a GoogleTest of its own among its libraries, of another version than the
# headers; so ours is named by its path.
GTEST_LIBRARIES := $(foreach name,gmock gtest_main gtest, \
    $(shell $(CXX) -print-file-name=lib$(name).a))
LIBRARIES = $(OUT)/libsupport.a $(DIST)/lib/libssl.a -L$(DIST)/lib \
    -lsmime3 -lnss3 -lnssutil3 $$(pkg-config --libs nspr) \
    $(GTEST_LIBRARIES) -lpthread -ldl

# The objects of a folder's sources.
objects = $(patsubst tests/%,$(TESTED)/%.o,$(basename \
    $(wildcard $(1)/*.cc $(1)/*.c)))
ADAPTER_OBJECTS ?= $(call objects,tests/nss)
POINTERS_OBJECTS := $(call objects,tests/regress/pointers)
# What tests share; an archive, so that a test takes only what it uses.
SUPPORT_OBJECTS := $(call objects,tests/support) $(call objects,tests/support/nss)
# The cache itself, when it is compiled here.
CODE_OBJECTS := $(if $(CODE_VARIANT),$(patsubst sslsnce/%.c,$(OUT)/sslsnce/%.o, \
    $(wildcard sslsnce/core/*.c sslsnce/nss/*.c)))

.PHONY: program run pointers-program pointers-run faulty
program: $(OUT)/adapter
run: program
	$(call run_test,adapter)
pointers-program: $(OUT)/pointers
pointers-run: pointers-program
	$(call run_test,pointers)

# The headers that the source includes lie beside the original.
faulty: $(ADAPTER_OBJECTS) $(OUT)/libsupport.a $(DIST)/lib/libssl.a
	$(CC) -std=gnu11 $(FLAGS) $(DEFINES) -I$(BASE)/nss/lib/ssl/snce/nss \
	    $(CFLAGS) -c -o $(FAULT)/fault.o $(FAULT)/$(FAULTY)
	$(CXX) $(LDFLAGS) -o $(FAULT)/adapter $(filter %.o,$^) $(FAULT)/fault.o $(LIBRARIES)

run_test = NSS_DIR=$(abspath $(BASE)) LD_LIBRARY_PATH=$(abspath $(DIST))/lib \
    $(OUT)/$(1) $(GTEST_ARGS)

$(OUT)/libsupport.a: $(SUPPORT_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/adapter: $(ADAPTER_OBJECTS)
$(OUT)/pointers: $(POINTERS_OBJECTS)
$(OUT)/adapter $(OUT)/pointers: $(CODE_OBJECTS) $(OUT)/libsupport.a \
    $(DIST)/lib/libssl.a
	@test -n "$(filter-out $(CODE_OBJECTS),$(filter %.o,$^))" || \
	    { echo '$(@F) has no tests yet' >&2; exit 1; }
	$(CXX) $(INSTRUMENT_LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARIES)

$(TESTED)/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FLAGS) $(DEFINES) $(CFLAGS) -c -o $@ $<
$(TESTED)/%.o: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(FLAGS) $(DEFINES) $(CXXFLAGS) -c -o $@ $<
$(OUT)/sslsnce/%.o: sslsnce/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FLAGS) $(DEFINES) $(COUNTED) $(CFLAGS) -c -o $@ $<
-include $(patsubst %.o,%.d,$(ADAPTER_OBJECTS) $(POINTERS_OBJECTS) \
    $(SUPPORT_OBJECTS) $(CODE_OBJECTS))
