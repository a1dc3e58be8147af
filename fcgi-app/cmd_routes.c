/* faregate routes: the table of routes, in the order in which they are tried. */
#include <stdio.h>

#include "base/buf.h"
#include "core/config.h"
#include "core/filter.h"
#include "core/var.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"

enum { MOST_OUTPUT_BYTES = 64 * 1024 * 1024, COLUMNS = 6 };

static const char help[] =
    "Usage: faregate routes [-c FILE] [--json]\n"
    "\n"
    "The routes in the order in which they are tried, the most specific first: what each matches, where it goes, and its\n"
    "policies. `faregate explain METHOD URL` says which of them a request takes.\n"
    "\n"
    "  -c FILE   the configuration\n"
    "  --json    for programs\n"
    "\n"
    "Exit status: 0 printed, 1 the configuration has errors, 2 usage, 3 it cannot be read.\n";

static const char *const titles[COLUMNS] = {"ROUTE", "METHODS", "HOST", "PATH", "TO", "POLICIES"};

static void
add_item(struct fg_buf *list, struct fg_str item)
{
	if (list->len > 0)
		fg_buf_add_char(list, ',');
	fg_buf_add(list, item);
}

static void
add_methods(struct fg_buf *out, const struct fg_route_rule *rule)
{
	for (int i = 0; rule->methods != FG_METHODS_ANY && i < FG_METHOD_OTHER; i++)
		if (rule->methods & FG_METHOD_BIT(i))
			add_item(out, fg_method_name((enum fg_method)i));
}

static void
add_hosts(struct fg_buf *out, const struct fg_route_rule *rule)
{
	for (size_t i = 0; i < rule->host_count; i++)
		add_item(out, rule->hosts[i]);
}

/* The path, and what else of the request it asks for. */
static void
add_path(struct fg_buf *out, const struct fg_route_rule *rule)
{
	fg_buf_add(out, rule->path);
	for (size_t i = 0; i < rule->header_count; i++)
		fg_buf_printf(out, " %.*s:%.*s", FG_STR_ARG(rule->headers[i].name), FG_STR_ARG(rule->headers[i].value));
	for (size_t i = 0; i < rule->query_count; i++)
		fg_buf_printf(out, " ?%.*s=%.*s", FG_STR_ARG(rule->query[i].name), FG_STR_ARG(rule->query[i].value));
	for (size_t i = 0; i < rule->cookie_count; i++)
		fg_buf_printf(out, " Cookie:%.*s=%.*s", FG_STR_ARG(rule->cookies[i].name), FG_STR_ARG(rule->cookies[i].value));
}

static void
add_service(struct fg_buf *out, const struct fg_service *service)
{
	fg_buf_add(out, service->name);
	if (service->respond != NULL)
		fg_buf_printf(out, " (respond %d)", service->respond->status);
}

static void
add_destination(struct fg_buf *out, const struct fg_route *route)
{
	struct fg_str rewrite;

	if (route->respond != NULL) {
		fg_buf_printf(out, "respond %d", route->respond->status);
		return;
	}
	if (route->service != NULL)
		add_service(out, route->service);
	for (size_t i = 0; i < route->split_count; i++) {
		fg_buf_add(out, i == 0 ? FG_STR("") : FG_STR(", "));
		add_service(out, route->splits[i].service);
		fg_buf_printf(out, " %d", route->splits[i].weight);
	}
	if (route->rewrite != NULL) {
		rewrite = fg_template_text(route->rewrite);
		fg_buf_printf(out, " as %.*s", FG_STR_ARG(rewrite));
	} else if (route->strip_prefix.len > 0) {
		fg_buf_printf(out, " without %.*s", FG_STR_ARG(route->strip_prefix));
	}
}

static void
add_policies(struct fg_buf *out, const struct fg_route *route)
{
	if (route->body_limit >= 0)
		fg_buf_printf(out, "%sbody-limit=%lld", out->len > 0 ? "," : "", (long long)route->body_limit);
	if (route->timeout > 0)
		fg_buf_printf(out, "%stimeout=%lldms", out->len > 0 ? "," : "", (long long)(route->timeout / FG_US_PER_MS));
	if (route->reject_encoded_slash)
		add_item(out, FG_STR("encoded-slash=reject"));
	if (route->rule.merge_slashes)
		add_item(out, FG_STR("merge-slashes"));
	for (size_t i = 0; i < route->filter_count; i++)
		add_item(out, fg_str_from(route->filters[i].type->name));
}

static void
format_cell(struct fg_buf *out, const struct fg_route *route, size_t column)
{
	fg_buf_reset(out);
	switch (column) {
	case 0: fg_buf_add(out, route->name); break;
	case 1: add_methods(out, &route->rule); break;
	case 2: add_hosts(out, &route->rule); break;
	case 3: add_path(out, &route->rule); break;
	case 4: add_destination(out, route); break;
	default: add_policies(out, route); break;
	}
}

static void
print_table(const struct fg_route_rule *const *rules, size_t count)
{
	size_t widths[COLUMNS];
	struct fg_buf cell;

	fg_buf_init(&cell, MOST_OUTPUT_BYTES);
	for (size_t c = 0; c < COLUMNS; c++) {
		widths[c] = strlen(titles[c]);
		for (size_t i = 0; i < count; i++) {
			format_cell(&cell, rules[i]->owner, c);
			widths[c] = cell.len > widths[c] ? cell.len : widths[c];
		}
	}
	for (size_t c = 0; c < COLUMNS; c++)
		printf("%-*s%s", c + 1 == COLUMNS ? 0 : (int)widths[c], titles[c], c + 1 == COLUMNS ? "\n" : "  ");
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < COLUMNS; c++) {
			format_cell(&cell, rules[i]->owner, c);
			if (cell.len == 0)
				fg_buf_add_char(&cell, c == 5 ? '-' : '*');
			printf("%-*.*s%s", c + 1 == COLUMNS ? 0 : (int)widths[c], (int)cell.len, cell.p,
			    c + 1 == COLUMNS ? "\n" : "  ");
		}
	fg_buf_fini(&cell);
}

static void
add_json_text(struct fg_buf *out, struct fg_str text)
{
	fg_buf_add_char(out, '"');
	fg_buf_add_json(out, text);
	fg_buf_add_char(out, '"');
}

/* What a cell has commas between; no item has one in it. */
static void
add_json_list(struct fg_buf *out, struct fg_str rest)
{
	struct fg_str item;

	fg_buf_add_char(out, '[');
	for (bool first = true; fg_str_next(&rest, ',', &item); first = false) {
		if (!first)
			fg_buf_add_char(out, ',');
		add_json_text(out, item);
	}
	fg_buf_add_char(out, ']');
}

static void
print_json(const struct fg_route_rule *const *rules, size_t count)
{
	static const struct {
		const char *name;
		bool is_list;
	} members[COLUMNS] = {
	    {"route", false}, {"methods", true}, {"hosts", true}, {"match", false}, {"to", false}, {"policies", true}};
	struct fg_buf out, cell;

	fg_buf_init(&out, MOST_OUTPUT_BYTES);
	fg_buf_init(&cell, MOST_OUTPUT_BYTES);
	fg_buf_add_char(&out, '[');
	for (size_t i = 0; i < count; i++) {
		fg_buf_add(&out, i == 0 ? FG_STR("{") : FG_STR(",\n{"));
		for (size_t c = 0; c < COLUMNS; c++) {
			format_cell(&cell, rules[i]->owner, c);
			fg_buf_printf(&out, "%s\"%s\":", c == 0 ? "" : ",", members[c].name);
			if (members[c].is_list)
				add_json_list(&out, fg_buf_str(&cell));
			else
				add_json_text(&out, fg_buf_str(&cell));
		}
		fg_buf_add_char(&out, '}');
	}
	fg_buf_add(&out, FG_STR("]\n"));
	fwrite(out.p, 1, out.len, stdout);
	fg_buf_fini(&cell);
	fg_buf_fini(&out);
}

int
fg_cmd_routes(int argc, char **argv)
{
	const struct fg_route_rule *const *rules;
	struct fg_options options;
	struct fg_config *config = NULL;
	struct fg_buf errors;
	enum fg_err err;
	size_t count;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_CONFIG | FG_OPTION_JSON, help, &status))
		return status;
	fg_buf_init(&errors, MOST_OUTPUT_BYTES);
	err = fg_config_load_as(&config, options.config, &errors, FG_CONFIG_STREAM);
	if (err == FG_OK) {
		rules = fg_router_rules(config->router, &count);
		if (options.json)
			print_json(rules, count);
		else
			print_table(rules, count);
		fg_config_free(config);
		status = FG_EXIT_OK;
	} else {
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
		status = err == FG_ERR_SYSTEM ? FG_EXIT_ENVIRONMENT : FG_EXIT_INPUT;
	}
	fg_buf_fini(&errors);
	return status;
}
