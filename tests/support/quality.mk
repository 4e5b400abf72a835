# Sanitizers, static analysis and coverage. Included by the Makefile; what they
# run is in tests/quality. Flags: instrument.mk.
#
#   sanitize   core and adapter's tests under ASan + UBSan, the core's under TSan;
#              PROGRAMS='unit processes adapter pointers' or some of them
#   analyze    clang's static analyzer and cppcheck over sslsnce/; do calls go down
#              the layers?
#   coverage   which lines and branches of sslsnce/ the tests run

.PHONY: sanitize analyze coverage quality-deps
quality-deps:
	@$(SUPPORT)/deps tests/quality/packages
sanitize: nss
	@tests/quality/sanitize $(NSS) $(PROGRAMS)
analyze: quality-deps nss
	@tests/quality/analyze $(NSS)
coverage: quality-deps nss
	@tests/quality/coverage $(NSS)
