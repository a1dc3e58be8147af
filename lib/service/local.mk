# Which target gets a request, and what the pool knows of targets.
lib_libfaregate_a_SOURCES += \
	lib/service/breaker.c lib/service/breaker.h \
	lib/service/breaker_rate.c lib/service/breaker_rate.h \
	lib/service/budget.c lib/service/budget.h \
	lib/service/health.c lib/service/health.h \
	lib/service/latency.c lib/service/latency.h \
	lib/service/service.c lib/service/service.h \
	lib/service/targets.c lib/service/targets.h \
	lib/service/targets_layout.h \
	lib/service/targets_look.c \
	lib/service/targets_places.c \
	lib/service/targets_report.c \
	lib/service/targets_room.c
