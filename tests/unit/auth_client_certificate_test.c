/* lib/token/certificate, lib/core/client_certificate, lib/filter/auth_client_certificate. */
#include <stdio.h>
#include <stdlib.h>

#include "core/client_certificate.h"
#include "core/identity.h"
#include "support/token_maker.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

/* CN=printer-7,O=Example with one name of each kind; O=Exämple, Inc with two CNs and two DNS names. Made for this test. */
static const char printer[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB1zCCAX2gAwIBAgICGiswCgYIKoZIzj0EAwIwJjEQMA4GA1UECgwHRXhhbXBs\n"
    "ZTESMBAGA1UEAwwJcHJpbnRlci03MCAXDTI2MTEyNTAzMjcxNloYDzIxMjYxMTAx\n"
    "MDMyNzE2WjAmMRAwDgYDVQQKDAdFeGFtcGxlMRIwEAYDVQQDDAlwcmludGVyLTcw\n"
    "WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASM9IlidGzNEj4SO5xgseoubsXWo3HS\n"
    "mHChokhCQFZmLaX/j6nfo3N4nQ7W0VnWKIMqHX2yOUnCpT4xK+YYmYLAo4GYMIGV\n"
    "MB0GA1UdDgQWBBQFdffww1mXVsVIV6SqDPVuavs2yjAfBgNVHSMEGDAWgBQFdffw\n"
    "w1mXVsVIV6SqDPVuavs2yjAPBgNVHRMBAf8EBTADAQH/MEIGA1UdEQQ7MDmCEXBy\n"
    "aW50ZXItNy5leGFtcGxlgQ9vcHNAZXhhbXBsZS5jb22GE3NwaWZmZTovL2V4YW1w\n"
    "bGUvcDcwCgYIKoZIzj0EAwIDSAAwRQIhAI9LQNQwbmkXPRZRSxYhmRCp1DdUadKN\n"
    "Rq2y2j+shTSsAiBdLmnKe/27d32QZXQ+ViMXAbR20sU4NgUld3JL/A8qNQ==\n"
    "-----END CERTIFICATE-----\n";
static const char several[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBxDCCAWugAwIBAgIBBzAKBggqhkjOPQQDAjAwMRYwFAYDVQQKDA1FeMOkbXBs\n"
    "ZSwgSW5jMQowCAYDVQQDDAFhMQowCAYDVQQDDAFiMCAXDTI2MTEyNTAzMjcxNloY\n"
    "DzIxMjYxMTAxMDMyNzE2WjAwMRYwFAYDVQQKDA1FeMOkbXBsZSwgSW5jMQowCAYD\n"
    "VQQDDAFhMQowCAYDVQQDDAFiMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjPSJ\n"
    "YnRszRI+EjucYLHqLm7F1qNx0phwoaJIQkBWZi2l/4+p36NzeJ0O1tFZ1iiDKh19\n"
    "sjlJwqU+MSvmGJmCwKN0MHIwHQYDVR0OBBYEFAV19/DDWZdWxUhXpKoM9W5q+zbK\n"
    "MB8GA1UdIwQYMBaAFAV19/DDWZdWxUhXpKoM9W5q+zbKMA8GA1UdEwEB/wQFMAMB\n"
    "Af8wHwYDVR0RBBgwFoIJYS5leGFtcGxlggliLmV4YW1wbGUwCgYIKoZIzj0EAwID\n"
    "RwAwRAIfAd8M/0R3IBs8Pi6/yjWdEAurQAsdC/zfRH55FT31rgIhAOzgVShQ9EB4\n"
    "XaHNzit/mpGh+xKyhpMkLaJVRyXsn+c0\n"
    "-----END CERTIFICATE-----\n";
#define PRINTER_HASH "a8065860ad8c039960d506edc73c33569722739d42290bf48116eee3f4e2b81e"
#define PRINTER_THUMBPRINT "qAZYYK2MA5lg1QbtxzwzVpcic51CKQv0gRbu4_TiuB4"

/* ---- certificates */

static void
a_certificate_is_read(void)
{
	struct fg_certificate c;
	struct fg_arena arena;
	uint8_t hash[FG_CERTIFICATE_HASH_BYTES];

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	CU_ASSERT_EQUAL_FATAL(fg_certificate_parse(&c, fg_str_from(printer), &arena), FG_OK);
	ASSERT_STR(c.subject, "CN=printer-7,O=Example");
	ASSERT_STR(c.issuer, "CN=printer-7,O=Example");
	ASSERT_STR(c.common_name, "printer-7");
	ASSERT_STR(c.serial, "1A2B");
	CU_ASSERT_FATAL(c.dns_count == 1 && c.email_count == 1 && c.uri_count == 1);
	ASSERT_STR(c.dns[0], "printer-7.example");
	ASSERT_STR(c.email[0], "ops@example.com");
	ASSERT_STR(c.uri[0], "spiffe://example/p7");
	CU_ASSERT(fg_certificate_hash_parse(hash, FG_STR("sha256:" PRINTER_HASH)));
	CU_ASSERT(memcmp(hash, c.sha256, sizeof(hash)) == 0);
	CU_ASSERT_EQUAL_FATAL(fg_certificate_parse(&c, fg_str_from(several), &arena), FG_OK);
	ASSERT_STR(c.subject, "CN=b,CN=a,O=Exämple\\, Inc");
	ASSERT_STR(c.common_name, "");
	CU_ASSERT_EQUAL(c.dns_count, 2);
	fg_arena_fini(&arena);
}

/* nginx, and whoever copies it, puts a certificate into one line. */
static void
line_ends_may_be_spaces(void)
{
	struct fg_certificate c;
	struct fg_arena arena;
	char line[sizeof(printer)];

	for (size_t i = 0; i < sizeof(printer); i++)
		line[i] = printer[i] == '\n' ? ' ' : printer[i];
	fg_arena_init(&arena, 1 << 20, NULL, 0);
	CU_ASSERT_EQUAL_FATAL(fg_certificate_parse(&c, fg_str_from(line), &arena), FG_OK);
	ASSERT_STR(c.common_name, "printer-7");
	fg_arena_fini(&arena);
}

static void
what_is_no_certificate_is_refused(void)
{
	static char large[20000];
	struct fg_certificate c;
	struct fg_arena arena;

	fg_arena_init(&arena, 1 << 20, NULL, 0);
	memcpy(large, printer, sizeof(printer));
	memset(large + sizeof(printer) - 1, 'x', sizeof(large) - sizeof(printer));
	CU_ASSERT_EQUAL(fg_certificate_parse(&c, FG_STR_NONE, &arena), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(fg_certificate_parse(&c, FG_STR("(null)"), &arena), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(fg_certificate_parse(&c, FG_STR("-----BEGIN CERTIFICATE-----"), &arena), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(fg_certificate_parse(&c, FG_STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &arena),
	    FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(fg_certificate_parse(&c, (struct fg_str){printer, 200}, &arena), FG_ERR_SYNTAX);
	CU_ASSERT_EQUAL(fg_certificate_parse(&c, fg_str_from(large), &arena), FG_ERR_SYNTAX);
	fg_arena_fini(&arena);
}

static void
fingerprints(void)
{
	uint8_t hash[FG_CERTIFICATE_HASH_BYTES];
	char colons[7 + 3 * FG_CERTIFICATE_HASH_BYTES] = "sha256:";

	for (size_t i = 0; i < FG_CERTIFICATE_HASH_BYTES; i++)
		snprintf(colons + 7 + 3 * i, 4, i + 1 < FG_CERTIFICATE_HASH_BYTES ? "%.2s:" : "%.2s", PRINTER_HASH + 2 * i);
	CU_ASSERT_FATAL(fg_certificate_hash_parse(hash, fg_str_from(colons)));
	CU_ASSERT(hash[0] == 0xa8 && hash[31] == 0x1e);
	colons[9] = '.';
	CU_ASSERT(!fg_certificate_hash_parse(hash, fg_str_from(colons)));
	CU_ASSERT(!fg_certificate_hash_parse(hash, FG_STR(PRINTER_HASH)));
	CU_ASSERT(!fg_certificate_hash_parse(hash, FG_STR("sha256:")));
	CU_ASSERT(!fg_certificate_hash_parse(hash, FG_STR("sha256:" PRINTER_HASH "00")));
}

/* ---- decisions */

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "auth:\n"
    "  any: {type: client-certificate, from: apache, forward: {X-Machine: common-name, X-Names: dns}}\n"
    "  subject: {type: client-certificate, from: lighttpd, subjects: 'CN=printer-7,O=Example', consumer: subject}\n"
    "  other-subject: {type: client-certificate, from: apache, subjects: ['CN=printer-70,O=Example', 'CN=printer-7']}\n"
    "  other-issuer: {type: client-certificate, from: apache, issuers: CN=CA}\n"
    "  pinned: {type: client-certificate, from: apache, fingerprints: 'sha256:" PRINTER_HASH "', consumer: uri}\n"
    "  other-pin: {type: client-certificate, from: apache, fingerprints: 'sha256:b8" "065860ad8c039960d506edc73c33569722739d42290bf48116eee3f4e2b81e'}\n"
    "  bound: {type: jwt, issuer: me, audience: any, algorithms: HS256, keys: 0123456789abcdef0123456789abcdef, bind-certificate: apache}\n"
    "routes:\n"
    "  bound: {path: /bound, service: a, auth: bound}\n"
    "  any: {path: /any, service: a, auth: any}\n"
    "  subject: {path: /subject, service: a, auth: subject}\n"
    "  other-subject: {path: /other-subject, service: a, auth: other-subject}\n"
    "  other-issuer: {path: /other-issuer, service: a, auth: other-issuer}\n"
    "  pinned: {path: /pinned, service: a, auth: pinned}\n"
    "  other-pin: {path: /other-pin, service: a, auth: other-pin}\n";

static int
set_up(void)
{
	return scene_set_up_with(yaml);
}

static struct fg_exchange *
shows(const char *target, const char *verify, const char *pem)
{
	scene_asks("GET", target);
	if (verify != NULL)
		scene_with("SSL_CLIENT_VERIFY", verify);
	if (pem != NULL)
		scene_with("SSL_CLIENT_CERT", pem);
	return scene_decided();
}

static void
expect(const char *target, const char *verify, const char *pem, enum fg_err reason)
{
	struct fg_exchange *x = shows(target, verify, pem);

	if (x->reason != reason)
		fprintf(stderr, "%s: %s\n", target, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	fg_exchange_free(x);
}

static void
each_certificate_is_judged(void)
{
	expect("/any", "SUCCESS", printer, FG_OK);
	expect("/any", NULL, NULL, FG_ERR_CERTIFICATE_MISSING);
	expect("/any", "NONE", NULL, FG_ERR_CERTIFICATE_MISSING);
	expect("/any", NULL, printer, FG_ERR_CERTIFICATE_MISSING);
	expect("/any", "FAILED:certificate has expired", printer, FG_ERR_CERTIFICATE_INVALID);
	expect("/any", "GENEROUS", printer, FG_ERR_CERTIFICATE_INVALID);
	expect("/any", "success", printer, FG_ERR_CERTIFICATE_INVALID);
	expect("/any", "SUCCESS", NULL, FG_ERR_CERTIFICATE_INVALID);
	expect("/any", "SUCCESS", "(null)", FG_ERR_CERTIFICATE_INVALID);
	expect("/any", "SUCCESS", several, FG_ERR_CERTIFICATE_REFUSED); /* two CNs */
	expect("/subject", "SUCCESS", printer, FG_OK);
	expect("/subject", "SUCCESS", several, FG_ERR_CERTIFICATE_REFUSED);
	expect("/other-subject", "SUCCESS", printer, FG_ERR_CERTIFICATE_REFUSED);
	expect("/other-issuer", "SUCCESS", printer, FG_ERR_CERTIFICATE_REFUSED);
	expect("/pinned", "SUCCESS", printer, FG_OK);
	expect("/other-pin", "SUCCESS", printer, FG_ERR_CERTIFICATE_REFUSED);
}

static void
headers_of_the_client_are_no_certificate(void)
{
	static const char *const verify[] = {"HTTP_SSL_CLIENT_VERIFY", "HTTP_X_SSL_CLIENT_VERIFY"};

	for (size_t i = 0; i < 2; i++) {
		struct fg_exchange *x;

		scene_asks("GET", "/any");
		scene_with(verify[i], "SUCCESS");
		scene_with("HTTP_SSL_CLIENT_CERT", "-----BEGIN CERTIFICATE-----");
		x = scene_decided();
		CU_ASSERT_EQUAL(x->reason, FG_ERR_CERTIFICATE_MISSING);
		fg_exchange_free(x);
	}
}

static void
the_service_learns_whose_it_is(void)
{
	struct fg_claim_values values;
	struct fg_exchange *x = shows("/any", "SUCCESS", printer);

	scene_expect_header(x, "X-Machine", "printer-7");
	scene_expect_header(x, "X-Names", "printer-7.example");
	ASSERT_STR(x->identity->consumer, "printer-7");
	ASSERT_STR(x->identity->credential, "sha256:a8065860ad8c0399");
	CU_ASSERT_FATAL(fg_identity_claim(x->identity, FG_STR("fingerprint"), &x->arena, &values));
	ASSERT_STR(values.v[0], "sha256:" PRINTER_HASH);
	CU_ASSERT(!fg_identity_claim(x->identity, FG_STR("sub"), &x->arena, &values));
	fg_exchange_free(x);
	x = shows("/pinned", "SUCCESS", printer);
	ASSERT_STR(x->identity->consumer, "spiffe://example/p7");
	fg_exchange_free(x);
}

/* RFC 8705 §3.1. */
static void
tokens_are_bound_to_certificates(void)
{
	struct fg_exchange *x = shows("/any", "SUCCESS", printer);

	CU_ASSERT_EQUAL(fg_client_certificate_check_binding(x, FG_STR(PRINTER_THUMBPRINT)), FG_OK);
	CU_ASSERT_EQUAL(fg_client_certificate_check_binding(x, FG_STR(PRINTER_THUMBPRINT "=")), FG_ERR_TOKEN_NOT_BOUND);
	CU_ASSERT_EQUAL(fg_client_certificate_check_binding(x, FG_STR_NONE), FG_ERR_TOKEN_NOT_BOUND);
	fg_exchange_free(x);
	x = shows("/any", "SUCCESS", several);
	CU_ASSERT_EQUAL(fg_client_certificate_check_binding(x, FG_STR(PRINTER_THUMBPRINT)), FG_ERR_TOKEN_NOT_BOUND);
	fg_exchange_free(x);
	x = shows("/any", "NONE", NULL);
	CU_ASSERT_EQUAL(fg_client_certificate_check_binding(x, FG_STR(PRINTER_THUMBPRINT)), FG_ERR_CERTIFICATE_MISSING);
	fg_exchange_free(x);
}

static void
expect_token(const char *payload, const char *verify, const char *pem, enum fg_err reason)
{
	struct maker_key *maker = maker_key_from_secret("HS256", "0123456789abcdef0123456789abcdef", 32);
	char *token = maker_token(maker, "{\"alg\":\"HS256\"}", payload), header[1024];
	struct fg_exchange *x;

	snprintf(header, sizeof(header), "Bearer %s", token);
	for (int i = 0; i < 2; i++) { /* verified, then found again */
		scene_asks("GET", "/bound");
		scene_with("HTTP_AUTHORIZATION", header);
		scene_with("SSL_CLIENT_VERIFY", verify);
		scene_with("SSL_CLIENT_CERT", pem);
		x = scene_decided();
		if (x->reason != reason)
			fprintf(stderr, "%s: %s\n", payload, fg_err_token(x->reason));
		CU_ASSERT_EQUAL(x->reason, reason);
		fg_exchange_free(x);
	}
	free(token);
	maker_key_free(maker);
}

static void
a_bound_token_needs_its_certificate(void)
{
	static const char bound[] = "{\"iss\":\"me\",\"sub\":\"ann\",\"exp\":4000000000,\"cnf\":{\"x5t#S256\":\"" PRINTER_THUMBPRINT "\"}}";
	static const char loose[] = "{\"iss\":\"me\",\"sub\":\"ann\",\"exp\":4000000000}";

	expect_token(bound, "SUCCESS", printer, FG_OK);
	expect_token(bound, "SUCCESS", several, FG_ERR_TOKEN_NOT_BOUND);
	expect_token(bound, "NONE", "", FG_ERR_CERTIFICATE_MISSING);
	expect_token(bound, "FAILED:expired", printer, FG_ERR_CERTIFICATE_INVALID);
	expect_token(loose, "SUCCESS", printer, FG_ERR_TOKEN_NOT_BOUND);
}

static void
what_cannot_be_meant_is_refused(void)
{
	EXPECT_ERRORS("version: 1\nauth: {a: {type: client-certificate}}\n", "f:2:8: auth.a: from is missing\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: client-certificate, from: apache, fingerprints: abc}}\n",
	    "f:2:66: auth.a.fingerprints: expected sha256: and 64 hexadecimal digits\n");
}

void
suite_auth_client_certificate(void)
{
	CU_pSuite suite = CU_add_suite("auth_client_certificate", set_up, scene_tear_down);

	ADD_TEST(suite, a_certificate_is_read);
	ADD_TEST(suite, line_ends_may_be_spaces);
	ADD_TEST(suite, what_is_no_certificate_is_refused);
	ADD_TEST(suite, fingerprints);
	ADD_TEST(suite, each_certificate_is_judged);
	ADD_TEST(suite, headers_of_the_client_are_no_certificate);
	ADD_TEST(suite, the_service_learns_whose_it_is);
	ADD_TEST(suite, tokens_are_bound_to_certificates);
	ADD_TEST(suite, a_bound_token_needs_its_certificate);
	suite = CU_add_suite("auth_client_certificate_config", config_folder_make, config_folder_remove);
	ADD_TEST(suite, what_cannot_be_meant_is_refused);
}
