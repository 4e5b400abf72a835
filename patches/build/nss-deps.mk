# Read by every make inside an NSS tree (through MAKEFILES in build-nss).
#
# NSS's own makefiles know nothing of headers; the compiler writes them down
# (-MMD) and this reads them, so that an edit of a header rebuilds what includes
# it. Paths are relative to the directory that is being built.
-include $(wildcard *.OBJ/*.d *.OBJ/*/*.d *.OBJ/*/*/*.d)

# In lib/ssl, the patch changes flags and lists of sources too.
ifneq ($(wildcard sslimpl.h),)
$(wildcard *.OBJ/*.o *.OBJ/*/*/*.o): Makefile
$(wildcard *.OBJ/libssl.a *.OBJ/libssl3.so): Makefile $(wildcard snce/sources.mn)
endif
