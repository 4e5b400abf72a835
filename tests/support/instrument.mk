# Compilers, and their flags for SANITIZE=, COVERAGE=1 and LTO=1. Included where
# core, adapter and their tests are compiled (Makefile, core_tests.mk, adapter.mk).
#
#   SANITIZED         of what is tested and of the tests
#   COUNTED           of what is tested, after SANITIZED
#   INSTRUMENT_LINK   of programs
#
# COMPILER=clang takes clang instead of the default compiler. TARGET= compiles for
# another processor: i386, aarch64 or s390x; RUN then is what runs the programs.
# Only the core and its tests can be compiled for another processor.
#
# Each changes objects, so each has a directory of its own: the names of those for
# tests end in VARIANT, of those for what is tested in CODE_VARIANT.

comma := ,
VARIANT := $(addprefix -,$(COMPILER))$(addprefix -,$(TARGET))$(if \
    $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
CODE_VARIANT := $(VARIANT)$(if $(COVERAGE),-coverage)$(if $(LTO),-lto)

SANITIZED :=
COUNTED :=
INSTRUMENT_LINK :=

ifeq ($(COMPILER),clang)
CC := clang
CXX := clang++
else ifneq ($(COMPILER),)
$(error COMPILER=$(COMPILER): only clang can be chosen so)
endif

# Debian's cross compilers. The i386 programs run on an x86-64 kernel without an
# emulator.
RUN :=
ifneq ($(TARGET),)
TRIPLET := $(patsubst i386-%,i686-%,$(TARGET)-linux-gnu)
TARGET_ROOT := /usr/$(TRIPLET)
ifeq ($(COMPILER),clang)
CC += --target=$(TRIPLET)
CXX += --target=$(TRIPLET)
else
CC := $(TRIPLET)-gcc
CXX := $(TRIPLET)-g++
endif
AR := $(TRIPLET)-ar
ifeq ($(TARGET),i386)
INSTRUMENT_LINK += -Wl,--dynamic-linker=$(TARGET_ROOT)/lib/ld-linux.so.2 \
    -Wl,-rpath,$(TARGET_ROOT)/lib
else
RUN := qemu-$(TARGET) -L $(TARGET_ROOT)
endif
endif

# Only what is tested: the tests see through no call of it. Archives of such objects
# need a tool that reads them.
ifneq ($(LTO),)
COUNTED += -flto
ifeq ($(COMPILER),clang)
AR := llvm-ar
INSTRUMENT_LINK += -flto -fuse-ld=lld
else
AR := gcc-ar
INSTRUMENT_LINK += -flto=auto
endif
endif

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
