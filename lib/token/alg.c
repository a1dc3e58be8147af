/* The table of algorithms as data, and who verifies which. */
#include "token/alg.h"

#include <config.h>
#include <openssl/opensslv.h>

#include "base/assert.h"
#include "token/verify.h"

static const struct {
	struct fg_str name;
	enum fg_alg_family family;
	unsigned hash_bits;
} algs[FG_ALG_COUNT] = {
#define FG_ALG_ROW(symbol, name, family, hash) [FG_ALG_##symbol] = {FG_STR_INIT(name), FG_ALG_FAMILY_##family, hash},
    FG_ALG_TABLE(FG_ALG_ROW)
#undef FG_ALG_ROW
};

bool
fg_alg_parse(enum fg_alg *out, struct fg_str name)
{
	for (unsigned i = 0; i < FG_ALG_COUNT; i++) {
		if (fg_str_eq(algs[i].name, name)) {
			*out = (enum fg_alg)i;
			return true;
		}
	}
	return false;
}

const char *
fg_alg_name(enum fg_alg alg)
{
	FG_ASSERT((unsigned)alg < FG_ALG_COUNT);
	return algs[alg].name.p;
}

enum fg_alg_family
fg_alg_family(enum fg_alg alg)
{
	FG_ASSERT((unsigned)alg < FG_ALG_COUNT);
	return algs[alg].family;
}

unsigned
fg_alg_hash_bits(enum fg_alg alg)
{
	FG_ASSERT((unsigned)alg < FG_ALG_COUNT);
	return algs[alg].hash_bits;
}

const char *
fg_jws_who_verifies(enum fg_alg alg)
{
#ifdef FG_JWT_VERSION
	if (fg_libjwt_takes(alg))
		return "OpenSSL " OPENSSL_VERSION_STR " and libjwt " FG_JWT_VERSION;
#else
	FG_ASSERT((unsigned)alg < FG_ALG_COUNT);
#endif
	return "OpenSSL " OPENSSL_VERSION_STR;
}
