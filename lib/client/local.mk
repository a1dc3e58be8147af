lib_libfaregate_a_SOURCES += \
	lib/client/client.h lib/client/client_internal.h lib/client/client.c \
	lib/client/call.c \
	lib/client/endpoint.c \
	lib/client/reuse.c \
	lib/client/result.c \
	lib/client/salvage.c \
	lib/client/site.c \
	lib/client/head.c lib/client/head.h
