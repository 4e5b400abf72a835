# Compilers' flags for SANITIZE= and COVERAGE=1. Included where core, adapter and
# their tests are compiled (Makefile, core_tests.mk, adapter.mk).
#
#   SANITIZED         of what is tested and of the tests
#   COUNTED           of what is tested, after SANITIZED
#   INSTRUMENT_LINK   of programs
#
# Each changes objects, so each has a directory of its own: the names of those for
# tests end in VARIANT, of those for what is tested in CODE_VARIANT.

comma := ,
VARIANT := $(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
CODE_VARIANT := $(VARIANT)$(if $(COVERAGE),-coverage)

SANITIZED :=
COUNTED :=
INSTRUMENT_LINK :=

# A finding ends the program that it was made in.
ifneq ($(SANITIZE),)
SANITIZED += -O1 -fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
    -fno-sanitize-recover=all
INSTRUMENT_LINK += -fsanitize=$(SANITIZE)
endif

# Counts are atomic: threads share them. Nothing is optimised, so that a branch is
# one that the source has. A child that leaves by _exit writes its counts itself
# (test_build.h), for which libgcov must have __gcov_dump.
ifneq ($(COVERAGE),)
COUNTED += --coverage -fprofile-update=atomic -fprofile-abs-path -O0
INSTRUMENT_LINK += --coverage -Wl,-u,__gcov_dump
endif
