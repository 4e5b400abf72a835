# The distribution's programs on the patched library. Included by the Makefile.
#
#   PROGRAMS='selfserv jss'    these only; tests/programs/README.md lists them

.PHONY: programs
programs: nss-stock nss
	@$(TOOLS)/deps tests/programs/packages
	@tests/programs/run build/nss-$(NSS)/lib build/stock-$(NSS)/lib $(PROGRAMS)
