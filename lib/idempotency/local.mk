# Records of keys with their answers, in both stores.
lib_libfaregate_a_SOURCES += \
	lib/idempotency/idempotency_answer.c lib/idempotency/idempotency_answer.h \
	lib/idempotency/idempotency_memory.c lib/idempotency/idempotency_memory.h \
	lib/idempotency/idempotency_record.h \
	lib/idempotency/idempotency_redis.c lib/idempotency/idempotency_redis.h

nodist_lib_libfaregate_a_SOURCES += lib/idempotency/idempotency_lua.c
CLEANFILES += lib/idempotency/idempotency_lua.c
EXTRA_DIST += lib/idempotency/idempotency.lua
lib/idempotency/idempotency_lua.c: lib/idempotency/idempotency.lua lib/local.mk
	$(AM_V_GEN)$(call fg_lua_text,idempotency,idempotency)
