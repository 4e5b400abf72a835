# The distribution's programs on the patched library. Included by the Makefile.
#
#   PROGRAMS='selfserv jss'    these only; tests/programs/README.md lists them

.PHONY: programs
programs:
	@$(TOOLS)/deps tests/programs/packages
	@$(MAKE) --no-print-directory nss-stock
	@$(MAKE) --no-print-directory nss
	@tests/programs/run build/nss-$(NSS)/lib build/stock-$(NSS)/lib $(PROGRAMS)
