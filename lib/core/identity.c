/* Who is calling: access to claims wherever they lie. */
#include "core/identity.h"

#include "core/config.h"

static bool
find_attribute(const struct fg_consumer *consumer, struct fg_str name, struct fg_claim_values *out)
{
	for (size_t i = 0; consumer != NULL && i < consumer->attribute_count; i++) {
		if (!fg_str_eq(consumer->attributes[i].name, name))
			continue;
		*out = (struct fg_claim_values){&consumer->attributes[i].value, 1};
		return true;
	}
	return false;
}

bool
fg_identity_claim(const struct fg_identity *identity, struct fg_str name, struct fg_arena *arena,
    struct fg_claim_values *out)
{
	if (identity == NULL)
		return false;
	if (identity->claims.find != NULL && identity->claims.find(identity->claims.source, name, arena, out))
		return true;
	return find_attribute(identity->attributes, name, out);
}
