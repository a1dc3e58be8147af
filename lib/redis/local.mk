lib_libfaregate_a_SOURCES += \
	lib/redis/redis.h
