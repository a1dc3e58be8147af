/* Who is calling: access to claims wherever they lie. */
#include "core/identity.h"

bool
fg_identity_claim(const struct fg_identity *identity, struct fg_str name, struct fg_arena *arena,
    struct fg_claim_values *out)
{
	if (identity == NULL || identity->claims.find == NULL)
		return false;
	return identity->claims.find(identity->claims.source, name, arena, out);
}
