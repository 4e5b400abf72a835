# Scarce resources and the soak. Included by the Makefile.
#
#   MINUTES=2    how long the soak goes on

MINUTES ?= 2

$(CORE)/soak: $(CORE)/tests/soak/soak.o $(CORE)/libsupport.a $(CORE)/libsnce.a
	$(CXX) $(filter -fsanitize=%,$(CORE_FLAGS)) $(LDFLAGS) -o $@ $< \
	    $(CORE)/libsupport.a $(CORE)/libsnce.a -lgtest -lpthread
-include $(CORE)/tests/soak/soak.d

# libssl is loaded by the program itself, so it is not among these.
build/orders/orders: tests/orders/orders.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -MMD -MP \
	    $(CFLAGS) -Iinclude $$(pkg-config --cflags nss) -o $@ $< $(LDFLAGS) \
	    -L$$(pkg-config --variable=libdir nss) -lnss3 \
	    $$(pkg-config --libs nspr) -lpthread -ldl
-include build/orders/orders.d

# As the demo's programs: built once, against the distribution's NSS.
HOSTILE_SERVER := $(addprefix tests/hostile/,server.c handshake.c worker.c \
    memory.c refuse.c)
HOSTILE_PROGRAMS := $(addprefix build/hostile/,server pages.so pages_check \
    memlock.so)
HOSTILE_CC = $(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter \
    $(CFLAGS) -Iinclude
build/hostile/server: $(HOSTILE_SERVER) $(wildcard tests/hostile/*.h) \
    include/sslsnce/sslsnce.h
	@mkdir -p $(@D)
	$(HOSTILE_CC) $$(pkg-config --cflags nss) -o $@ $(HOSTILE_SERVER) \
	    $(LDFLAGS) $$(pkg-config --libs nss) -lpthread -ldl
build/hostile/pages_check: tests/hostile/pages_check.c
	@mkdir -p $(@D)
	$(HOSTILE_CC) -o $@ $< $(LDFLAGS)
build/hostile/%.so: tests/hostile/%.c
	@mkdir -p $(@D)
	$(HOSTILE_CC) -shared -fPIC -o $@ $< $(LDFLAGS) -ldl

.PHONY: soak soak-programs orders hostile hostile-programs
soak-programs: $(CORE)/soak $(DEMO_PROGRAMS)
soak: nss
	@$(MAKE) --no-print-directory -s soak-programs
	@tests/soak/run --minutes $(MINUTES) $(CORE)/soak build/nss-$(NSS)/lib
orders: nss
	@$(MAKE) --no-print-directory -s build/orders/orders
	@tests/orders/run build/nss-$(NSS)/lib
hostile-programs: $(HOSTILE_PROGRAMS)
hostile: nss-stock nss
	@$(TOOLS)/deps
	@$(MAKE) --no-print-directory -s hostile-programs
	@tests/hostile/run build/nss-$(NSS)/lib build/stock-$(NSS)/lib $(ROWS)
