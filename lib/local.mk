# The library: everything but the process (fcgi-app/). Linked into the program, the tests and the fuzz targets.
noinst_LIBRARIES += lib/libfaregate.a
lib_libfaregate_a_SOURCES =
nodist_lib_libfaregate_a_SOURCES =
lib_libfaregate_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(YAML_CFLAGS) $(PCRE2_CFLAGS) $(HIREDIS_CFLAGS) \
	$(JWT_CFLAGS) $(JANSSON_CFLAGS) $(OPENSSL_CFLAGS) $(CRYPT_CFLAGS) $(CARES_CFLAGS)
EXTRA_DIST += lib/README.md

# A folder's scripts for Redis as text, without their comments: FOLDER, NAMES.
fg_lua_text = $(MKDIR_P) lib/$(1) && { \
	echo '\#include "$(1)/$(1)_redis.h"'; \
	for name in $(2); do \
		echo "const char fg_$${name}_lua[] ="; \
		sed -e '/^ *--/d' -e '/^$$/d' -e 's/^ *//' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(srcdir)/lib/$(1)/$$name.lua; \
		echo ';'; \
	done; } >$@.new && mv $@.new $@

include lib/base/local.mk
include lib/conf/local.mk
include lib/loop/local.mk
include lib/dns/local.mk
include lib/redis/local.mk
include lib/client/local.mk
include lib/token/local.mk
include lib/http/local.mk
include lib/router/local.mk
include lib/stats/local.mk
include lib/service/local.mk
include lib/limit/local.mk
include lib/idempotency/local.mk
include lib/keys/local.mk
include lib/core/local.mk
include lib/filter/local.mk
