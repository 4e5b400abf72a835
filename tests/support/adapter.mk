# The adapter's tests (tests/nss/*.cc, and *.c that see libssl's insides), linked
# as ssl_gtest is: libssl as an archive, so that its internal functions can be
# called; the libraries under it as they were built beside it.

BASE := build/nss-$(NSS)
DIST := $(BASE)/dist/$(shell cat $(BASE)/dist/latest)
OUT := $(BASE)/tests

FLAGS := -O2 -g -fPIC -MMD -MP -Wall -Wextra -Wno-unused-parameter -Werror \
    -I$(BASE)/nss/lib/ssl -I$(BASE)/nss/lib/ssl/snce/include -Itests/support \
    -Itests/support/nss \
    -I$(BASE)/dist/public/nss -I$(BASE)/dist/private/nss \
    $(shell pkg-config --cflags nspr)
# What NSS itself defines for lib/ssl, so that both see the same structures.
DEFINES := -DXP_UNIX -DLINUX -Dlinux -D_REENTRANT -DNDEBUG \
    -DUSE_UTIL_DIRECTLY -DNO_NSPR_10_SUPPORT -DNSS_SSL_SNCE=1

OBJECTS := $(patsubst tests/%,$(OUT)/%.o,$(basename \
    $(wildcard tests/nss/*.cc tests/nss/*.c)))
# What tests share; an archive, so that a test takes only what it uses.
SUPPORT_OBJECTS := $(patsubst tests/%,$(OUT)/%.o,$(basename \
    $(wildcard $(addprefix tests/support/,*.cc *.c nss/*.cc nss/*.c))))

.PHONY: program run
program: $(OUT)/adapter
run: program
	NSS_DIR=$(abspath $(BASE)) LD_LIBRARY_PATH=$(abspath $(DIST))/lib \
	    $(OUT)/adapter $(GTEST_ARGS)

$(OUT)/libsupport.a: $(SUPPORT_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/adapter: $(OBJECTS) $(OUT)/libsupport.a $(DIST)/lib/libssl.a
	@test -n "$(OBJECTS)" || { echo 'tests/nss has no tests yet' >&2; exit 1; }
	$(CXX) $(LDFLAGS) -o $@ $(OBJECTS) $(OUT)/libsupport.a \
	    $(DIST)/lib/libssl.a -L$(DIST)/lib \
	    -lsmime3 -lnss3 -lnssutil3 $$(pkg-config --libs nspr) \
	    -lgmock -lgtest_main -lgtest -lpthread -ldl

$(OUT)/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(FLAGS) $(DEFINES) $(CFLAGS) -c -o $@ $<
$(OUT)/%.o: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(FLAGS) $(DEFINES) $(CXXFLAGS) -c -o $@ $<
-include $(OBJECTS:.o=.d) $(SUPPORT_OBJECTS:.o=.d)
