# The distribution's programs on the patched library. Included by the Makefile.
#
#   PROGRAMS='selfserv jss'    these only; tests/programs/README.md lists them
#   INSTALLED=1                the Debian package is built and installed, instead of
#                              the library of build/nss-RELEASE

.PHONY: programs
programs:
	@$(TOOLS)/deps tests/programs/packages
	@$(MAKE) --no-print-directory nss-stock
	@$(MAKE) --no-print-directory $(if $(INSTALLED),deb,nss)
	@tests/programs/run $(if $(INSTALLED),build/deb/libnss3-sslsnce_*.deb, \
	    build/nss-$(NSS)/lib) build/stock-$(NSS)/lib $(PROGRAMS)
