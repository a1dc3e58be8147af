lib_libfaregate_a_SOURCES += \
	lib/core/access_log.c lib/core/access_log.h \
	lib/core/access_log_redact.c \
	lib/core/admin.c lib/core/admin.h \
	lib/core/admission.c lib/core/admission.h \
	lib/core/api_key_record.c lib/core/api_key_record.h \
	lib/core/api_key_store.c lib/core/api_key_store.h \
	lib/core/client_certificate.c lib/core/client_certificate.h \
	lib/core/config.c lib/core/config.h \
	lib/core/config_consumer.c \
	lib/core/config_dns.c \
	lib/core/config_hedge.c \
	lib/core/config_internal.h \
	lib/core/config_policy.c \
	lib/core/config_pool.c \
	lib/core/config_respond.c \
	lib/core/config_route.c \
	lib/core/config_service.c \
	lib/core/config_split.c \
	lib/core/config_store.c \
	lib/core/config_traffic.c \
	lib/core/counts.c lib/core/counts.h \
	lib/core/dead_workers.c lib/core/dead_workers.h \
	lib/core/edit.c lib/core/edit.h \
	lib/core/edit_keys.c lib/core/edit_keys.h \
	lib/core/engine.h \
	lib/core/exchange.c lib/core/exchange.h \
	lib/core/explain.c \
	lib/core/fetch.c lib/core/fetch.h \
	lib/core/filter.c lib/core/filter.h \
	lib/core/forward.c \
	lib/core/forward_hedge.c \
	lib/core/forward_target.c lib/core/forward_target.h \
	lib/core/forward_try.c \
	lib/core/gather.c \
	lib/core/idempotency_key.c lib/core/idempotency_key.h \
	lib/core/idempotency_store.c lib/core/idempotency_store.h \
	lib/core/identity.c lib/core/identity.h \
	lib/core/judge.c lib/core/judge.h \
	lib/core/key_source.c lib/core/key_source.h \
	lib/core/limit_ask.c \
	lib/core/limit_counts.c lib/core/limit_counts.h \
	lib/core/limit_headers.c lib/core/limit_headers.h \
	lib/core/limit_policy.c lib/core/limit_policy.h \
	lib/core/limiter.c lib/core/limiter.h \
	lib/core/mirror.c lib/core/mirror.h \
	lib/core/pipeline.c \
	lib/core/pool_memory.c lib/core/pool_memory.h \
	lib/core/probe.c lib/core/probe.h \
	lib/core/reply.c \
	lib/core/request.c \
	lib/core/revocation_reader.c lib/core/revocation_reader.h \
	lib/core/status.c lib/core/status.h \
	lib/core/template.c \
	lib/core/value_keys.c lib/core/value_keys.h \
	lib/core/var.c lib/core/var.h \
	lib/core/var_int.h
