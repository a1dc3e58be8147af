# YAML to checked structs, by tables of keys. The only user of libyaml (tree.c).
lib_libfaregate_a_SOURCES += \
	lib/conf/conf.c lib/conf/conf.h \
	lib/conf/env.c \
	lib/conf/files.c \
	lib/conf/include.c \
	lib/conf/internal.h \
	lib/conf/keys.h \
	lib/conf/mistakes.c \
	lib/conf/names.c lib/conf/names.h \
	lib/conf/read.c \
	lib/conf/reference.c \
	lib/conf/schema.c \
	lib/conf/suggest.c lib/conf/suggest.h \
	lib/conf/syntax.c lib/conf/syntax.h \
	lib/conf/tree.c \
	lib/conf/values.c
