/*
 * What a token costs, by CPU time of this process: a hit of the cache, a miss (parse, verify, check, keep) for each algorithm,
 * and where a miss's time goes. The token has the claims of a common identity provider; its length is shown.
 *
 *   bench_token                 the table
 *   bench_token ALG hit|miss N  N times one of them and nothing else, for callgrind
 *   bench_token ALG write PATH  PATH.jwks and PATH.token, good for a day from now on, for a gateway that is measured
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/token_maker.h"
#include "token/api_key.h"
#include "token/token_cache.h"
#include "token/verify.h"

#define NOW_S 1795550400

/* Issued and good from the first two on, until the third. */
#define PAYLOAD_FORMAT \
	"{\"iss\":\"https://idp.example.com/realms/shop\",\"aud\":[\"orders-api\",\"account\"],\"sub\":\"f1f7b3c2-6d0c-4f0e-9a4e-" \
	"2b3d5c1a7e90\",\"typ\":\"Bearer\",\"azp\":\"web\",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld,\"jti\":\"0b9f\"," \
	"\"realm_access\":{\"roles\":[\"user\",\"offline_access\"]},\"scope\":\"openid profile orders:read orders:write\",\"tenant\":" \
	"\"acme\",\"email_verified\":true,\"preferred_username\":\"wilma\"}"

struct bench {
	struct fg_key_set *keys;
	struct fg_token_rules rules;
	struct fg_token_cache *cache;
	struct fg_clock now;
	char *text;
};

static const struct fg_str audiences[] = {FG_STR_INIT("orders-api")};

/* Both are the caller's to free. */
static void
make_token(const char *alg, long long from_s, long long for_s, char **jwks, char **token)
{
	struct maker_key *key = maker_key_new(alg);
	char header[128], payload[sizeof(PAYLOAD_FORMAT) + 64];

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"2026-11\"}", alg);
	snprintf(payload, sizeof(payload), PAYLOAD_FORMAT, from_s, from_s, from_s + for_s);
	*jwks = maker_jwks(maker_jwk(key, "\"kid\":\"2026-11\",\"use\":\"sig\""), NULL, NULL, NULL);
	*token = maker_token(key, header, payload);
	maker_key_free(key);
}

static void
bench_open(struct bench *bench, const char *alg)
{
	struct fg_key_report report;
	char *jwks, *token;

	make_token(alg, NOW_S, 3600, &jwks, &token);

	*bench = (struct bench){.now = {.mono = 1, .wall = (fg_usec)NOW_S * FG_US_PER_S},
	    .rules = {.algorithms = FG_ALGS_ALL, .claims = {.issuer = FG_STR("https://idp.example.com/realms/shop"),
	        .audiences = audiences, .audience_count = 1, .leeway = 30 * FG_US_PER_S}}};
	if (fg_key_set_from_jwks(&bench->keys, fg_str_from(jwks), &report) != FG_OK)
		abort();
	free(jwks);
	bench->text = token;
	bench->cache = fg_token_cache_new(1024, 4 * 1024 * 1024, 300 * (fg_usec)FG_US_PER_S);
}

static void
bench_close(struct bench *bench)
{
	fg_token_cache_free(bench->cache);
	fg_key_set_release(bench->keys);
	free(bench->text);
}

static void
miss(struct bench *bench)
{
	struct fg_str text = fg_str_from(bench->text);
	struct fg_token *token;
	struct fg_jws jws;

	if (fg_jws_parse(&jws, text, NULL) != FG_OK ||
	    fg_token_verify(&token, &jws, bench->keys, &bench->rules, bench->now.wall, NULL) != FG_OK)
		abort();
	fg_token_cache_put(bench->cache, text, 1, bench->keys, token, &bench->now);
	fg_token_release(token);
	fg_jws_fini(&jws);
}

static void
hit(struct bench *bench)
{
	struct fg_token *token = fg_token_cache_get(bench->cache, fg_str_from(bench->text), 1, bench->keys, &bench->now);

	if (token == NULL)
		abort();
	fg_token_release(token);
}

static void
parse_only(struct bench *bench)
{
	struct fg_jws jws;

	if (fg_jws_parse(&jws, fg_str_from(bench->text), NULL) != FG_OK || fg_jws_read_claims(&jws, NULL) != FG_OK)
		abort();
	fg_jws_fini(&jws);
}

static double
cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Microseconds of CPU each. */
static double
measure(void (*fn)(struct bench *), struct bench *bench, unsigned times)
{
	double from;

	fn(bench);
	from = cpu_us();
	for (unsigned i = 0; i < times; i++)
		fn(bench);
	return (cpu_us() - from) / times;
}

/* One verdict alone, by either library. */
static double
measure_verdict(enum fg_verdict (*fn)(const struct fg_jws *, const struct fg_key *), struct bench *bench, unsigned times)
{
	struct fg_jws jws;
	double from, spent;

	if (fg_jws_parse(&jws, fg_str_from(bench->text), NULL) != FG_OK || fg_jws_read_claims(&jws, NULL) != FG_OK)
		abort();
	from = cpu_us();
	for (unsigned i = 0; i < times; i++)
		if (fn(&jws, fg_key_set_at(bench->keys, 0)) != FG_VERDICT_GOOD)
			abort();
	spent = cpu_us() - from;
	fg_jws_fini(&jws);
	return spent / times;
}

static void
table(void)
{
	static const char *const algs[] = {"HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"};
	struct fg_api_key_hash hash;
	double from;

	printf("%-6s %6s %8s %8s %8s %10s %10s  %s\n", "alg", "bytes", "hit us", "miss us", "parse us", "OpenSSL us", "libjwt us",
	    "verified by");
	for (size_t i = 0; i < FG_ARRAY_LEN(algs); i++) {
		struct bench bench;
		enum fg_alg alg;

		bench_open(&bench, algs[i]);
		if (!fg_alg_parse(&alg, fg_str_from(algs[i])))
			abort();
		printf("%-6s %6zu %8.2f", algs[i], strlen(bench.text), (miss(&bench), measure(hit, &bench, 200000)));
		printf(" %8.1f %8.1f %10.1f", measure(miss, &bench, 2000), measure(parse_only, &bench, 10000),
		    measure_verdict(fg_verify_by_openssl, &bench, 2000));
		if (fg_libjwt_takes(alg))
			printf(" %10.1f", measure_verdict(fg_verify_by_libjwt, &bench, 2000));
		else
			printf(" %10s", "-");
		printf("  %s\n", fg_jws_who_verifies(alg));
		bench_close(&bench);
	}
	from = cpu_us();
	for (unsigned i = 0; i < 100000; i++)
		fg_api_key_hash(&hash, FG_STR("fg_AbCdEfGh_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg3v0jXF"));
	printf("hash of an API key: %.2f us\n", (cpu_us() - from) / 100000);
}

static void
write_text(const char *path, const char *suffix, const char *text)
{
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s.%s", path, suffix);
	file = fopen(name, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
		perror(name);
		exit(1);
	}
}

static void
write_token(const char *alg, const char *path)
{
	char *jwks, *token;

	make_token(alg, (long long)time(NULL), 24 * 3600, &jwks, &token);
	write_text(path, "jwks", jwks);
	write_text(path, "token", token);
	free(jwks);
	free(token);
}

int
main(int argc, char **argv)
{
	struct bench bench;

	if (argc == 1) {
		table();
		return 0;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: bench_token [ALG hit N | ALG miss N | ALG write PATH]\n");
		return 2;
	}
	if (strcmp(argv[2], "write") == 0) {
		write_token(argv[1], argv[3]);
		return 0;
	}
	bench_open(&bench, argv[1]);
	miss(&bench);
	for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
		(strcmp(argv[2], "hit") == 0 ? hit : miss)(&bench);
	bench_close(&bench);
	return 0;
}
