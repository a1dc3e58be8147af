/* The registered claims of RFC 7519 §4.1 against the rules of a provider, and the way to any other. */
#include "token/claims.h"
#include "token/why.h"

/* 9999-12-31T23:59:59Z: beyond it, microseconds and formatting still have room, and nobody means it. */
static const int64_t last_second = INT64_C(253402300799);

bool
fg_claim_time(const struct fg_json_node *claims, struct fg_str name, fg_usec *out, bool *present)
{
	const struct fg_json_node *claim = fg_json_member(claims, name);

	*present = claim != NULL;
	if (claim == NULL)
		return true;
	if (claim->type == FG_JSON_INTEGER && claim->as.integer >= 0 && claim->as.integer <= last_second)
		*out = claim->as.integer * FG_US_PER_S;
	else if (claim->type == FG_JSON_REAL && claim->as.real >= 0 && claim->as.real <= (double)last_second)
		*out = (fg_usec)(claim->as.real * FG_US_PER_S);
	else
		return false;
	return true;
}

static enum fg_err
check_issuer(const struct fg_json_node *claims, const struct fg_claim_rules *rules, const char **why)
{
	const struct fg_json_node *iss = fg_json_member(claims, FG_STR("iss"));

	if (iss != NULL && iss->type != FG_JSON_STRING)
		return fg_refuse(FG_ERR_TOKEN_CLAIM_INVALID, why, "iss is not a string");
	if (rules->issuer.p == NULL)
		return FG_OK;
	if (iss == NULL)
		return fg_refuse(FG_ERR_TOKEN_ISSUER_UNKNOWN, why, "no iss");
	if (!fg_str_eq(iss->text, rules->issuer))
		return fg_refuse(FG_ERR_TOKEN_ISSUER_UNKNOWN, why, "iss is another");
	return FG_OK;
}

static enum fg_err
check_audience(const struct fg_json_node *claims, const struct fg_claim_rules *rules, const char **why)
{
	const struct fg_json_node *aud = fg_json_member(claims, FG_STR("aud"));

	if (aud != NULL && aud->type != FG_JSON_STRING && aud->type != FG_JSON_ARRAY)
		return fg_refuse(FG_ERR_TOKEN_CLAIM_INVALID, why, "aud is neither a string nor an array");
	for (uint32_t i = 0; aud != NULL && aud->type == FG_JSON_ARRAY && i < aud->count; i++)
		if (aud->as.children[i].type != FG_JSON_STRING)
			return fg_refuse(FG_ERR_TOKEN_CLAIM_INVALID, why, "aud has an element that is not a string");
	if (rules->audience_count == 0)
		return FG_OK;
	for (size_t i = 0; i < rules->audience_count; i++)
		if (fg_claim_has(aud, rules->audiences[i]))
			return FG_OK;
	return fg_refuse(FG_ERR_TOKEN_AUDIENCE_WRONG, why, aud == NULL ? "no aud" : "aud has none of those accepted");
}

static enum fg_err
check_times(const struct fg_json_node *claims, const struct fg_claim_rules *rules, fg_usec now, fg_usec *expires,
    const char **why)
{
	fg_usec exp = 0, nbf = 0, iat = 0;
	bool has_exp, has_nbf, has_iat;

	if (!fg_claim_time(claims, FG_STR("exp"), &exp, &has_exp) || !fg_claim_time(claims, FG_STR("nbf"), &nbf, &has_nbf) ||
	    !fg_claim_time(claims, FG_STR("iat"), &iat, &has_iat))
		return fg_refuse(FG_ERR_TOKEN_CLAIM_INVALID, why, "exp, nbf or iat is not a time");
	if (!has_exp && !rules->exp_optional)
		return fg_refuse(FG_ERR_TOKEN_CLAIM_MISSING, why, "no exp");
	*expires = has_exp ? exp + rules->leeway : FG_NEVER;
	if (*expires <= now)
		return fg_refuse(FG_ERR_TOKEN_EXPIRED, why, "exp is past");
	if (has_nbf && nbf > now + rules->leeway)
		return fg_refuse(FG_ERR_TOKEN_NOT_YET_VALID, why, "nbf is yet to come");
	if (has_iat && iat > now + rules->leeway)
		return fg_refuse(FG_ERR_TOKEN_NOT_YET_VALID, why, "iat is in the future");
	return FG_OK;
}

enum fg_err
fg_claims_check(const struct fg_json_node *claims, const struct fg_claim_rules *rules, fg_usec now, fg_usec *expires,
    const char **why)
{
	enum fg_err err = check_issuer(claims, rules, why);

	if (err == FG_OK)
		err = check_audience(claims, rules, why);
	if (err == FG_OK)
		err = check_times(claims, rules, now, expires, why);
	for (size_t i = 0; err == FG_OK && i < rules->required_count; i++) {
		const struct fg_json_node *claim = fg_claim_find(claims, rules->required[i]);

		if (claim == NULL || claim->type == FG_JSON_NULL)
			err = fg_refuse(FG_ERR_TOKEN_CLAIM_MISSING, why, "a required claim is missing");
	}
	return err;
}

/* RFC 7515 §4.1.9: "application/" may be left out of a type that has no other '/'. */
static struct fg_str
short_type(struct fg_str typ)
{
	const struct fg_str prefix = FG_STR("application/");
	struct fg_str rest = fg_str_slice(typ, prefix.len, typ.len);

	if (!fg_str_ieq(fg_str_slice(typ, 0, prefix.len), prefix) || fg_str_find(rest, '/') < rest.len)
		return typ;
	return rest;
}

enum fg_err
fg_claims_check_typ(struct fg_str typ, struct fg_str wanted)
{
	if (wanted.p == NULL)
		return FG_OK;
	return typ.p != NULL && fg_str_ieq(short_type(typ), short_type(wanted)) ? FG_OK : FG_ERR_TOKEN_TYPE_WRONG;
}

/* The member with the longest name that path is, or begins with, a dot behind it; *rest is what follows the dot. */
static const struct fg_json_node *
longest_member(const struct fg_json_node *object, struct fg_str path, struct fg_str *rest)
{
	const struct fg_json_node *best = NULL;

	for (uint32_t i = 0; i < object->count; i++) {
		const struct fg_json_node *member = &object->as.children[i];

		if (best != NULL && member->name.len <= best->name.len)
			continue;
		if (fg_str_starts_with(path, member->name) &&
		    (member->name.len == path.len || path.p[member->name.len] == '.'))
			best = member;
	}
	if (best != NULL)
		*rest = fg_str_slice(path, best->name.len + 1, path.len);
	return best;
}

const struct fg_json_node *
fg_claim_find(const struct fg_json_node *claims, struct fg_str path)
{
	const struct fg_json_node *node = claims;
	struct fg_str rest = path;

	while (node != NULL && rest.len > 0) {
		if (node->type != FG_JSON_OBJECT)
			return NULL;
		node = longest_member(node, rest, &rest);
	}
	return path.len == 0 ? NULL : node;
}

struct fg_str
fg_claim_text(const struct fg_json_node *claim)
{
	if (claim == NULL || claim->type == FG_JSON_NULL || !fg_json_is_scalar(claim))
		return FG_STR_NONE;
	return claim->text;
}

static bool
is_value(const struct fg_json_node *claim, struct fg_str value)
{
	struct fg_str text = fg_claim_text(claim);

	return text.p != NULL && fg_str_eq(text, value);
}

bool
fg_claim_has(const struct fg_json_node *claim, struct fg_str value)
{
	if (claim == NULL || claim->type != FG_JSON_ARRAY)
		return is_value(claim, value);
	for (uint32_t i = 0; i < claim->count; i++)
		if (is_value(&claim->as.children[i], value))
			return true;
	return false;
}

bool
fg_claim_has_word(const struct fg_json_node *claim, struct fg_str word)
{
	struct fg_str rest, item;

	if (claim == NULL || claim->type != FG_JSON_STRING)
		return fg_claim_has(claim, word);
	rest = claim->text;
	while (fg_str_next(&rest, ' ', &item))
		if (item.len > 0 && fg_str_eq(item, word))
			return true;
	return false;
}
