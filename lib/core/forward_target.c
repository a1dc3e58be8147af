/* What is asked of the service. What was decided on is what is forwarded: the path is never read anew from the client. */
#include "core/forward_target.h"

#include "base/limits.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/var.h"

/* A path made here has to be one that stays as it is, as a client's has been made. */
static enum fg_err
check_path(struct fg_str path, struct fg_arena *arena)
{
	struct fg_uri uri;
	enum fg_err err = fg_uri_parse(&uri, path, arena);

	if (err == FG_ERR_TARGET_TOO_LONG)
		return err;
	return err == FG_OK && fg_str_eq(uri.path, path) ? FG_OK : FG_ERR_PATH_AMBIGUOUS;
}

static enum fg_err
strip(struct fg_exchange *x, const struct fg_uri *uri, struct fg_str prefix, struct fg_str *path)
{
	struct fg_str rest;

	if (prefix.len > 0 && prefix.p[prefix.len - 1] == '/')
		prefix.len--;
	*path = uri->path;
	if (!fg_str_starts_with(uri->match, prefix))
		return FG_OK; /* a regex's path may begin otherwise */
	rest = fg_str_slice(uri->path, fg_uri_path_offset(uri, prefix.len), uri->path.len);
	if (rest.len > 0 && rest.p[0] == '/') {
		*path = rest;
		return FG_OK;
	}
	/* "/img*" may go on in the middle of a segment: what was "/img../x" must not become "/../x". */
	*path = FG_ARENA_CONCAT(&x->arena, FG_STR("/"), rest);
	return check_path(*path, &x->arena);
}

static enum fg_err
rewrite(struct fg_exchange *x, const struct fg_template *template, struct fg_str *path)
{
	/* Variables that may be absent have a default in a path, so there is but one reason. */
	if (!fg_template_render(template, x, path))
		return FG_ERR_TARGET_TOO_LONG;
	if (path->len == 0 || path->p[0] != '/')
		*path = FG_ARENA_CONCAT(&x->arena, FG_STR("/"), *path);
	return check_path(*path, &x->arena);
}

enum fg_err
fg_forward_target(struct fg_exchange *x, struct fg_str *out)
{
	const struct fg_route *route = x->route;
	const struct fg_uri *uri = &x->req.uri, *decided = route->rule.merge_slashes ? &x->req.merged_uri : uri;
	struct fg_str path = decided->path;
	enum fg_err err = FG_OK;

	if (fg_str_eq(path, FG_STR("*"))) {
		*out = path;
		return FG_OK;
	}
	if (route->rewrite != NULL)
		err = rewrite(x, route->rewrite, &path);
	else if (route->strip_prefix.len > 0)
		err = strip(x, decided, route->strip_prefix, &path);
	if (err != FG_OK)
		return err;
	if (!uri->has_query)
		*out = path;
	else if (path.p == uri->raw.p && uri->query.p == uri->raw.p + path.len + 1)
		*out = fg_str_slice(uri->raw, 0, path.len + 1 + uri->query.len); /* untouched: where it lies */
	else
		*out = FG_ARENA_CONCAT(&x->arena, path, FG_STR("?"), uri->query);
	return out->len > FG_MAX_TARGET_BYTES ? FG_ERR_TARGET_TOO_LONG : FG_OK;
}
