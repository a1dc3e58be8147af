/* What a limit comes to for one request: which numbers hold, whose record it is, what it costs. */
#include "core/exchange.h"
#include "core/identity.h"
#include "core/limit_policy.h"

void
fg_limit_policy_each_var(const struct fg_limit_policy *policy, void (*fn)(void *arg, const struct fg_var *var), void *arg)
{
	for (size_t i = 0; i < policy->by_count; i++)
		fn(arg, &policy->by[i]);
	if (policy->cost_var != NULL)
		fn(arg, policy->cost_var);
	for (size_t i = 0; i < policy->override_count; i++)
		fn(arg, &policy->overrides[i].var);
}

/* One subscriber has a whole /64 and may change addresses within it as often as it likes. */
static struct fg_str
address_key(const struct fg_ip *ip, struct fg_arena *arena)
{
	static const uint8_t v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	size_t len = memcmp(ip->bytes, v4, sizeof(v4)) == 0 ? sizeof(ip->bytes) : 8;

	return fg_arena_str(arena, (struct fg_str){(const char *)ip->bytes, len});
}

static struct fg_limit_part
part_of_address(struct fg_exchange *x)
{
	if (!x->req.peer_known)
		return (struct fg_limit_part){.kind = FG_VAR_IP, .value = x->req.client_text};
	return (struct fg_limit_part){.kind = FG_VAR_IP, .value = address_key(&x->req.client_ip, &x->arena)};
}

/* What may be a secret is not shown. */
static struct fg_str
shown_value(const struct fg_var *var, struct fg_str value, struct fg_arena *arena)
{
	if (var->kind != FG_VAR_HEADER && var->kind != FG_VAR_COOKIE)
		return fg_str_slice(value, 0, 100);
	return fg_arena_printf(arena, "(%zu bytes)", value.len);
}

static void
make_parts(const struct fg_limit_policy *policy, struct fg_exchange *x, struct fg_limit_part *parts, struct fg_str *by)
{
	struct fg_str said = FG_STR_NONE;

	for (size_t i = 0; i < policy->by_count; i++) {
		const struct fg_var *var = &policy->by[i];
		struct fg_str value = FG_STR_NONE;
		bool is_there = var->kind != FG_VAR_IP && fg_var_get(var, x, &value) && value.len > 0;

		if (is_there)
			parts[i] = (struct fg_limit_part){var->kind, var->name, value};
		else
			parts[i] = part_of_address(x);
		if (by == NULL)
			continue;
		said = FG_ARENA_CONCAT(&x->arena, said, i == 0 ? FG_STR_NONE : FG_STR(", "), fg_var_format(var, &x->arena), FG_STR("="),
		    is_there ? shown_value(var, value, &x->arena) : x->req.client_text,
		    is_there || var->kind == FG_VAR_IP ? FG_STR_NONE : FG_STR(" (absent: the address)"));
	}
	if (by != NULL)
		*by = said;
}

static bool
is_number(struct fg_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return text.len > 0;
}

/* A number too large to be read costs more than any limit has. */
static int64_t
cost_of(const struct fg_limit_policy *policy, struct fg_exchange *x)
{
	struct fg_str text;
	uint64_t cost;

	if (policy->cost_var == NULL)
		return policy->cost;
	if (!fg_var_get(policy->cost_var, x, &text) || !is_number(text))
		return 1;
	return !fg_str_to_u64(text, &cost) || cost > FG_LIMIT_MAX_COUNT ? FG_LIMIT_MAX_COUNT + 1 : (int64_t)cost;
}

/* Of a claim that is a list, any of its elements. */
static bool
has_value(const struct fg_var *var, struct fg_exchange *x, struct fg_str wanted)
{
	struct fg_claim_values values;
	struct fg_str value;

	if (var->kind != FG_VAR_CLAIM)
		return fg_var_get(var, x, &value) && fg_str_eq(value, wanted);
	if (!fg_identity_claim(x->identity, var->name, &x->arena, &values))
		return false;
	for (size_t i = 0; i < values.count; i++)
		if (fg_str_eq(values.v[i], wanted))
			return true;
	return false;
}

static const struct fg_limit_override *
find_override(const struct fg_limit_policy *policy, struct fg_exchange *x)
{
	for (size_t i = 0; i < policy->override_count; i++) {
		const struct fg_limit_override *override = &policy->overrides[i];

		if (has_value(&override->var, x, override->value))
			return override;
	}
	return NULL;
}

void
fg_limit_policy_ask(const struct fg_limit_policy *policy, struct fg_exchange *x, bool with_tag, struct fg_limit_ask *ask,
    struct fg_str *by)
{
	const struct fg_limit_override *override = find_override(policy, x);
	struct fg_limit_part parts[FG_MAX_LIMIT_PARTS];

	make_parts(policy, x, parts, by);
	*ask = (struct fg_limit_ask){.limit = override != NULL ? &override->limit : &policy->limit, .is_observed = policy->is_observed};
	ask->cost = cost_of(policy, x);
	fg_limit_key_make(&ask->key, override != NULL ? override->id : policy->id, parts, policy->by_count,
	    with_tag, &x->arena);
}

void
fg_limit_policy_key(const struct fg_limit_policy *policy, const uint8_t id[FG_LIMIT_ID_BYTES], const struct fg_str *values,
    struct fg_limit_key *key, struct fg_arena *arena)
{
	struct fg_limit_part parts[FG_MAX_LIMIT_PARTS];
	struct fg_ip ip;

	for (size_t i = 0; i < policy->by_count; i++) {
		parts[i] = (struct fg_limit_part){policy->by[i].kind, policy->by[i].name, values[i]};
		if (policy->by[i].kind == FG_VAR_IP && fg_ip_parse(&ip, values[i]))
			parts[i].value = address_key(&ip, arena);
	}
	fg_limit_key_make(key, id, parts, policy->by_count, true, arena);
}
