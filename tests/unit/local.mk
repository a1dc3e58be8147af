# Unit tests (CUnit); they mirror lib/. One suite a file, listed in suites.h.
if HAVE_CUNIT
check_PROGRAMS += tests/unit/unit
TESTS += tests/unit/unit
tests_unit_unit_SOURCES = \
	tests/unit/main.c tests/unit/suites.h tests/unit/unit.h \
	tests/unit/json.c tests/unit/json.h \
	tests/unit/prometheus.c tests/unit/prometheus.h \
	tests/unit/access_log_test.c \
	tests/unit/admin_test.c \
	tests/unit/auth_test.c tests/unit/auth_jwt_test.c \
	tests/unit/auth_api_key_test.c tests/unit/auth_api_key_store_test.c \
	tests/unit/auth_basic_test.c tests/unit/auth_client_certificate_test.c tests/unit/auth_forward_test.c \
	tests/unit/await_test.c \
	tests/unit/base_test.c \
	tests/unit/breaker_test.c tests/unit/breaker_rate_test.c \
	tests/unit/budget_test.c \
	tests/unit/client_scene.c tests/unit/client_scene.h tests/unit/client_test.c \
	tests/unit/client_dns_test.c tests/unit/client_early_test.c tests/unit/client_odd_test.c tests/unit/client_reuse_test.c \
	tests/unit/conf_test.c \
	tests/unit/config_store_test.c tests/unit/config_dns_test.c \
	tests/unit/config_policy_test.c \
	tests/unit/conf_files_test.c \
	tests/unit/conf_variant_test.c \
	tests/unit/config_load.c tests/unit/config_load.h tests/unit/config_test.c tests/unit/config_docs_test.c \
	tests/unit/consumers_test.c \
	tests/unit/cors_test.c \
	tests/unit/credentials_test.c \
	tests/unit/dns_scene.c tests/unit/dns_scene.h tests/unit/dns_test.c tests/unit/dns_trouble_test.c \
	tests/unit/exchange_scene.c tests/unit/exchange_scene.h tests/unit/exchange_test.c \
	tests/unit/forward_target_test.c tests/unit/request.h \
	fcgi-app/handover.c tests/unit/handover_test.c \
	tests/unit/head_test.c \
	tests/unit/headers_test.c \
	tests/unit/gather_test.c tests/unit/hedge_test.c \
	tests/unit/health_test.c \
	tests/unit/idempotency_test.c tests/unit/idempotency_memory_test.c tests/unit/idempotency_store_test.c \
	tests/unit/latency_test.c \
	tests/unit/limit_test.c tests/unit/limit_window_test.c \
	tests/unit/limit_memory_test.c \
	tests/unit/limit_policy_test.c \
	tests/unit/limiter_test.c \
	tests/unit/limit_store_test.c tests/unit/limit_script_test.c tests/unit/limit_cluster_test.c \
	tests/unit/judge_test.c \
	tests/unit/key_source_test.c \
	tests/unit/log_sink_test.c \
	tests/unit/loop_test.c \
	tests/unit/offload_test.c \
	tests/unit/password_test.c \
	fcgi-app/records.c tests/unit/records_test.c \
	tests/unit/require_test.c \
	tests/unit/redis_scene.c tests/unit/redis_scene.h tests/unit/redis_peer.c tests/unit/redis_peer.h \
	tests/unit/redis_test.c tests/unit/redis_late_test.c tests/unit/redis_peer_test.c tests/unit/redis_server_test.c tests/unit/redis_trouble_test.c \
	tests/unit/redis_cluster_test.c tests/unit/redis_sentinel_test.c \
	tests/unit/routing.h tests/unit/router_test.c tests/unit/router_check_test.c tests/unit/router_random_test.c \
	tests/unit/service_keys_test.c \
	tests/unit/service_test.c \
	fcgi-app/notify.c fcgi-app/pidfile.c fcgi-app/sockets.c tests/unit/sockets_test.c \
	tests/unit/targets_places_test.c \
	tests/unit/targets_test.c \
	tests/unit/revocation_test.c \
	tests/unit/stats_test.c tests/unit/stats_cells_test.c tests/unit/stats_slots_test.c \
	tests/unit/token_scene.h tests/unit/token_attack_test.c \
	tests/unit/token_cache_test.c \
	tests/unit/token_claims_test.c tests/unit/token_key_test.c \
	tests/unit/token_vectors.h tests/unit/token_vectors_test.c \
	tests/unit/suggest_test.c \
	tests/unit/uri_test.c \
	tests/unit/verdict_cache_test.c tests/unit/var_test.c
tests_unit_unit_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests -DFG_TEST_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_unit_CFLAGS = $(AM_CFLAGS) $(CUNIT_CFLAGS)
tests_unit_unit_LDADD = lib/libfaregate.a tests/support/libservice.a $(FG_LIBS) $(CUNIT_LIBS)
endif
