# Tokens, keys, passwords: the only user of libjwt, Jansson, OpenSSL and crypt(3).
lib_libfaregate_a_SOURCES += \
	lib/token/alg.h \
	lib/token/api_key.h \
	lib/token/b64url.h \
	lib/token/claims.h \
	lib/token/json.h \
	lib/token/jws.h \
	lib/token/key.h \
	lib/token/password.h \
	lib/token/token.h \
	lib/token/token_cache.h
