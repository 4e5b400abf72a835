# Every supported release of NSS. Included by the Makefile.

.PHONY: check-release matrix
check-release:
	@$(TOOLS)/deps
	@$(TOOLS)/deps tests/interop/packages
	@tests/release/check $(NSS)

# RELEASES=: check these first.
matrix:
	@$(foreach r,$(RELEASES),$(MAKE) --no-print-directory check-release NSS=$(r) &&) :
	@tests/release/matrix

# NSS's own tests/ssl on stock and on the patched tree, compared. SETS=: some of them,
# by name (tests/release/ssl-tests lists them). LONG=1: all of them, and again with
# servers of three processes.
SETS ?= $(if $(LONG),policy normal stress fips,policy normal)
.PHONY: ssl-tests upstream
ssl-tests:
	@$(TOOLS)/build-nss stock $(NSS) libs tools
	@$(TOOLS)/build-nss nss $(NSS) libs tools
	@tests/release/ssl-compare $(if $(LONG),--processes 1 --processes 3) \
	    build/stock-$(NSS) build/nss-$(NSS) $(SETS)

# The series for NSS's maintainers: does it apply to NSS_SRC, and is it formatted as
# NSS formats? With LONG=1 its tests too, on NSS_SRC with and without the fix.
upstream:
	@tests/release/upstream $(if $(LONG),--run) $(NSS_SRC)
