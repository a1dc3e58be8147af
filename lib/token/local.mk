# Tokens, keys, passwords: the only user of libjwt, Jansson, OpenSSL and crypt(3).
lib_libfaregate_a_SOURCES += \
	lib/token/alg.c lib/token/alg.h \
	lib/token/api_key.c lib/token/api_key.h \
	lib/token/b64url.c lib/token/b64url.h \
	lib/token/certificate.c lib/token/certificate.h \
	lib/token/claims.c lib/token/claims.h \
	lib/token/htpasswd.c \
	lib/token/json.c lib/token/json.h \
	lib/token/jwk.c \
	lib/token/jws.c lib/token/jws.h \
	lib/token/key.c lib/token/key.h lib/token/key_internal.h \
	lib/token/key_set.c \
	lib/token/password.c lib/token/password.h lib/token/password_internal.h \
	lib/token/sha256.c lib/token/sha256.h \
	lib/token/token.c lib/token/token.h \
	lib/token/token_cache.c lib/token/token_cache.h \
	lib/token/verify.c lib/token/verify.h \
	lib/token/verify_libjwt.c \
	lib/token/verify_openssl.c \
	lib/token/why.h
