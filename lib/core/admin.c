/* The gateway's own pages; what they are and who may see them stands in admin.h. */
#include "core/admin.h"

#include "base/buf.h"
#include "base/limits.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/status.h"
#include "stats/stats.h"

bool
fg_admin_owns(const struct fg_exchange *x)
{
	const struct fg_admin_conf *admin = &x->gw->config->admin;
	struct fg_str path = x->req.uri.match;

	return admin->enabled && fg_str_starts_with(path, admin->path) &&
	    (path.len == admin->path.len || path.p[admin->path.len] == '/');
}

/*
 * Who asks counts only by the word of a trusted proxy; otherwise who is connected does. An address that could not be
 * read is nobody's.
 */
static bool
is_allowed(const struct fg_exchange *x)
{
	const struct fg_admin_conf *admin = &x->gw->config->admin;
	const struct fg_ip *ip = x->req.peer_trusted ? &x->req.client_ip : &x->req.peer_ip;
	struct fg_ip parsed;

	if (!fg_ip_parse(&parsed, x->req.peer_trusted ? x->req.client_text : x->req.peer_text))
		return false;
	for (size_t i = 0; i < admin->allow_count; i++)
		if (fg_cidr_contains(&admin->allow[i], ip))
			return true;
	return false;
}

/* What an answer says is true for this moment alone. The head has not been sent: this runs within the decision. */
static void
forbid_storing(struct fg_exchange *x)
{
	FG_ASSERT(fg_headers_set(&x->resp.headers, FG_STR("Cache-Control"), FG_STR("no-store")) == FG_OK);
}

static void
answer_text(struct fg_exchange *x, struct fg_str text)
{
	fg_exchange_answer(x, FG_ERR_ADMIN, 200, FG_STR("text/plain; charset=utf-8"), text);
	forbid_storing(x);
}

static void
answer_health(struct fg_exchange *x)
{
	answer_text(x, FG_STR("ok\n"));
}

static void
answer_ready(struct fg_exchange *x)
{
	if (!x->gw->draining && (x->gw->stats == NULL || !fg_stats_is_leaving(x->gw->stats))) {
		answer_text(x, FG_STR("ready\n"));
		return;
	}
	fg_exchange_refuse(x, FG_ERR_DRAINING);
	forbid_storing(x);
}

static void
answer_formatted(struct fg_exchange *x, struct fg_str content_type,
    bool (*format)(const struct fg_stats *stats, const struct fg_targets *targets, fg_usec now_wall, struct fg_buf *out))
{
	/* A process that counts nothing (plain CGI without a pool beside it) has nothing to show. */
	if (x->gw->stats == NULL) {
		fg_exchange_refuse(x, FG_ERR_ROUTE_NOT_FOUND);
		return;
	}
	if (!format(x->gw->stats, x->gw->targets, x->wall, &x->own_buf)) {
		fg_exchange_refuse(x, FG_ERR_INTERNAL);
		return;
	}
	fg_exchange_answer(x, FG_ERR_ADMIN, 200, content_type, fg_buf_str(&x->own_buf));
	forbid_storing(x);
}

static void
answer_metrics(struct fg_exchange *x)
{
	answer_formatted(x, FG_STR("text/plain; version=0.0.4; charset=utf-8"), fg_status_format_prometheus);
}

static void
answer_status(struct fg_exchange *x)
{
	answer_formatted(x, FG_STR("application/json"), fg_status_format_json);
}

static const struct {
	struct fg_str name;
	void (*answer)(struct fg_exchange *x);
} pages[] = {
    {FG_STR_INIT("/healthz"), answer_health},
    {FG_STR_INIT("/readyz"), answer_ready},
    {FG_STR_INIT("/metrics"), answer_metrics},
    {FG_STR_INIT("/status"), answer_status},
};

void
fg_admin_answer(struct fg_exchange *x)
{
	struct fg_str name = fg_str_slice(x->req.uri.match, x->gw->config->admin.path.len, x->req.uri.match.len);

	if (!is_allowed(x)) {
		fg_exchange_refuse(x, FG_ERR_ADMIN_FORBIDDEN);
		return;
	}
	for (size_t i = 0; i < FG_ARRAY_LEN(pages); i++) {
		if (!fg_str_eq(name, pages[i].name))
			continue;
		if (x->req.method_id == FG_METHOD_GET || x->req.method_id == FG_METHOD_HEAD) {
			fg_exchange_trace(x, "admin", "page", FG_STR_FMT, FG_STR_ARG(fg_str_slice(name, 1, name.len)));
			pages[i].answer(x);
			return;
		}
		fg_exchange_refuse(x, FG_ERR_METHOD_NOT_ALLOWED);
		FG_ASSERT(fg_headers_set(&x->resp.headers, FG_STR("Allow"), FG_STR("GET, HEAD")) == FG_OK);
		return;
	}
	fg_exchange_refuse(x, FG_ERR_ROUTE_NOT_FOUND);
}
