lib_libfaregate_a_SOURCES +=
