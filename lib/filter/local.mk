lib_libfaregate_a_SOURCES += \
	lib/filter/filter.h \
	lib/filter/auth.c lib/filter/auth_jwt.c lib/filter/auth_jwt.h lib/filter/auth_jwt_keys.c lib/filter/auth_policy.c lib/filter/authenticator.h \
	lib/filter/credentials.c lib/filter/credentials.h \
	lib/filter/filter_list.c lib/filter/filter_list.h \
	lib/filter/limits.c \
	lib/filter/request.c \
	lib/filter/response.c
EXTRA_DIST += lib/filter/auth.md lib/filter/auth_jwt.md lib/filter/limits.md lib/filter/request.md lib/filter/response.md
