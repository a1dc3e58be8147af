# Messages and their parts: pure functions of bytes.
lib_libfaregate_a_SOURCES += \
	lib/http/headers.c lib/http/headers.h \
	lib/http/method.c lib/http/method.h \
	lib/http/uri.c lib/http/uri.h \
	lib/http/uri_parts.c
