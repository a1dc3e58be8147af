# How much is too much: the rules, and both stores that carry them out.
lib_libfaregate_a_SOURCES += \
	lib/limit/limit.c lib/limit/limit.h \
	lib/limit/limit_key.c \
	lib/limit/limit_memory.c lib/limit/limit_memory.h \
	lib/limit/limit_redis.c lib/limit/limit_redis.h \
	lib/limit/limit_script.c lib/limit/limit_script.h \
	lib/limit/limit_store.h \
	lib/limit/limit_tell.c \
	lib/limit/limit_top.c lib/limit/limit_top.h \
	lib/limit/limit_window.c \
	lib/limit/zone.c lib/limit/zone.h

nodist_lib_libfaregate_a_SOURCES += lib/limit/limit_lua.c
CLEANFILES += lib/limit/limit_lua.c
EXTRA_DIST += lib/limit/limit.lua lib/limit/limit_hosts.lua
lib/limit/limit_lua.c: lib/limit/limit.lua lib/limit/limit_hosts.lua lib/local.mk
	$(AM_V_GEN)$(call fg_lua_text,limit,limit limit_hosts)
