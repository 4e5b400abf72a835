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
