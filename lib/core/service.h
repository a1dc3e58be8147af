/*
 * A service: a name, the targets that run it, and how to talk to them.
 */
#ifndef FG_CORE_SERVICE_H
#define FG_CORE_SERVICE_H

#include "base/clock.h"
#include "base/str.h"

struct fg_endpoint;
struct fg_service;
struct fg_stats_series;

struct fg_target {
	const struct fg_service *service;
	unsigned index;          /* within the service */
	struct fg_str url;       /* "http://127.0.0.1:4000", no path, no trailing slash */
	struct fg_str authority; /* "127.0.0.1:4000": the Host for `host: target` */
	unsigned weight;         /* 1..1000 */
	const struct fg_endpoint *endpoint;
};

enum fg_host_mode { FG_HOST_PRESERVE, FG_HOST_TARGET, FG_HOST_NAME };

struct fg_service {
	struct fg_str name;
	unsigned index; /* in fg_config.services */
	struct fg_target *targets;
	size_t target_count; /* at least 1 */
	fg_usec connect_timeout;
	fg_usec response_timeout; /* from the end of sending until the response's headers */
	fg_usec idle_timeout;     /* between two bytes, either way */
	enum fg_host_mode host_mode;
	struct fg_str host_name; /* for FG_HOST_NAME */
	bool http2;
	bool tls_verify;
	struct fg_str tls_ca, tls_certificate, tls_key, tls_name; /* files and a name; empty: none */
	struct fg_stats_series *stats; /* set by fg_stats_attach(); NULL counts nothing */
};

/* What one worker remembers of one service between requests; zeroed at first. */
struct fg_service_state {
	int *credit; /* one a target: smooth weighted round-robin */
};

/* The target for the next request. Smooth weighted round-robin: of weights 5, 1, 1 the order is a a b a c a a. */
const struct fg_target *fg_service_pick(const struct fg_service *service, struct fg_service_state *state);

#endif
