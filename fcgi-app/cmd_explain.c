/*
 * faregate explain: the decision about one request, step by step, by the function that the worker runs. Nothing is
 * sent, nothing is counted.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/limits.h"
#include "core/config.h"
#include "core/exchange.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/offline.h"
#include "fcgi-app/options.h"
#include "stats/stats.h"

enum { MOST_STEPS = 4096, MOST_OTHERS = 20, MOST_OUTPUT_BYTES = 4 * 1024 * 1024 };

struct step {
	const char *who, *outcome;
	struct fg_str detail;
};

struct considered {
	struct fg_str route, path;
	const char *ruled_out_by; /* NULL: taken */
};

struct explanation {
	struct step steps[MOST_STEPS];
	struct considered considered[MOST_STEPS];
	size_t step_count, considered_count;
	size_t other_count; /* routes of other paths, beyond the first few */
};

struct asked {
	const char *file, *method, *url, *client_ip;
	struct fg_param params[FG_MAX_PARAMS];
	size_t param_count;
	struct fg_offline_keys keys;
	bool json;
	struct fg_arena arena;
};

static const char help[] =
    "Usage: faregate explain [-c FILE] [-H 'NAME: VALUE']... [--ip ADDRESS] [--keys POLICY=FILE]... [--json] METHOD URL\n"
    "\n"
    "Says which route a request takes and why not the others, then what each policy decides, in order, and, of the pool that\n"
    "runs with this configuration, which targets can be had and why not the others (drained, down, breaker open for 3.0s).\n"
    "Nothing is sent and nothing is counted.\n"
    "\n"
    "  -c FILE           the configuration\n"
    "  -H 'NAME: VALUE'  a header of the request; may be repeated\n"
    "  --ip ADDRESS      who is connected to the web server (default 127.0.0.1)\n"
    "  --keys POLICY=FILE  keys of a jwt policy, instead of those that the running pool has fetched; may be repeated\n"
    "  --json            for programs\n"
    "\n"
    "URL is a path (/orders/7?x=1) or whole (https://api.example.com/orders/7).\n"
    "Exit status: 0 the request would be forwarded or answered, 1 it would be refused, 2 usage, 3 no configuration.\n";

static void
on_step(void *arg, const char *who, const char *outcome, struct fg_str detail)
{
	struct explanation *e = arg;

	if (e->step_count < MOST_STEPS)
		e->steps[e->step_count++] = (struct step){who, outcome, detail};
}

static void
on_considered(void *arg, const struct fg_route_rule *rule, const char *ruled_out_by)
{
	struct explanation *e = arg;
	bool is_other = ruled_out_by != NULL && strcmp(ruled_out_by, "path") == 0;

	if (e->considered_count == MOST_STEPS || (is_other && e->considered_count >= MOST_OTHERS))
		e->other_count++;
	else
		e->considered[e->considered_count++] = (struct considered){rule->name, rule->path, ruled_out_by};
}

/* ---- what was asked */

static void
add_param(struct asked *asked, struct fg_str name, struct fg_str value)
{
	if (asked->param_count < FG_MAX_PARAMS)
		asked->params[asked->param_count++] = (struct fg_param){.name = name, .value = value};
}

/* "X-Api-Version: 2" as a web server hands it over: HTTP_X_API_VERSION. */
static bool
add_header(struct asked *asked, struct fg_str line)
{
	size_t colon = fg_str_find(line, ':');
	struct fg_str name = fg_str_slice(line, 0, colon), value = fg_str_trim(fg_str_slice(line, colon + 1, line.len));
	char *cgi_name;

	if (colon == line.len || !fg_is_token(name))
		return false;
	if (fg_str_ieq(name, FG_STR("Content-Type")) || fg_str_ieq(name, FG_STR("Content-Length")))
		cgi_name = fg_arena_cstr(&asked->arena, name);
	else
		cgi_name = fg_arena_cstr(&asked->arena, FG_ARENA_CONCAT(&asked->arena, FG_STR("HTTP_"), name));
	for (char *c = cgi_name; *c != '\0'; c++)
		*c = *c == '-' ? '_' : fg_ascii_upper(*c);
	add_param(asked, fg_str_from(cgi_name), value);
	return true;
}

static void
add_request_line(struct asked *asked)
{
	struct fg_str url = fg_str_from(asked->url);
	bool is_https = fg_str_starts_with(url, FG_STR("https://"));

	add_param(asked, FG_STR("REQUEST_METHOD"), fg_str_from(asked->method));
	add_param(asked, FG_STR("REQUEST_URI"), url);
	add_param(asked, FG_STR("SERVER_PROTOCOL"), FG_STR("HTTP/1.1"));
	add_param(asked, FG_STR("SERVER_NAME"), FG_STR("localhost"));
	add_param(asked, FG_STR("SERVER_PORT"), is_https ? FG_STR("443") : FG_STR("80"));
	add_param(asked, FG_STR("REMOTE_ADDR"), fg_str_from(asked->client_ip));
	if (is_https)
		add_param(asked, FG_STR("REQUEST_SCHEME"), FG_STR("https"));
}

/* FG_EXIT_OK, or the status to leave with. */
static int
parse_arguments(struct asked *asked, int argc, char **argv, bool *is_over)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {"ip", required_argument, NULL, 'i'},
	    {"json", no_argument, NULL, 'j'},
	    {"keys", required_argument, NULL, 'k'},
	    {NULL, 0, NULL, 0},
	};
	struct fg_ip ip;
	int option;

	*is_over = true;
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:hH:", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			asked->file = optarg;
			break;
		case 'H':
			if (add_header(asked, fg_str_from(optarg)))
				break;
			fprintf(stderr, "faregate explain: \"%s\" is not a header: write 'Name: value'\n", optarg);
			return FG_EXIT_USAGE;
		case 'i':
			asked->client_ip = optarg;
			if (fg_ip_parse(&ip, fg_str_from(optarg)))
				break;
			fprintf(stderr, "faregate explain: \"%s\" is not an address\n", optarg);
			return FG_EXIT_USAGE;
		case 'j':
			asked->json = true;
			break;
		case 'k':
			if (!fg_offline_add_keys(&asked->keys, optarg))
				return FG_EXIT_USAGE;
			break;
		case 'h':
			fputs(help, stdout);
			return FG_EXIT_OK;
		default:
			return fg_options_refuse(option, argv);
		}
	}
	if (argc - optind > 2)
		return fg_options_refuse_word(argv, argv[optind + 2]);
	if (argc - optind < 2) {
		fprintf(stderr, "faregate explain: %s is missing; try faregate explain --help\n",
		    argc == optind ? "METHOD and URL" : "URL");
		return FG_EXIT_USAGE;
	}
	asked->method = argv[optind];
	asked->url = argv[optind + 1];
	*is_over = false;
	return FG_EXIT_OK;
}

/* ---- what was decided */

static void
print_text(struct fg_exchange *x, const struct explanation *e)
{
	printf("%.*s %.*s\n", FG_STR_ARG(x->req.method), FG_STR_ARG(x->req.uri.raw));
	if (x->req.uri.path.len > 0)
		printf("  canonical   %.*s\n", FG_STR_ARG(x->req.uri.path));
	printf("  host        %.*s\n", FG_STR_ARG(x->req.host));
	printf("  client      %.*s\n", FG_STR_ARG(x->req.client_text));
	if (e->considered_count > 0)
		printf("routes considered, the most specific first\n");
	for (size_t i = 0; i < e->considered_count; i++) {
		const struct considered *c = &e->considered[i];

		printf("  %-11s %.*s (%.*s)%s%s\n", c->ruled_out_by == NULL ? "taken" : "not", FG_STR_ARG(c->route),
		    FG_STR_ARG(c->path), c->ruled_out_by == NULL ? "" : ": ",
		    c->ruled_out_by == NULL ? "" : c->ruled_out_by);
	}
	if (e->other_count > 0)
		printf("  not         %zu more: path\n", e->other_count);
	printf("decision\n");
	for (size_t i = 0; i < e->step_count; i++)
		printf("  %-11s %s%s%.*s\n", e->steps[i].who, e->steps[i].outcome, e->steps[i].detail.len > 0 ? ": " : "",
		    FG_STR_ARG(e->steps[i].detail));
	if (x->terminal != FG_TERMINAL_FORWARD)
		return;
	printf("headers for the service\n");
	for (size_t i = 0; i < x->req.headers.count; i++)
		printf("  %.*s: %.*s\n", FG_STR_ARG(x->req.headers.v[i].name), FG_STR_ARG(x->req.headers.v[i].value));
}

static void
add_json(struct fg_buf *out, const char *key, struct fg_str value)
{
	fg_buf_printf(out, "\"%s\":\"", key);
	fg_buf_add_json(out, value);
	fg_buf_add_char(out, '"');
}

static void
add_headers_json(struct fg_buf *out, const struct fg_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		fg_buf_add(out, i == 0 ? FG_STR("{") : FG_STR(",{"));
		add_json(out, "name", headers->v[i].name);
		fg_buf_add_char(out, ',');
		add_json(out, "value", headers->v[i].value);
		fg_buf_add_char(out, '}');
	}
}

static void
print_json(struct fg_exchange *x, const struct explanation *e)
{
	bool is_forwarded = x->terminal == FG_TERMINAL_FORWARD;
	struct fg_buf out;

	fg_buf_init(&out, MOST_OUTPUT_BYTES);
	fg_buf_add_char(&out, '{');
	add_json(&out, "method", x->req.method);
	fg_buf_add_char(&out, ',');
	add_json(&out, "path", x->req.uri.path);
	fg_buf_add_char(&out, ',');
	add_json(&out, "host", x->req.host);
	fg_buf_add_char(&out, ',');
	add_json(&out, "route", x->route == NULL ? FG_STR_NONE : x->route->name);
	fg_buf_add_char(&out, ',');
	add_json(&out, "reason", fg_str_from(fg_err_token(x->reason)));
	fg_buf_printf(&out, ",\"status\":%d,\"considered\":[", is_forwarded ? 0 : x->resp.status);
	for (size_t i = 0; i < e->considered_count; i++) {
		fg_buf_add(&out, i == 0 ? FG_STR("{") : FG_STR(",{"));
		add_json(&out, "route", e->considered[i].route);
		fg_buf_add_char(&out, ',');
		if (e->considered[i].ruled_out_by == NULL)
			fg_buf_add(&out, FG_STR("\"taken\":true}"));
		else {
			add_json(&out, "ruled_out_by", fg_str_from(e->considered[i].ruled_out_by));
			fg_buf_add_char(&out, '}');
		}
	}
	fg_buf_printf(&out, "],\"others_considered\":%zu,\"steps\":[", e->other_count);
	for (size_t i = 0; i < e->step_count; i++) {
		fg_buf_add(&out, i == 0 ? FG_STR("{") : FG_STR(",{"));
		add_json(&out, "who", fg_str_from(e->steps[i].who));
		fg_buf_add_char(&out, ',');
		add_json(&out, "outcome", fg_str_from(e->steps[i].outcome));
		fg_buf_add_char(&out, ',');
		add_json(&out, "detail", e->steps[i].detail);
		fg_buf_add_char(&out, '}');
	}
	fg_buf_add_char(&out, ']');
	if (is_forwarded) {
		fg_buf_add_char(&out, ',');
		add_json(&out, "service", x->service->name);
		fg_buf_add_char(&out, ',');
		add_json(&out, "target", x->forward_target);
		fg_buf_add(&out, FG_STR(",\"headers\":["));
		add_headers_json(&out, &x->req.headers);
		fg_buf_add_char(&out, ']');
	}
	printf("%.*s}\n", FG_STR_ARG(fg_buf_str(&out)));
	fg_buf_fini(&out);
}

static int
explain(const struct asked *asked, struct fg_offline *offline)
{
	struct explanation *e = calloc(1, sizeof(*e));
	struct fg_route_trace route_trace = {.considered = on_considered, .arg = e};
	struct fg_decision_trace trace = {.step = on_step, .route = &route_trace, .arg = e};
	struct fg_exchange *x;
	int status;

	FG_ASSERT(e != NULL);
	x = fg_exchange_new_offline(&offline->gw, asked->params, asked->param_count, &trace);
	fg_exchange_decide(x);
	while (x->state == FG_X_SUSPENDED)
		fg_loop_turn(offline->loop, true);
	if (x->terminal == FG_TERMINAL_FORWARD && offline->memory.targets != NULL && offline->memory.stats != NULL &&
	    fg_stats_has_live_worker(offline->memory.stats))
		fg_exchange_explain_pick(x, offline->config, offline->memory.targets, offline->memory.stats);
	if (asked->json)
		print_json(x, e);
	else
		print_text(x, e);
	status = x->terminal == FG_TERMINAL_REFUSED ? FG_EXIT_INPUT : FG_EXIT_OK;
	fg_exchange_free(x);
	free(e);
	return status;
}

int
fg_cmd_explain(int argc, char **argv)
{
	struct asked asked = {.file = fg_config_file_default(), .client_ip = "127.0.0.1"};
	struct fg_offline offline;
	bool is_over;
	int status;

	fg_arena_init(&asked.arena, FG_MAX_EXCHANGE_ARENA_BYTES, NULL, 0);
	status = parse_arguments(&asked, argc, argv, &is_over);
	if (!is_over)
		status = fg_offline_open(&offline, asked.file, &asked.keys);
	if (!is_over && status == FG_EXIT_OK) {
		add_request_line(&asked);
		status = explain(&asked, &offline);
		fg_offline_close(&offline);
	}
	fg_arena_fini(&asked.arena);
	return status;
}
