# The core and its tests, without NSS. Included by the Makefile.
#
# A sanitizer changes every object, so each has a directory of its own. So has
# the build whose steps can be stopped at (storm.mk).

CORE := build/core$(if $(SANITIZE),-$(SANITIZE))$(if $(STEPS),-steps)

WARNINGS := -Wall -Wextra -Werror
CORE_WARNINGS := $(WARNINGS) -Wshadow -Wvla -Wstrict-prototypes \
    -Wmissing-prototypes -Wconversion
CORE_FLAGS := -O2 -g -fPIC -MMD -MP -Iinclude -Isslsnce/core
ifneq ($(STEPS),)
CORE_FLAGS += -DSNCE_STEPS
endif
ifneq ($(SANITIZE),)
CORE_FLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
ifeq ($(SANITIZE),undefined)
CORE_FLAGS += -fno-sanitize-recover=all
endif
endif

CORE_OBJECTS := $(patsubst sslsnce/%.c,$(CORE)/%.o,$(wildcard sslsnce/core/*.c))
UNIT_OBJECTS := $(patsubst %,$(CORE)/%.o,$(basename \
    $(wildcard tests/unit/*.cc tests/unit/*.c)))
PROCESSES_OBJECTS := $(patsubst %,$(CORE)/%.o,$(basename \
    $(wildcard tests/processes/*.cc tests/processes/*.c)))

STEPS_OBJECTS := $(patsubst %,$(CORE)/%.o,$(basename \
    $(wildcard tests/steps/*.cc tests/steps/*.c)))

# What tests share; an archive, so that a test takes only what it uses.
SUPPORT_OBJECTS := $(patsubst %,$(CORE)/%.o,$(basename \
    $(wildcard tests/support/*.cc tests/support/*.c)))

.PHONY: core unit processes unit-program processes-program
core: $(CORE)/libsnce.a

$(CORE)/libsnce.a: $(CORE_OBJECTS) $(CORE)/objects
	@rm -f $@
	ar rcs $@ $(CORE_OBJECTS)
$(CORE)/libsupport.a: $(SUPPORT_OBJECTS) $(CORE)/objects
	@rm -f $@
	ar rcs $@ $(SUPPORT_OBJECTS)

# Changes when a source comes or goes: what was linked with it is then old.
LISTED := $(CORE_OBJECTS) $(SUPPORT_OBJECTS) $(UNIT_OBJECTS) $(PROCESSES_OBJECTS) \
    $(STEPS_OBJECTS)
$(CORE)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(LISTED)' | cmp -s - $@ || echo '$(LISTED)' >$@
.PHONY: FORCE
FORCE:

$(CORE)/core/%.o: sslsnce/core/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(CORE_WARNINGS) $(CORE_FLAGS) $(CFLAGS) -c -o $@ $<
$(CORE)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) $(CORE_FLAGS) -Itests/support $(CFLAGS) -c -o $@ $<
$(CORE)/tests/%.o: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(WARNINGS) $(CORE_FLAGS) -Itests/support $(CXXFLAGS) -c -o $@ $<

# A test that has a main() of its own wins over GoogleTest's, which is in an
# archive.
define test_program
$(CORE)/$(1): $$($(2)) $(CORE)/libsupport.a $(CORE)/libsnce.a $(CORE)/objects
	@test -n "$$($(2))" || \
	    { echo 'tests/$(1) has no tests yet' >&2; exit 1; }
	$$(CXX) $(filter -fsanitize=%,$(CORE_FLAGS)) $$(LDFLAGS) -o $$@ $$($(2)) \
	    $(CORE)/libsupport.a $(CORE)/libsnce.a -lgmock -lgtest_main -lgtest -lpthread
$(1)-program: $(CORE)/$(1)
$(1): $(CORE)/$(1)
	$(CORE)/$(1) $$(GTEST_ARGS)
endef
$(eval $(call test_program,unit,UNIT_OBJECTS))
$(eval $(call test_program,processes,PROCESSES_OBJECTS))

-include $(LISTED:.o=.d)
