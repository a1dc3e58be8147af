# What tests share: the scripted service, as a library and as a program; real Redis servers.
check_LIBRARIES += tests/support/libservice.a
tests_support_libservice_a_SOURCES = \
	tests/support/service.c tests/support/service.h tests/support/service_internal.h tests/support/service_listen.h \
	tests/support/service_answer.c \
	tests/support/dns_server.c tests/support/dns_server.h \
	tests/support/service_loop.c \
	tests/support/service_tls.c \
	tests/support/token_maker.c tests/support/token_maker.h
if HAVE_CUNIT
tests_support_libservice_a_SOURCES += \
	tests/support/redis_ha.c tests/support/redis_ha.h tests/support/redis_server.c tests/support/redis_server.h \
	tests/support/free_port.c tests/support/free_port.h tests/support/run_suites.c tests/support/run_suites.h
endif
tests_support_libservice_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_support_libservice_a_CFLAGS = $(AM_CFLAGS) $(CUNIT_CFLAGS) $(OPENSSL_CFLAGS)
check_PROGRAMS += tests/support/service
tests_support_service_SOURCES = tests/support/service_main.c
tests_support_service_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_support_service_LDADD = tests/support/libservice.a $(OPENSSL_LIBS)

# Preloaded into programs whose clock a test sets: no sanitizer of the build in it, or it would have to come second.
EXTRA_DIST += tests/support/clock_shift.c
if HAVE_CUNIT
check_DATA = tests/support/clock_shift.so
CLEANFILES += tests/support/clock_shift.so
tests/support/clock_shift.so: tests/support/clock_shift.c
	$(AM_V_CC)$(MKDIR_P) tests/support && $(CC) -O2 -Wall -shared -fPIC -o $@ $(top_srcdir)/tests/support/clock_shift.c
endif
