# Releases of NSS, its own tests/ssl, and the series for its maintainers. Included by the
# Makefile.

.PHONY: check-release matrix
check-release:
	@$(TOOLS)/deps
	@$(TOOLS)/deps tests/interop/packages
	@tests/release/check $(NSS)

# RELEASES=: check these first.
matrix:
	@status=0; \
	for r in $(RELEASES); do \
	    $(MAKE) --no-print-directory check-release NSS=$$r || status=1; \
	done; \
	tests/release/matrix || status=1; \
	exit $$status

# NSS's own tests/ssl on stock and on the patched tree, compared. SETS=: these only
# (tests/release/ssl-tests has the list). LONG=1: all of them.
SETS ?= policy resume policy-3 resume-3 $(if $(LONG),normal fips stress \
    normal-3 stress-3)
.PHONY: ssl-tests upstream
ssl-tests:
	@$(TOOLS)/deps
	@$(TOOLS)/build-nss stock $(NSS) libs tools
	@$(TOOLS)/build-nss nss $(NSS) libs tools
	@tests/release/ssl-compare build/stock-$(NSS) build/nss-$(NSS) $(SETS)

# The series for NSS's maintainers: does it apply to NSS_SRC, and is it formatted as
# NSS formats? With LONG=1 its tests too, on NSS_SRC with and without the fix.
upstream:
	@$(TOOLS)/deps tests/release/packages
	@tests/release/upstream $(if $(LONG),--run) --release $(NSS) \
	    $(if $(NSS_SRC),'$(NSS_SRC)')
