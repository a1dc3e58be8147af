# End-to-end tests: real web servers in front, played services behind.
if HAVE_CUNIT
check_PROGRAMS += tests/e2e/e2e
tests_e2e_e2e_SOURCES = \
	tests/e2e/main.c tests/e2e/suites.h tests/e2e/e2e.h tests/e2e/stage.c \
	tests/e2e/bed.c tests/e2e/bed.h tests/e2e/bed_front.c tests/e2e/bed_pool.c tests/e2e/bed_tell.c \
	tests/e2e/http.c tests/e2e/http.h \
	tests/e2e/played.c tests/e2e/played.h \
	tests/e2e/load.c tests/e2e/load.h \
	tests/support/fcgi_peer.c tests/support/fcgi_peer.h \
	tests/e2e/access_test.c \
	tests/e2e/admission_test.c \
	tests/e2e/certificate_test.c \
	tests/e2e/clock_test.c \
	tests/e2e/answer_test.c \
	tests/e2e/body_test.c \
	tests/e2e/breaker_stage.c tests/e2e/breaker_stage.h tests/e2e/breaker_test.c \
	tests/e2e/command_test.c \
	tests/e2e/descriptors_test.c \
	tests/e2e/dns_test.c \
	tests/e2e/failure_test.c \
	tests/e2e/fcgi_test.c \
	tests/e2e/fidelity_test.c \
	tests/e2e/forward_test.c \
	tests/e2e/hedge.c tests/e2e/hedge.h tests/e2e/hedge_test.c tests/e2e/hedge_bounds_test.c \
	tests/e2e/idp.c tests/e2e/idp.h tests/e2e/introspection_test.c tests/e2e/jwt_test.c \
	tests/e2e/idempotency_scene.c tests/e2e/idempotency_scene.h \
	tests/e2e/idempotency_test.c tests/e2e/idempotency_end_test.c \
	tests/e2e/killed_test.c \
	tests/e2e/limit_exact_test.c \
	tests/e2e/limit_attack_test.c tests/e2e/played_redis.c tests/e2e/played_redis.h \
	tests/e2e/limit_cut_test.c tests/e2e/wire.c tests/e2e/wire.h \
	tests/e2e/limit_failure_test.c \
	tests/e2e/limits_test.c \
	tests/e2e/maintenance_test.c \
	tests/e2e/modes_test.c \
	tests/e2e/pool_test.c \
	tests/e2e/protocol_test.c \
	tests/e2e/reference_test.c \
	tests/e2e/revoke_test.c \
	tests/e2e/room_test.c \
	tests/e2e/secure_test.c \
	tests/e2e/share_test.c \
	tests/e2e/storm_test.c \
	tests/e2e/stream_test.c \
	tests/e2e/supervisor_test.c \
	tests/e2e/target_test.c \
	tests/e2e/traffic_test.c \
	tests/e2e/tries_test.c \
	tests/e2e/unix_test.c \
	tests/e2e/valgrind_test.c
tests_e2e_e2e_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests -DFG_TEST_SRCDIR='"$(abs_top_srcdir)"' \
	-DFG_TEST_BUILDDIR='"$(abs_top_builddir)"'
tests_e2e_e2e_CFLAGS = $(AM_CFLAGS) $(CUNIT_CFLAGS)
tests_e2e_e2e_LDADD = lib/libfaregate.a tests/support/libservice.a $(FG_LIBS) $(CUNIT_LIBS)
tests_e2e_e2e_DEPENDENCIES = lib/libfaregate.a tests/support/libservice.a fcgi-app/faregate
endif
