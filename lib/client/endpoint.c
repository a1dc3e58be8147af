/* Endpoints: where a call goes, read from the configuration once and given to every easy handle made for it. */
#include <curl/curl.h>

#include "base/ip.h"
#include "client/client_internal.h"

/*
 * libcurl 7.88 puts HTTP/2 on a cleartext connection anew for each request: the second one on it is lost. There each
 * request has a connection of its own.
 */
static bool
has_broken_h2c(void)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return version >= 0x075800 && version < 0x080000;
}

/*
 * Whether it is to be resolved. What ends in a number is an address, or nothing: libcurl reads a few more forms of one than we
 * do ("127.1", "0x7f000001").
 */
static bool
is_name(struct fg_str host)
{
	struct fg_ip ip;
	size_t at = host.len;

	if (at > 0 && host.p[at - 1] == '.')
		at--;
	while (at > 0 && host.p[at - 1] != '.')
		at--;
	return !fg_ip_parse(&ip, host) && host.len > at && !(host.p[at] >= '0' && host.p[at] <= '9');
}

/* Reads where it is. */
static enum fg_err
read_url(struct fg_endpoint *endpoint, const struct fg_endpoint_spec *spec, struct fg_arena *arena)
{
	static const struct fg_str http = FG_STR_INIT("http://"), https = FG_STR_INIT("https://"), local = FG_STR_INIT("unix:");
	struct fg_str host, port, name, scheme;
	uint64_t number;

	if (fg_str_starts_with(spec->url, local)) {
		endpoint->unix_path = fg_arena_cstr(arena, fg_str_slice(spec->url, local.len, spec->url.len));
		endpoint->url = "http://localhost/";
		return endpoint->unix_path[0] == '/' ? FG_OK : FG_ERR_SYNTAX;
	}
	endpoint->tls = fg_str_starts_with(spec->url, https);
	if (!endpoint->tls && !fg_str_starts_with(spec->url, http))
		return FG_ERR_SYNTAX;
	scheme = endpoint->tls ? https : http;
	port = endpoint->tls ? FG_STR("443") : FG_STR("80");
	if (!fg_host_port_split(fg_str_slice(spec->url, scheme.len, spec->url.len), &host, &port))
		return FG_ERR_SYNTAX;
	name = host;
	if (is_name(host) && fg_str_to_u64(port, &number) && number <= 65535) {
		endpoint->name = fg_arena_str(arena, host);
		endpoint->port = (unsigned)number;
	}
	if (endpoint->tls && spec->tls_name.len > 0) {
		if (!fg_is_host_name(spec->tls_name))
			return FG_ERR_SYNTAX;
		/* libcurl verifies the name in the URL; where it connects to is said apart from it. */
		name = spec->tls_name;
		endpoint->connect_to = FG_ARENA_NEW(arena, struct curl_slist);
		endpoint->connect_to->data = fg_arena_cstr(arena, FG_ARENA_CONCAT(arena, FG_STR("::"), host, FG_STR(":"), port));
	}
	endpoint->url = fg_arena_cstr(arena, FG_ARENA_CONCAT(arena, scheme, name, FG_STR(":"), port, FG_STR("/")));
	return FG_OK;
}

enum fg_err
fg_endpoint_new(struct fg_endpoint **out, const struct fg_endpoint_spec *spec, struct fg_arena *arena)
{
	struct fg_endpoint *endpoint = FG_ARENA_NEW(arena, struct fg_endpoint);
	enum fg_err err = read_url(endpoint, spec, arena);

	FG_ASSERT(spec->connect_timeout > 0);
	if (err != FG_OK)
		return err;
	endpoint->version = spec->version;
	endpoint->serves_once = spec->version == FG_HTTP_2 && !endpoint->tls && has_broken_h2c();
	endpoint->connect_timeout = spec->connect_timeout;
	endpoint->verify = spec->verify;
	if (spec->ca_file != NULL)
		endpoint->ca_file = fg_arena_cstr(arena, fg_str_from(spec->ca_file));
	if (spec->cert_file != NULL)
		endpoint->cert_file = fg_arena_cstr(arena, fg_str_from(spec->cert_file));
	if (spec->key_file != NULL)
		endpoint->key_file = fg_arena_cstr(arena, fg_str_from(spec->key_file));
	*out = endpoint;
	return FG_OK;
}

static long
http_version(const struct fg_endpoint *endpoint)
{
	if (endpoint->version == FG_HTTP_1_1)
		return CURL_HTTP_VERSION_1_1;
	return endpoint->tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

static void
apply_tls(const struct fg_endpoint *endpoint, void *easy)
{
	FG_EASY_SET(easy, CURLOPT_SSL_VERIFYPEER, endpoint->verify ? 1L : 0L);
	FG_EASY_SET(easy, CURLOPT_SSL_VERIFYHOST, endpoint->verify ? 2L : 0L);
	if (endpoint->ca_file != NULL) {
		FG_EASY_SET(easy, CURLOPT_CAINFO, endpoint->ca_file);
		FG_EASY_SET(easy, CURLOPT_CAPATH, NULL);
	}
	if (endpoint->cert_file != NULL) {
		FG_EASY_SET(easy, CURLOPT_SSLCERT, endpoint->cert_file);
		if (endpoint->key_file != NULL)
			FG_EASY_SET(easy, CURLOPT_SSLKEY, endpoint->key_file);
		/* A key with a passphrase is refused; without this OpenSSL would ask for it at the terminal. */
		FG_EASY_SET(easy, CURLOPT_KEYPASSWD, "");
	}
	if (endpoint->connect_to != NULL)
		FG_EASY_SET(easy, CURLOPT_CONNECT_TO, endpoint->connect_to);
}

void *
fg_endpoint_apply(const struct fg_endpoint *endpoint, void *easy)
{
	CURLU *url = curl_url();

	FG_ASSERT(url != NULL && curl_url_set(url, CURLUPART_URL, endpoint->url, 0) == CURLUE_OK);
	FG_EASY_SET(easy, CURLOPT_CURLU, url);
	FG_EASY_SET(easy, CURLOPT_HTTP_VERSION, http_version(endpoint));
	if (endpoint->unix_path != NULL)
		FG_EASY_SET(easy, CURLOPT_UNIX_SOCKET_PATH, endpoint->unix_path);
	if (endpoint->serves_once) {
		FG_EASY_SET(easy, CURLOPT_FRESH_CONNECT, 1L);
		FG_EASY_SET(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	FG_EASY_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)((endpoint->connect_timeout + FG_US_PER_MS - 1) / FG_US_PER_MS));
	if (endpoint->tls)
		apply_tls(endpoint, easy);
	return url;
}
