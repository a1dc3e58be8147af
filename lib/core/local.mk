lib_libfaregate_a_SOURCES += \
	lib/core/access_log.c lib/core/access_log.h lib/core/access_log_redact.c \
	lib/core/admin.c lib/core/admin.h \
	lib/core/api_key_record.c lib/core/api_key_record.h lib/core/api_key_store.c lib/core/api_key_store.h \
	lib/core/admission.c lib/core/admission.h \
	lib/core/breaker.c lib/core/breaker.h lib/core/breaker_rate.c lib/core/breaker_rate.h \
	lib/core/budget.c lib/core/budget.h \
	lib/core/client_certificate.c lib/core/client_certificate.h \
	lib/core/config.c lib/core/config.h lib/core/config_internal.h \
	lib/core/config_consumer.c lib/core/config_policy.c lib/core/config_pool.c lib/core/config_respond.c lib/core/config_route.c \
	lib/core/config_dns.c lib/core/config_hedge.c lib/core/config_service.c lib/core/config_store.c lib/core/config_traffic.c \
	lib/core/edit.c lib/core/edit.h \
	lib/core/edit_keys.c lib/core/edit_keys.h \
	lib/core/engine.h \
	lib/core/exchange.c lib/core/exchange.h lib/core/explain.c \
	lib/core/fetch.c lib/core/fetch.h \
	lib/core/forward.c lib/core/forward_hedge.c lib/core/forward_try.c \
	lib/core/gather.c \
	lib/core/headers.c lib/core/headers.h \
	lib/core/health.c lib/core/health.h \
	lib/core/value_keys.c lib/core/value_keys.h \
	lib/core/idempotency_answer.c lib/core/idempotency_answer.h \
	lib/core/idempotency_key.c lib/core/idempotency_key.h \
	lib/core/idempotency_memory.c lib/core/idempotency_memory.h \
	lib/core/idempotency_redis.c lib/core/idempotency_redis.h \
	lib/core/idempotency_store.c lib/core/idempotency_store.h \
	lib/core/identity.c lib/core/identity.h lib/core/judge.c lib/core/judge.h \
	lib/core/key_source.c lib/core/key_source.h lib/core/key_store.c lib/core/key_store.h \
	lib/core/latency.c lib/core/latency.h \
	lib/core/limit.c lib/core/limit.h lib/core/limit_tell.c lib/core/limit_window.c \
	lib/core/limit_key.c lib/core/limit_store.h \
	lib/core/limit_policy.c lib/core/limit_policy.h lib/core/limit_ask.c \
	lib/core/limit_counts.c lib/core/limit_counts.h \
	lib/core/limit_headers.c lib/core/limit_headers.h \
	lib/core/limiter.c lib/core/limiter.h \
	lib/core/limit_top.c lib/core/limit_top.h \
	lib/core/limit_memory.c lib/core/limit_memory.h \
	lib/core/limit_redis.c lib/core/limit_redis.h lib/core/limit_script.c lib/core/limit_script.h \
	lib/core/log_sink.c lib/core/log_sink.h \
	lib/core/method.c lib/core/method.h \
	lib/core/mirror.c lib/core/mirror.h \
	lib/core/name_table.c lib/core/name_table.h \
	lib/core/pipeline.c \
	lib/core/pool_memory.c lib/core/pool_memory.h \
	lib/core/probe.c lib/core/probe.h \
	lib/core/prometheus.c lib/core/prometheus.h \
	lib/core/reply.c \
	lib/core/revocation.c lib/core/revocation.h lib/core/revocation_reader.c \
	lib/core/request.c \
	lib/core/service.c lib/core/service.h \
	lib/core/dead_workers.c lib/core/dead_workers.h \
	lib/core/targets.c lib/core/targets.h lib/core/targets_layout.h lib/core/targets_look.c lib/core/targets_places.c lib/core/targets_report.c \
	lib/core/targets_room.c \
	lib/core/stats.c lib/core/stats.h lib/core/stats_cells.c lib/core/stats_file.c lib/core/stats_layout.h \
	lib/core/stats_prometheus.c lib/core/stats_read.c lib/core/stats_report.c
lib_libfaregate_a_SOURCES += \
	lib/core/router.h lib/core/router_int.h lib/core/router_build.c lib/core/router_check.c \
	lib/core/router_hosts.c lib/core/router_match.c lib/core/router_pattern.c lib/core/router_regex.c \
	lib/core/uri.c lib/core/uri.h lib/core/uri_parts.c \
	lib/core/forward_target.c lib/core/forward_target.h \
	lib/core/verdict_cache.c lib/core/verdict_cache.h \
	lib/core/zone.c lib/core/zone.h \
	lib/core/template.c lib/core/var.c lib/core/var.h lib/core/var_int.h

# The scripts for Redis, as text, without their comments.
nodist_lib_libfaregate_a_SOURCES = lib/core/limit_lua.c
CLEANFILES += lib/core/limit_lua.c
EXTRA_DIST += lib/core/limit.lua lib/core/limit_hosts.lua lib/core/idempotency.lua
lib/core/limit_lua.c: lib/core/limit.lua lib/core/limit_hosts.lua lib/core/idempotency.lua lib/core/local.mk
	$(AM_V_GEN)$(MKDIR_P) lib/core && { \
	echo '#include "core/idempotency_redis.h"'; \
	echo '#include "core/limit_redis.h"'; \
	for name in limit limit_hosts idempotency; do \
		echo "const char fg_$${name}_lua[] ="; \
		sed -e '/^ *--/d' -e '/^$$/d' -e 's/^ *//' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(srcdir)/lib/core/$$name.lua; \
		echo ';'; \
	done; } >$@.new && mv $@.new $@
