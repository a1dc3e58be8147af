lib_libfaregate_a_SOURCES += \
	lib/base/arena.c lib/base/arena.h \
	lib/base/assert.h \
	lib/base/buf.c lib/base/buf.h \
	lib/base/clock.c lib/base/clock.h \
	lib/base/err.c lib/base/err.h \
	lib/base/ip.c lib/base/ip.h \
	lib/base/limits.h \
	lib/base/list.h \
	lib/base/log.c lib/base/log.h \
	lib/base/name_table.c lib/base/name_table.h \
	lib/base/shared.c lib/base/shared.h \
	lib/base/percent.c lib/base/percent.h \
	lib/base/process.c lib/base/process.h \
	lib/base/str.c lib/base/str.h
