# Processes killed and stopped: at random for long (storm), and at each step that
# the code names (steps). Included by the Makefile.

# The storms of `make processes`, each for STORM_SECONDS instead of a few. Five
# of them go on for that long.
STORM_SECONDS ?= 40

.PHONY: storm
storm: $(CORE)/processes
	SNCE_STORM_SECONDS=$(STORM_SECONDS) $(CORE)/processes \
	    --gtest_filter='SnceStorm.*:SnceNamespaceStorm.*' $(GTEST_ARGS)

# The steps: a build of their own. Its program is the only one that it has.
.PHONY: steps
ifeq ($(STEPS),)
steps:
	@$(MAKE) --no-print-directory STEPS=1 steps
else
$(eval $(call test_program,steps,STEPS_OBJECTS))
endif
