lib_libfaregate_a_SOURCES += lib/loop/loop.c lib/loop/loop.h lib/loop/offload.c lib/loop/offload.h
