/*
 * Client certificates, verified by the web server and told to the gateway: lighttpd's mod_openssl and Apache's mod_ssl, with the lines
 * that the policy's page has.
 */
#include <unistd.h>

#include "e2e/e2e.h"

static struct bed bed;
static struct played *service;
static const struct front *fronts[3]; /* lighttpd, apache; NULL behind them */

static const struct played_part parts[] = {{NULL, say_echo, false}};

/* NAME.pem and NAME.key in the bed: a certificate that vouches for itself. */
static void
make_certificate(const char *name)
{
	char subject[64], pem[BED_PATH_BYTES], key[BED_PATH_BYTES], *out;

	snprintf(subject, sizeof(subject), "/O=Example/CN=%s", name);
	snprintf(pem, sizeof(pem), "%s/%s.pem", bed.dir, name);
	snprintf(key, sizeof(key), "%s/%s.key", bed.dir, name);
	if (bed_run(&bed, &out, (const char *[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
	        "-nodes", "-days", "2", "-subj", subject, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", pem,
	        NULL}) != 0)
		bed_give_up("openssl: %s", out);
	free(out);
}

static void
start_lighttpd(void)
{
	char extra[1024];

	snprintf(extra, sizeof(extra),
	    "server.modules += ( \"mod_openssl\" )\n"
	    "ssl.engine = \"enable\"\n"
	    "ssl.pemfile = \"%s/server.pem\"\n"
	    "ssl.privkey = \"%s/server.key\"\n"
	    "ssl.ca-file = \"%s/printer-7.pem\"\n"
	    "ssl.verifyclient.activate = \"enable\"\n"
	    "ssl.verifyclient.enforce = \"disable\"\n"
	    "ssl.verifyclient.exportcert = \"enable\"\n",
	    bed.dir, bed.dir, bed.dir);
	fronts[0] = bed_start_front(&bed, FRONT_LIGHTTPD, "/", extra);
}

static void
start_apache(void)
{
	char extra[1024];

	snprintf(extra, sizeof(extra),
	    "\tSSLEngine on\n"
	    "\tSSLCertificateFile %s/server.pem\n"
	    "\tSSLCertificateKeyFile %s/server.key\n"
	    "\tSSLCACertificateFile %s/printer-7.pem\n"
	    "\tSSLVerifyClient optional\n"
	    "\tSSLOptions +StdEnvVars +ExportCertData\n",
	    bed.dir, bed.dir, bed.dir);
	fronts[1] = bed_start_front(&bed, FRONT_APACHE, "/", extra);
}

static int
init(void)
{
	bed_open(&bed);
	make_certificate("server");
	make_certificate("printer-7");
	make_certificate("stranger");
	service = played_start(parts);
	bed_write_config(&bed,
	    "services:\n  a: http://127.0.0.1:%d\n"
	    "auth:\n"
	    "  machines: {type: client-certificate, from: lighttpd, forward: {X-Machine: common-name, X-Issuer: issuer}}\n"
	    "  others: {type: client-certificate, from: apache, subjects: 'CN=printer-8,O=Example'}\n"
	    "routes:\n"
	    "  machines: {path: /machines/*, service: a, auth: machines}\n"
	    "  others: {path: /others/*, service: a, auth: others}\n",
	    played_port(service));
	bed_start_pool(&bed, NULL);
	start_lighttpd();
	start_apache();
	return 0;
}

static int
cleanup(void)
{
	bool good = bed_close(&bed);

	played_stop(service);
	return !good;
}

/*
 * What curl gets, with the status behind it; name: of the certificate that is shown, NULL: none; claim: a header that says SUCCESS.
 * The caller frees it.
 */
static char *
fetch_claiming(const struct front *front, const char *path, const char *name, const char *claim)
{
	char url[128], pem[BED_PATH_BYTES] = "", key[BED_PATH_BYTES] = "", *out;
	const char *const argv[] = {"curl", "-sk", "-w", "\nstatus %{http_code}\n", "-H", claim, "-H", "X-Machine: root", url,
	    name == NULL ? NULL : "--cert", pem, "--key", key, NULL};

	snprintf(url, sizeof(url), "https://127.0.0.1:%d%s", front->port, path);
	snprintf(pem, sizeof(pem), "%s/%s.pem", bed.dir, name == NULL ? "" : name);
	snprintf(key, sizeof(key), "%s/%s.key", bed.dir, name == NULL ? "" : name);
	(void)bed_run(&bed, &out, argv);
	return out;
}

static char *
fetch(const struct front *front, const char *path, const char *name)
{
	return fetch_claiming(front, path, name, "SSL-Client-Verify: SUCCESS");
}

static void
expect(const struct front *front, const char *path, const char *name, const char *text)
{
	char *out = fetch(front, path, name);

	if (strstr(out, text) == NULL)
		fprintf(stderr, "e2e: no \"%s\" in: %s\n", text, out);
	CHECK(front, strstr(out, text) != NULL);
	CHECK(front, strstr(out, "root") == NULL);
	free(out);
}

static void
who_shows_a_certificate_is_known(void)
{
	for (size_t i = 0; fronts[i] != NULL; i++) {
		expect(fronts[i], "/machines/x", "printer-7", "\nstatus 200\n");
		expect(fronts[i], "/machines/x", "printer-7", "\r\nX-Machine: printer-7\r\n");
		expect(fronts[i], "/machines/x", "printer-7", "\r\nX-Issuer: CN=printer-7,O=Example\r\n");
		expect(fronts[i], "/others/x", "printer-7", "urn:faregate:certificate_refused");
	}
}

/* Whatever it claims itself. */
static void
who_shows_none_is_not(void)
{
	static const char *const claims[] = {"SSL-Client-Verify: SUCCESS", "SSL_CLIENT_VERIFY: SUCCESS", "ssl_client_verify: SUCCESS",
	    "HTTP-SSL-Client-Verify: SUCCESS"};

	for (size_t i = 0; fronts[i] != NULL; i++)
		for (size_t k = 0; k < sizeof(claims) / sizeof(claims[0]); k++) {
			char *out = fetch_claiming(fronts[i], "/machines/x", NULL, claims[k]);

			CHECK(fronts[i], strstr(out, "urn:faregate:certificate_missing") != NULL);
			CHECK(fronts[i], strstr(out, "\nstatus 401\n") != NULL);
			free(out);
		}
}

/* lighttpd lets it through with `enforce` off, and says so; Apache breaks off the handshake. */
static void
who_shows_one_that_is_not_trusted_is_not(void)
{
	for (size_t i = 0; fronts[i] != NULL; i++) {
		char *out = fetch(fronts[i], "/machines/x", "stranger");

		CHECK(fronts[i], strstr(out, "status 200") == NULL);
		free(out);
	}
}

void
suite_certificate(void)
{
	CU_pSuite suite = add_suite("client certificates", init, cleanup);

	ADD_SCENE(suite, who_shows_a_certificate_is_known);
	ADD_SCENE(suite, who_shows_none_is_not);
	ADD_SCENE(suite, who_shows_one_that_is_not_trusted_is_not);
}
