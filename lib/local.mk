# The library: everything but the process (fcgi-app/). Linked into the program, the tests and the fuzz targets.
noinst_LIBRARIES += lib/libfaregate.a
lib_libfaregate_a_SOURCES =
lib_libfaregate_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(YAML_CFLAGS) $(PCRE2_CFLAGS) $(HIREDIS_CFLAGS) \
	$(JWT_CFLAGS) $(JANSSON_CFLAGS) $(OPENSSL_CFLAGS) $(CRYPT_CFLAGS) $(CARES_CFLAGS)
EXTRA_DIST += lib/README.md

include lib/base/local.mk
include lib/conf/local.mk
include lib/loop/local.mk
include lib/dns/local.mk
include lib/redis/local.mk
include lib/client/local.mk
include lib/token/local.mk
include lib/core/local.mk
include lib/filter/local.mk
