# The model of the slot protocol, checked with spin (tests/model/README.md).
# Included by the Makefile.
#
#   MODEL=NAME   these only, by a part of their names

.PHONY: model
model:
	@$(SUPPORT)/deps tests/model/packages
	@tests/model/run $(MODEL)
