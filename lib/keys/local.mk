# What was learnt about keys and tokens: tables, nobody who asks.
lib_libfaregate_a_SOURCES += \
	lib/keys/key_store.c lib/keys/key_store.h \
	lib/keys/revocation.c lib/keys/revocation.h \
	lib/keys/verdict_cache.c lib/keys/verdict_cache.h
