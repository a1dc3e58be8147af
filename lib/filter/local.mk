lib_libfaregate_a_SOURCES += lib/filter/filter.h
