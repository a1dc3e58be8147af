# make bench
EXTRA_PROGRAMS += tests/bench/bench_client
tests_bench_bench_client_SOURCES = tests/bench/bench_client.c
tests_bench_bench_client_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_bench_client_LDADD = lib/libfaregate.a tests/support/libservice.a $(FG_LIBS) $(OPENSSL_LIBS) $(ALLOC_LIBS)

EXTRA_DIST += tests/bench/bench.sh tests/bench/servers.sh tests/bench/policies.sh tests/bench/users.lua
.PHONY: bench bench-quick
bench: fcgi-app/faregate tests/support/service tests/bench/bench_token
	$(srcdir)/tests/bench/bench.sh
bench-quick: fcgi-app/faregate tests/support/service tests/bench/bench_token
	BENCH_QUICK=1 $(srcdir)/tests/bench/bench.sh

EXTRA_PROGRAMS += tests/bench/bench_router
tests_bench_bench_router_SOURCES = tests/bench/bench_router.c
tests_bench_bench_router_LDADD = lib/libfaregate.a $(FG_LIBS)
.PHONY: bench-router
bench-router: tests/bench/bench_router
	./tests/bench/bench_router

EXTRA_PROGRAMS += tests/bench/bench_token
tests_bench_bench_token_SOURCES = tests/bench/bench_token.c
tests_bench_bench_token_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_bench_bench_token_LDADD = tests/support/libservice.a lib/libfaregate.a $(FG_LIBS) $(ALLOC_LIBS)
.PHONY: bench-token
bench-token: tests/bench/bench_token
	./tests/bench/bench_token

EXTRA_PROGRAMS += tests/bench/bench_pick
tests_bench_bench_pick_SOURCES = tests/bench/bench_pick.c
tests_bench_bench_pick_LDADD = lib/libfaregate.a $(FG_LIBS)
.PHONY: bench-pick
bench-pick: tests/bench/bench_pick
	./tests/bench/bench_pick
