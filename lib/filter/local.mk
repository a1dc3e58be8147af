lib_libfaregate_a_SOURCES += \
	lib/filter/cors.c lib/filter/cors_origin.c lib/filter/cors_origin.h \
	lib/filter/auth.c lib/filter/auth_claims.c lib/filter/auth_policy.c lib/filter/authenticator.h \
	lib/filter/auth_api_key.c lib/filter/auth_api_key.h \
	lib/filter/auth_basic.c lib/filter/auth_client_certificate.c lib/filter/auth_forward.c \
	lib/filter/auth_introspection.c lib/filter/auth_jwt.c lib/filter/auth_jwt.h lib/filter/auth_jwt_keys.c \
	lib/filter/credentials.c lib/filter/credentials.h \
	lib/filter/filter_list.c lib/filter/filter_list.h \
	lib/filter/idempotency.c \
	lib/filter/limits.c \
	lib/filter/request.c \
	lib/filter/require.c \
	lib/filter/response.c
EXTRA_DIST += lib/filter/auth.md lib/filter/auth_api_key.md lib/filter/auth_basic.md lib/filter/auth_client_certificate.md \
	lib/filter/auth_forward.md lib/filter/auth_introspection.md lib/filter/auth_jwt.md lib/filter/cors.md lib/filter/idempotency.md lib/filter/limits.md \
	lib/filter/request.md lib/filter/require.md lib/filter/response.md
