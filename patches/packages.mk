# Packages. Included by the Makefile.
#
#   deb         the Debian package libnss3-sslsnce, in build/deb
#   deb-check   builds it, installs it in a Debian system of its own, and runs the tests
#               of secrets in its build and with link-time optimisation
#   deb-faults  do the tests see each fault that is put into the maintainer scripts?
#               NAMES=: some of them
#   dist-lib    build/dist/sslsnce-VERSION-nssRELEASE-ARCH.tar.gz
#   dist-check  builds that, installs it and takes it away again

.PHONY: deb deb-check deb-faults dist-lib dist-check
deb:
	@test -z '$(NSS_SRC)' || { echo 'make deb: builds the source package of the' \
	    'distribution; take NSS_SRC away' >&2; exit 1; }
	@$(TOOLS)/deps tests/deb/packages
	@patches/debian/make-deb $(NSS)
deb-check: deb
	@tests/deb/run $(NSS)
	@tests/deb/secrets
deb-faults: deb
	@tests/deb/faults $(NSS) $(NAMES)
dist-lib:
	@$(TOOLS)/deps
	@$(MAKE) --no-print-directory nss
	@patches/dist/make-dist $(NSS)
dist-check: dist-lib
	@$(TOOLS)/deps tests/dist/packages
	@tests/dist/run $(NSS)
