# The tests of the core, without NSS. Included by the Makefile.
#
#   unit, processes    tests/unit and tests/processes, a program each
#   storm              the storms of `processes`, for STORM_SECONDS=40 each instead of
#                      a few; five of them go on for that long
#   steps              tests/steps, in a build of its own (STEPS=1)

# Where tests are compiled.
TESTED := build/core$(VARIANT)$(if $(STEPS),-steps)
test_objects = $(patsubst %,$(TESTED)/%.o,$(basename \
    $(wildcard tests/$(1)/*.cc tests/$(1)/*.c)))
UNIT_OBJECTS := $(call test_objects,unit)
PROCESSES_OBJECTS := $(call test_objects,processes)
STEPS_OBJECTS := $(call test_objects,steps)
# What tests share; an archive, so that a test takes only what it uses.
SUPPORT_OBJECTS := $(call test_objects,support)
CORE_TEST_OBJECTS := $(SUPPORT_OBJECTS) $(UNIT_OBJECTS) $(PROCESSES_OBJECTS) \
    $(STEPS_OBJECTS)

$(CORE)/libsupport.a: $(SUPPORT_OBJECTS) $(CORE)/objects
	@rm -f $@
	$(AR) rcs $@ $(SUPPORT_OBJECTS)
# Positions in a region's file have 64 bits, on any processor.
TEST_FLAGS := -D_FILE_OFFSET_BITS=64 -Itests/support
$(TESTED)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) $(CORE_FLAGS) $(TEST_FLAGS) $(CFLAGS) -c -o $@ $<
$(TESTED)/tests/%.o: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 $(WARNINGS) $(CORE_FLAGS) $(TEST_FLAGS) $(CXXFLAGS) -c -o $@ $<
-include $(CORE_TEST_OBJECTS:.o=.d)

# Debian has GoogleTest compiled for its own processor, and its sources.
ifneq ($(TARGET),)
GTEST := /usr/src/googletest
GTEST_OUT := build/gtest$(VARIANT)
GTEST_FLAGS := $(foreach part,googletest googlemock, \
    -I$(GTEST)/$(part) -isystem $(GTEST)/$(part)/include)
GTEST_LIBRARIES := $(patsubst %,$(GTEST_OUT)/lib%.a,gtest gtest_main gmock)
$(filter %.o,$(CORE_TEST_OBJECTS)): CORE_FLAGS += $(filter-out -I%,$(GTEST_FLAGS))
$(GTEST_OUT)/libgtest.a: $(GTEST)/googletest/src/gtest-all.cc
$(GTEST_OUT)/libgtest_main.a: $(GTEST)/googletest/src/gtest_main.cc
$(GTEST_OUT)/libgmock.a: $(GTEST)/googlemock/src/gmock-all.cc
$(GTEST_LIBRARIES):
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -O1 -fPIC $(GTEST_FLAGS) -c -o $(@:.a=.o) $<
	@rm -f $@
	$(AR) rcs $@ $(@:.a=.o)
endif

# A test that has a main() of its own wins over GoogleTest's, which is in an
# archive.
.PHONY: unit processes steps storm unit-program processes-program steps-program
define test_program
$(CORE)/$(1): $$($(2)) $(CORE)/libsupport.a $(CORE)/libsnce.a $(CORE)/objects \
    $(GTEST_LIBRARIES)
	@test -n "$$($(2))" || \
	    { echo 'tests/$(1) has no tests yet' >&2; exit 1; }
	$$(CXX) $(INSTRUMENT_LINK) $$(LDFLAGS) -o $$@ $$($(2)) \
	    $(CORE)/libsupport.a $(CORE)/libsnce.a $(addprefix -L,$(GTEST_OUT)) \
	    -lgmock -lgtest_main -lgtest -lpthread
$(1)-program: $(CORE)/$(1)
$(1): $(CORE)/$(1)
	$(RUN) $(CORE)/$(1) $$(GTEST_ARGS)
endef
$(eval $(call test_program,unit,UNIT_OBJECTS))
$(eval $(call test_program,processes,PROCESSES_OBJECTS))
ifeq ($(STEPS),)
steps:
	@$(MAKE) --no-print-directory STEPS=1 steps
else
$(eval $(call test_program,steps,STEPS_OBJECTS))
endif

STORM_SECONDS ?= 40
storm: $(CORE)/processes
	SNCE_STORM_SECONDS=$(STORM_SECONDS) $(CORE)/processes \
	    --gtest_filter='SnceStorm.*:SnceNamespaceStorm.*' $(GTEST_ARGS)
