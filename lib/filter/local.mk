lib_libfaregate_a_SOURCES += \
	lib/filter/filter.h \
	lib/filter/filter_list.c lib/filter/filter_list.h \
	lib/filter/limits.c \
	lib/filter/request.c \
	lib/filter/response.c
EXTRA_DIST += lib/filter/limits.md lib/filter/request.md lib/filter/response.md
