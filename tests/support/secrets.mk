# What shows that the tests of secrets see what they are for, and that the cache
# says nothing. Included by the Makefile. The tests themselves are in unit,
# processes and adapter.

.PHONY: secrets
secrets: unit-program processes-program nss
	@tests/secrets/mutants/run $(CORE) $(MUTANTS)
	@tests/secrets/silent $(NSS)
