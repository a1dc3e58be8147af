/* TLS to Redis, by hiredis_ssl where this program was built with it (Debian 12 has none). */
#include <config.h>
#include <hiredis.h>
#ifdef FG_REDIS_TLS
#include <hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#include "base/ip.h"
#include "redis/redis_internal.h"

bool
fg_redis_has_tls(void)
{
#ifdef FG_REDIS_TLS
	return true;
#else
	return false;
#endif
}

const char *
fg_redis_version(void)
{
#define FG_TEXT(x) #x
#define FG_DOTTED(a, b, c) FG_TEXT(a) "." FG_TEXT(b) "." FG_TEXT(c)
#define FG_HIREDIS "hiredis/" FG_DOTTED(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH)
#ifdef FG_REDIS_TLS
	return FG_HIREDIS;
#else
	return FG_HIREDIS " (no TLS)";
#endif
}

#ifdef FG_REDIS_TLS

static bool
load_files(SSL_CTX *tls, const struct fg_redis_options *options)
{
	if (options->ca_file == NULL ? SSL_CTX_set_default_verify_paths(tls) != 1 :
	        SSL_CTX_load_verify_locations(tls, options->ca_file, NULL) != 1)
		return false;
	return options->cert_file == NULL || (SSL_CTX_use_certificate_chain_file(tls, options->cert_file) == 1 &&
	    SSL_CTX_use_PrivateKey_file(tls, options->key_file, SSL_FILETYPE_PEM) == 1);
}

/* hiredis's own context would verify the chain and not the name. */
void *
fg_redis_tls_new(const struct fg_redis_options *options, const struct fg_log *log)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	FG_ASSERT(tls != NULL);
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	if (load_files(tls, options))
		return tls;
	FG_LOG(log, ERROR, "redis", "the certificates for TLS to the store cannot be used",
	    FG_F_CSTR("why", ERR_reason_error_string(ERR_get_error())));
	SSL_CTX_free(tls);
	return NULL;
}

void
fg_redis_tls_free(void *tls)
{
	SSL_CTX_free(tls);
}

bool
fg_redis_tls_start(void *tls, struct redisContext *ctx, const struct fg_redis_where *where)
{
	SSL *ssl = tls == NULL ? NULL : SSL_new(tls);
	struct fg_ip ip;
	bool is_named;

	if (ssl == NULL)
		return false;
	is_named = !fg_ip_parse(&ip, fg_str_from(where->host));
	if ((is_named ? SSL_set1_host(ssl, where->host) == 1 && SSL_set_tlsext_host_name(ssl, where->host) == 1 :
	                X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), where->host) == 1) &&
	    redisInitiateSSL(ctx, ssl) == REDIS_OK)
		return true;
	SSL_free(ssl);
	return false;
}

#else

void *
fg_redis_tls_new(const struct fg_redis_options *options, const struct fg_log *log)
{
	(void)options;
	(void)log;
	return NULL;
}

void
fg_redis_tls_free(void *tls)
{
	FG_ASSERT(tls == NULL);
}

bool
fg_redis_tls_start(void *tls, struct redisContext *ctx, const struct fg_redis_where *where)
{
	(void)tls;
	(void)ctx;
	(void)where;
	return false;
}

#endif
