# The benchmarks. Included by the Makefile. `make bench` times stock NSS and ours
# in one run (tests/bench/README.md).
#
#   core, peers, growth, traces   on the core alone
#   libssl                        on stock's libssl.a and on ours
#   handshakes                    public API only, before either library

BENCH := build/bench
BENCH_FLAGS := -std=gnu11 -O2 -g $(CORE_WARNINGS) -MMD -MP -Iinclude -Itests/bench

BENCH_ON_CORE := $(filter $(basename $(notdir $(wildcard tests/bench/*.c))), \
    core peers growth traces)
BENCH_LIBRARIES_peers := -llmdb -lmemcached -lhiredis

.PHONY: bench-programs
bench-programs: $(addprefix $(BENCH)/,$(BENCH_ON_CORE))

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
