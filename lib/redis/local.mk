lib_libfaregate_a_SOURCES += \
	lib/redis/redis.h lib/redis/redis_internal.h lib/redis/redis.c \
	lib/redis/address.c \
	lib/redis/answer.c \
	lib/redis/breaker.c \
	lib/redis/cluster.c \
	lib/redis/conn.c \
	lib/redis/discovery.c \
	lib/redis/lookup.c \
	lib/redis/node.c \
	lib/redis/query.c \
	lib/redis/reply.c \
	lib/redis/script.c \
	lib/redis/slot.c \
	lib/redis/spec.c \
	lib/redis/tls.c
