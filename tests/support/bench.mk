# The benchmarks. Included by the Makefile. `make bench` times stock NSS and ours
# in one run (tests/bench/README.md).
#
#   BENCH=NAME   this one only: core, libssl, servers, peers, traces, growth,
#                handshakes or instructions; or several in quotes
#   SMOKE=1      the smallest size of each, once: does everything work?
#   STRICT=1     a target that is missed is a failure
#   ROUNDS=3     at most so many rounds; UP_TO=1000000 no larger caches
#   KEEP=1       copies rows and plots to tests/bench/results
#
# Its programs:
#
#   core, peers, growth, traces   on the core alone
#   libssl                        on stock's libssl.a and on ours
#   libssl_floor, servers         on our libssl.a
#   handshakes                    public API only, before either library

BENCH_ONLY := $(BENCH)
override BENCH := build/bench
BENCH_FLAGS := -std=gnu11 -O2 -g $(CORE_WARNINGS) -MMD -MP -Iinclude -Isslsnce/core \
    -Itests/bench

BENCH_ON_CORE := $(filter $(basename $(notdir $(wildcard tests/bench/*.c))), \
    core peers growth traces)
BENCH_LIBRARIES_peers := -llmdb -lmemcached -lhiredis
$(BENCH)/peers: $(BENCH)/peers_lmdb.o $(BENCH)/peers_servers.o
$(BENCH)/traces: $(addprefix $(BENCH)/,tracesource.o tracemodels.o tracesets.o)

.PHONY: bench bench-smoke bench-programs
# Where NSS puts its libraries is known only when they are built, hence the
# second make. Stock comes first: ours starts from its objects.
bench:
	@$(TOOLS)/deps tests/bench/packages
	@$(MAKE) --no-print-directory nss-stock
	@$(MAKE) --no-print-directory nss
	@$(TOOLS)/step build/log/bench.log 'building the benchmarks' \
	    $(MAKE) --no-print-directory bench-programs \
	    bench-libssl
	@tests/bench/run --nss $(NSS) $(addprefix --only ,$(BENCH_ONLY)) \
	    $(if $(SMOKE),--smoke) $(if $(STRICT),--strict) $(if $(KEEP),--keep) \
	    $(addprefix --rounds ,$(ROUNDS)) $(addprefix --up-to ,$(UP_TO))
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

# Inside libssl, linked as the adapter's tests are (adapter.mk): `make nss
# nss-stock` come first, for only then it is known where NSS puts its libraries.
# bench.o needs the core, which stock's libssl has not.
bench_base_stock := build/stock-$(NSS)
bench_base_ours := build/nss-$(NSS)
bench_dist = $(bench_base_$(1))/dist/$(shell cat $(bench_base_$(1))/dist/latest \
    2>/dev/null)
# -MD: NSS's headers count too; as -isystem, they may warn of what they like.
bench_flags = $(filter-out -MMD,$(BENCH_FLAGS)) -MD \
    -isystem $(bench_base_$(1))/nss/lib/ssl \
    -isystem $(bench_base_$(1))/nss/lib/ssl/snce/include \
    -isystem $(bench_base_$(1))/dist/public/nss \
    -isystem $(bench_base_$(1))/dist/private/nss \
    $(subst -I,-isystem ,$(shell pkg-config --cflags nspr)) \
    -DXP_UNIX -DLINUX -Dlinux -D_REENTRANT -DNDEBUG -DUSE_UTIL_DIRECTLY \
    -DNO_NSPR_10_SUPPORT $(if $(filter ours,$(1)),-DNSS_SSL_SNCE=1)
bench_link = $(CC) $(LDFLAGS) -o $@ $^ -L$(call bench_dist,$(1))/lib \
    -Wl,-rpath,'$$ORIGIN/../../$(call bench_dist,$(1))/lib' \
    -lsmime3 -lnss3 -lnssutil3 $$(pkg-config --libs nspr) -lpthread -ldl

.PHONY: bench-libssl
bench-libssl: $(addprefix $(BENCH)/,libssl-stock libssl-ours libssl-floor servers)

$(BENCH)/libssl-stock: $(BENCH)/stock/libssl.o $(BENCH)/stock/socket.o \
    $(BENCH)/bench.o $(call bench_dist,stock)/lib/libssl.a $(CORE)/libsnce.a
	$(call bench_link,stock)
$(BENCH)/libssl-ours: $(BENCH)/ours/libssl.o $(BENCH)/ours/socket.o \
    $(BENCH)/bench.o $(call bench_dist,ours)/lib/libssl.a
	$(call bench_link,ours)
$(BENCH)/libssl-floor: $(BENCH)/ours/libssl_floor.o $(BENCH)/ours/socket.o \
    $(BENCH)/bench.o $(call bench_dist,ours)/lib/libssl.a
	$(call bench_link,ours)
$(BENCH)/servers: $(BENCH)/ours/servers.o $(BENCH)/ours/socket.o \
    $(BENCH)/bench.o $(call bench_dist,ours)/lib/libssl.a
	$(call bench_link,ours)
$(BENCH)/stock/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(call bench_flags,stock) $(CFLAGS) -c -o $@ $<
$(BENCH)/ours/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(call bench_flags,ours) $(CFLAGS) -c -o $@ $<
-include $(wildcard $(BENCH)/*.d $(BENCH)/stock/*.d $(BENCH)/ours/*.d)
