/* Claims that lie in JSON, as core/identity.h wants them. */
#include "filter/authenticator.h"
#include "token/claims.h"

bool
fg_auth_json_claim(const void *source, struct fg_str name, struct fg_arena *arena, struct fg_claim_values *out)
{
	const struct fg_json_node *claim = fg_claim_find(source, name);
	struct fg_str *values;

	if (claim == NULL || claim->type == FG_JSON_NULL || claim->type == FG_JSON_OBJECT)
		return false;
	if (claim->type != FG_JSON_ARRAY) {
		*out = (struct fg_claim_values){&claim->text, 1, false};
		return true;
	}
	values = FG_ARENA_ARRAY(arena, struct fg_str, claim->count);
	*out = (struct fg_claim_values){values, 0, true};
	for (uint32_t i = 0; i < claim->count; i++)
		if (fg_json_is_scalar(&claim->as.children[i]) && claim->as.children[i].type != FG_JSON_NULL)
			values[out->count++] = claim->as.children[i].text;
	return true;
}
