/*
 * What the filter `auth` costs a request with a token: one that was verified before, and one that is verified, for each kind
 * of algorithm; beside the same request on a route that is public.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "support/token_maker.h"

enum { HITS = 200000, MISSES = 5000 };

static const char *const algorithms[] = {"HS256", "RS256", "PS256", "ES256", "EdDSA"};
enum { ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]) };

static struct maker_key *keys[ALGORITHMS];
static char folder[] = "/tmp/fg-bench-token-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		exit(1);
}

static struct fg_config *
load(void)
{
	struct fg_config *config;
	struct fg_buf text, errors;
	char path[128];

	fg_buf_init(&text, 65536);
	fg_buf_init(&errors, 65536);
	fg_buf_printf(&text, "version: 1\nservices: {a: 'http://127.0.0.1:9'}\nauth:\n");
	for (int i = 0; i < ALGORITHMS; i++) {
		char *set = maker_jwks(maker_jwk(keys[i], "\"kid\":\"k\""), NULL, NULL, NULL);

		snprintf(path, sizeof(path), "%s.json", algorithms[i]);
		write_file(path, set);
		free(set);
		for (int cached = 0; cached < 2; cached++)
			fg_buf_printf(&text, "  %s%d: {type: jwt, issuer: 'https://idp.example/', audience: orders, algorithms: %s, "
			    "keys: 'file:%s.json', forward: {X-User: sub, X-Tenant: tenant}%s}\n", algorithms[i], cached, algorithms[i],
			    algorithms[i], cached == 1 ? "" : ", cache: off");
	}
	fg_buf_printf(&text, "routes:\n  public: {path: /public, service: a, auth: none}\n");
	for (int i = 0; i < 2 * ALGORITHMS; i++)
		fg_buf_printf(&text, "  r%d: {path: /%s/%d, service: a, auth: %s%d}\n", i, algorithms[i / 2], i % 2, algorithms[i / 2], i % 2);
	fg_buf_add_char(&text, '\0');
	write_file("f.yaml", text.p);
	snprintf(path, sizeof(path), "%s/f.yaml", folder);
	if (fg_config_load(&config, path, &errors) != FG_OK) {
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
		exit(1);
	}
	fg_buf_fini(&text);
	fg_buf_fini(&errors);
	return config;
}

static double
cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Microseconds of CPU for one decision. */
static double
measure(struct fg_gateway *gw, const char *target, const char *authorization, int times)
{
	const struct fg_param params[] = {{FG_STR("REQUEST_METHOD"), FG_STR("GET")}, {FG_STR("REQUEST_URI"), fg_str_from(target)},
	    {FG_STR("SERVER_PROTOCOL"), FG_STR("HTTP/1.1")}, {FG_STR("REMOTE_ADDR"), FG_STR("192.0.2.7")},
	    {FG_STR("HTTP_HOST"), FG_STR("api.example.com")}, {FG_STR("HTTP_ACCEPT"), FG_STR("application/json")},
	    {FG_STR("HTTP_AUTHORIZATION"), fg_str_from(authorization)}};
	double began = 0;

	for (int i = -10; i < times; i++) {
		struct fg_exchange *x;

		if (i == 0)
			began = cpu_us();
		x = fg_exchange_new_offline(gw, params, FG_ARRAY_LEN(params), NULL);
		fg_exchange_decide(x);
		if (x->terminal != FG_TERMINAL_FORWARD) {
			fprintf(stderr, "bench_token: %s: %s\n", target, fg_err_token(x->reason));
			exit(1);
		}
		fg_exchange_free(x);
	}
	return (cpu_us() - began) / times;
}

int
main(void)
{
	static const char payload[] = "{\"iss\":\"https://idp.example/\",\"aud\":[\"orders\",\"users\"],\"sub\":\"5f1c7a52-9d0b-4b7e\","
	    "\"iat\":1700000000,\"exp\":9999999999,\"jti\":\"b7e2f5c0\",\"scope\":\"orders:read orders:write profile\","
	    "\"tenant\":\"acme\",\"azp\":\"web\",\"roles\":[\"admin\",\"staff\"],\"email\":\"ann@example.com\"}";
	struct fg_log log = {.level = FG_LOG_ERROR};
	struct fg_config *config;
	struct fg_gateway gw;
	struct fg_loop *loop;
	double public;

	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return 1;
	for (int i = 0; i < ALGORITHMS; i++)
		keys[i] = maker_key_new(algorithms[i]);
	config = load();
	loop = fg_loop_new();
	fg_gateway_init(&gw, config, loop, NULL, &log);
	fg_gateway_start_filters(&gw, NULL);
	public = measure(&gw, "/public", "Bearer x", HITS);
	printf("%-8s %8.2f us the whole decision on a public route\n", "public", public);
	for (int i = 0; i < ALGORITHMS; i++) {
		char header[64], target[64], authorization[2048], *token;

		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"k\",\"typ\":\"JWT\"}", algorithms[i]);
		token = maker_token(keys[i], header, payload);
		snprintf(authorization, sizeof(authorization), "Bearer %s", token);
		snprintf(target, sizeof(target), "/%s/1", algorithms[i]);
		printf("%-8s %8.2f us more when it was verified before (%zu bytes)", algorithms[i],
		    measure(&gw, target, authorization, HITS) - public, strlen(token));
		snprintf(target, sizeof(target), "/%s/0", algorithms[i]);
		printf(", %8.2f us when it is verified\n", measure(&gw, target, authorization, MISSES) - public);
		free(token);
		maker_key_free(keys[i]);
	}
	fg_gateway_fini(&gw);
	fg_loop_free(loop);
	fg_config_free(config);
	return 0;
}
