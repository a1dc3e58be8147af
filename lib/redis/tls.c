/* TLS to Redis, by hiredis_ssl where this program was built with it (Debian 12 has none). */
#include <config.h>
#include <hiredis.h>
#ifdef FG_REDIS_TLS
#include <hiredis_ssl.h>
#endif

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

void *
fg_redis_tls_new(const struct fg_redis_options *options, const struct fg_log *log)
{
	redisSSLContextError why = REDIS_SSL_CTX_NONE;
	redisSSLContext *tls;

	redisInitOpenSSL();
	tls = redisCreateSSLContext(options->ca_file, NULL, options->cert_file, options->key_file, NULL, &why);
	if (tls == NULL)
		FG_LOG(log, ERROR, "redis", "TLS to the store cannot be set up", FG_F_CSTR("why", redisSSLContextGetError(why)));
	return tls;
}

void
fg_redis_tls_free(void *tls)
{
	if (tls != NULL)
		redisFreeSSLContext(tls);
}

bool
fg_redis_tls_start(void *tls, struct redisContext *ctx)
{
	return tls != NULL && redisInitiateSSLWithContext(ctx, tls) == REDIS_OK;
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
fg_redis_tls_start(void *tls, struct redisContext *ctx)
{
	(void)tls;
	(void)ctx;
	return false;
}

#endif
