lib_libfaregate_a_SOURCES += \
	lib/dns/dns.h lib/dns/dns_internal.h lib/dns/dns.c \
	lib/dns/lookup.c
