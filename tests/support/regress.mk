# The regression suite of NSS bug 223242: a server's session timeouts are its own
# and are kept. Included by the Makefile.
#
# `blackbox` uses NSS's public API only and is built once, against the
# distribution's NSS, so that it judges any libssl3.so. `pointers` is linked with
# the patched libssl: adapter.mk builds it.

REGRESS := build/regress
BLACKBOX_OBJECTS := $(patsubst tests/%.cc,$(REGRESS)/objects/%.o, \
    $(wildcard tests/regress/blackbox/*.cc tests/support/nss/test_identity.cc))

$(REGRESS)/blackbox: $(BLACKBOX_OBJECTS)
	@test -n '$(BLACKBOX_OBJECTS)' || \
	    { echo 'tests/regress/blackbox has no tests yet' >&2; exit 1; }
	$(CXX) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs nss) \
	    -lgtest -lgtest_main -lpthread -ldl
$(REGRESS)/objects/%.o: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) -O2 -g -std=gnu++17 -Wall -Wextra -Werror -MMD -MP $(CXXFLAGS) \
	    -Itests/support/nss -Iinclude $$(pkg-config --cflags nss) -c -o $@ $<
-include $(BLACKBOX_OBJECTS:.o=.d)

# A tree's libraries. Each libssl is judged among those that it was built with.
libraries = build/$(1)-$(NSS)/dist/$$(cat build/$(1)-$(NSS)/dist/latest)/lib
POINTERS := build/nss-$(NSS)/tests/pointers
EXPECTED := tests/regress/expected

.PHONY: regress regress-compare regress-mutants regress-ours
ifneq ($(LIBDIR),)
regress: $(REGRESS)/blackbox
	@tests/regress/run given '$(LIBDIR)'
else
regress: regress-ours
	@tests/regress/run ours $(call libraries,nss) $(POINTERS)
endif

# What it takes to judge ours.
regress-ours: $(REGRESS)/blackbox nss
	@$(MAKE) --no-print-directory -s -f $(SUPPORT)/adapter.mk NSS=$(NSS) \
	    pointers-program

# Stock first: the two others start from its objects.
regress-compare: $(REGRESS)/blackbox
	@$(MAKE) --no-print-directory nss-stock
	@$(MAKE) --no-print-directory nss-minimal
	@$(MAKE) --no-print-directory regress-ours
	@tests/regress/run --results stock $(call libraries,stock)
	@tests/regress/run --results minimal $(call libraries,minimal)
	@tests/regress/run --results ours $(call libraries,nss) $(POINTERS)
	@tests/regress/verdict \
	    --column stock $(REGRESS)/stock/blackbox.json \
	    --expect $(EXPECTED)/stock stock \
	    --column minimal $(REGRESS)/minimal/blackbox.json \
	    --expect $(EXPECTED)/minimal minimal \
	    --column ours $(REGRESS)/ours/blackbox.json $(REGRESS)/ours/pointers.json

# MUTANTS=: some of them, by name.
regress-mutants: regress-ours
	@tests/regress/mutants/run build/nss-$(NSS) $(MUTANTS)
