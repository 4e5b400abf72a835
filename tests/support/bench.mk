# The benchmarks. Included by the Makefile. `make bench` times stock NSS and ours
# in one run (tests/bench/README.md).
#
#   BENCH=NAME   this one only: core, libssl, servers, peers, traces, growth,
#                handshakes or instructions; or several in quotes
#   SMOKE=1      the smallest size of each, once: does everything work?
#   STRICT=1     a target that is missed is a failure
#   KEEP=1       copies rows and plots to tests/bench/results
#
# Its programs:
#
#   core, peers, growth, traces   on the core alone
#   libssl                        on stock's libssl.a and on ours
#   handshakes                    public API only, before either library

BENCH_ONLY := $(BENCH)
override BENCH := build/bench
BENCH_FLAGS := -std=gnu11 -O2 -g $(CORE_WARNINGS) -MMD -MP -Iinclude -Itests/bench

BENCH_ON_CORE := $(filter $(basename $(notdir $(wildcard tests/bench/*.c))), \
    core peers growth traces)
BENCH_LIBRARIES_peers := -llmdb -lmemcached -lhiredis

.PHONY: bench bench-smoke bench-programs
# Where NSS puts its libraries is known only when they are built, hence the
# second make. Stock comes first: ours starts from its objects.
bench:
	@$(SUPPORT)/deps tests/bench/packages
	@$(MAKE) --no-print-directory nss-stock
	@$(MAKE) --no-print-directory nss
	@$(SUPPORT)/step build/log/bench.log 'building the benchmarks' \
	    $(MAKE) --no-print-directory bench-programs \
	    $(if $(wildcard tests/bench/libssl.c),bench-libssl)
	@tests/bench/run --nss $(NSS) $(addprefix --only ,$(BENCH_ONLY)) \
	    $(if $(SMOKE),--smoke) $(if $(STRICT),--strict) $(if $(KEEP),--keep)
bench-smoke:
	@$(MAKE) --no-print-directory bench SMOKE=1
bench-programs: $(addprefix $(BENCH)/,$(BENCH_ON_CORE) handshakes)

$(addprefix $(BENCH)/,$(BENCH_ON_CORE)): $(BENCH)/%: \
    $(BENCH)/%.o $(BENCH)/bench.o $(CORE)/libsnce.a
	$(CC) $(LDFLAGS) -o $@ $^ $(BENCH_LIBRARIES_$*) -lpthread -lm
$(BENCH)/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -c -o $@ $<

# Built once, against the distribution's NSS, as the demo's programs are. The
# core is there for bench.o only.
$(BENCH)/handshakes.o: BENCH_FLAGS += \
    $$(pkg-config --cflags nss | sed 's/-I/-isystem /g')
$(BENCH)/handshakes: $(BENCH)/handshakes.o $(BENCH)/bench.o $(CORE)/libsnce.a
	$(CC) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs nss) -lpthread

-include $(wildcard $(BENCH)/*.d)
