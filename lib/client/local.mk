lib_libfaregate_a_SOURCES += lib/client/client.h
