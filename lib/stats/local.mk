# What is counted in the pool's memory, and how it is told.
lib_libfaregate_a_SOURCES += \
	lib/stats/log_sink.c lib/stats/log_sink.h \
	lib/stats/prometheus.c lib/stats/prometheus.h \
	lib/stats/stats.c lib/stats/stats.h \
	lib/stats/stats_cells.c \
	lib/stats/stats_file.c \
	lib/stats/stats_layout.h \
	lib/stats/stats_prometheus.c \
	lib/stats/stats_read.c \
	lib/stats/stats_report.c
