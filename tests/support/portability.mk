# Other compilers and processors. Included by the Makefile.
#
#   ROWS=NAME   these rows only; without it those of the short form
#   LONG=1      the long form

.PHONY: portability
portability:
	@$(TOOLS)/deps tests/portability/packages
	@$(MAKE) --no-print-directory nss
	@tests/portability/run $(if $(LONG),--long) --release $(NSS) $(ROWS)
