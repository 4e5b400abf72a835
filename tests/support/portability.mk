# Other compilers and processors. Included by the Makefile.
#
#   ROWS=NAME   these rows only; without it those of the short form
#   LONG=1      the long form

.PHONY: portability
portability: nss
	@$(TOOLS)/deps tests/portability/packages
	@tests/portability/run $(if $(LONG),--long) --release $(NSS) $(ROWS)
