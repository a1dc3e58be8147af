# Which route takes a request. The only user of pcre2 (router_regex.c).
lib_libfaregate_a_SOURCES += \
	lib/router/router.h \
	lib/router/router_build.c \
	lib/router/router_check.c \
	lib/router/router_hosts.c \
	lib/router/router_int.h \
	lib/router/router_match.c \
	lib/router/router_pattern.c \
	lib/router/router_regex.c
