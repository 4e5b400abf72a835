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
$(BENCH)/peers: $(BENCH)/peers_lmdb.o $(BENCH)/peers_servers.o

.PHONY: bench-programs
bench-programs: $(addprefix $(BENCH)/,$(BENCH_ON_CORE))

$(addprefix $(BENCH)/,$(BENCH_ON_CORE)): $(BENCH)/%: \
    $(BENCH)/%.o $(BENCH)/bench.o $(CORE)/libsnce.a
	$(CC) $(LDFLAGS) -o $@ $^ $(BENCH_LIBRARIES_$*) -lpthread -lm
$(BENCH)/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -c -o $@ $<
-include $(wildcard $(BENCH)/*.d)
