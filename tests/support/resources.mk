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

.PHONY: soak soak-programs orders
soak-programs: $(CORE)/soak $(DEMO_PROGRAMS)
soak: nss
	@$(MAKE) --no-print-directory -s soak-programs
	@tests/soak/run --minutes $(MINUTES) $(CORE)/soak build/nss-$(NSS)/lib
orders: nss
	@$(MAKE) --no-print-directory -s build/orders/orders
	@tests/orders/run build/nss-$(NSS)/lib
