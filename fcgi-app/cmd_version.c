/* faregate version: which program this is, and what is built into it. */
#include <config.h>
#include <stdio.h>

#include "base/buf.h"
#include "client/client.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/options.h"
#include "dns/dns.h"
#include "redis/redis.h"
#include "token/alg.h"

enum { MOST_OUTPUT_BYTES = 8192 };

static const char help[] =
    "Usage: faregate version [--json]\n"
    "\n"
    "The version, and the libraries and features built in.\n";

static struct fg_str
verifier(int alg)
{
	return fg_str_from(fg_jws_who_verifies((enum fg_alg)alg));
}

/* The first algorithm that is verified by whoever verifies this one. */
static int
first_of_verifier(int alg)
{
	int first = 0;

	while (!fg_str_eq(verifier(first), verifier(alg)))
		first++;
	return first;
}

/* Who verifies signatures of which algorithms. */
static void
format_verifiers(struct fg_buf *out)
{
	for (int alg = 0; alg < FG_ALG_COUNT; alg++) {
		if (first_of_verifier(alg) != alg)
			continue;
		fg_buf_printf(out, "%s" FG_STR_FMT ":", alg == 0 ? "" : "; ", FG_STR_ARG(verifier(alg)));
		for (int other = alg; other < FG_ALG_COUNT; other++)
			if (first_of_verifier(other) == alg)
				fg_buf_printf(out, " %s", fg_alg_name((enum fg_alg)other));
	}
}

static void
format_text(struct fg_buf *out)
{
	fg_buf_printf(out, "faregate " PACKAGE_VERSION "\nclient     %s\nredis      %s\nnames      %s\ntokens     ", fg_client_version(),
	    fg_redis_version(), fg_dns_is_built() ? fg_dns_version() : "libcurl");
	format_verifiers(out);
	fg_buf_printf(out, "\nallocator  " FG_ALLOCATOR "\nconfig     %s\n", FG_SYSCONFDIR "/faregate.yaml");
}

static void
add_member(struct fg_buf *out, const char *name, struct fg_str value)
{
	fg_buf_printf(out, "\"%s\":\"", name);
	fg_buf_add_json(out, value);
	fg_buf_add_char(out, '"');
}

static void
format_json(struct fg_buf *out)
{
	fg_buf_add_char(out, '{');
	add_member(out, "version", FG_STR(PACKAGE_VERSION));
	fg_buf_add_char(out, ',');
	add_member(out, "client", fg_str_from(fg_client_version()));
	fg_buf_printf(out, ",\"http2\":%s,", fg_client_has_http2() ? "true" : "false");
	if (fg_dns_is_built()) {
		add_member(out, "dns", fg_str_from(fg_dns_version()));
		fg_buf_add_char(out, ',');
	}
	add_member(out, "redis", fg_str_from(fg_redis_version()));
	fg_buf_printf(out, ",\"redis_tls\":%s,\"tokens\":{", fg_redis_has_tls() ? "true" : "false");
	for (int alg = 0; alg < FG_ALG_COUNT; alg++) {
		fg_buf_add(out, alg == 0 ? FG_STR_NONE : FG_STR(","));
		add_member(out, fg_alg_name((enum fg_alg)alg), verifier(alg));
	}
	fg_buf_add(out, FG_STR("},"));
	add_member(out, "allocator", FG_STR(FG_ALLOCATOR));
	fg_buf_add_char(out, ',');
	add_member(out, "config", FG_STR(FG_SYSCONFDIR "/faregate.yaml"));
	fg_buf_add(out, FG_STR("}\n"));
}

int
fg_cmd_version(int argc, char **argv)
{
	struct fg_options options;
	struct fg_buf out;
	int status;

	if (!fg_options_read(&options, argc, argv, FG_OPTION_JSON, help, &status))
		return status;
	fg_buf_init(&out, MOST_OUTPUT_BYTES);
	if (options.json)
		format_json(&out);
	else
		format_text(&out);
	status = fwrite(out.p, 1, out.len, stdout) == out.len ? FG_EXIT_OK : FG_EXIT_ENVIRONMENT;
	fg_buf_fini(&out);
	return status;
}
