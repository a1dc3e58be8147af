/* Splitting a compact JWS and judging its header, before any key is looked at. */
#include "token/jws.h"

#include <stdlib.h>

#include "token/b64url.h"
#include "token/why.h"

static const struct fg_json_bounds json_bounds = {
    .bytes = FG_MAX_TOKEN_BYTES, .depth = FG_MAX_TOKEN_DEPTH, .nodes = FG_MAX_TOKEN_NODES};

/* JSON within a token: what is wrong with it is a reason of the token's. */
static enum fg_err
read_object(struct fg_json **out, struct fg_str text, const char **why, const char *not_object)
{
	enum fg_err err = fg_json_parse(out, text, &json_bounds, why);

	if (err == FG_ERR_TOO_LARGE)
		return FG_ERR_TOKEN_TOO_LARGE;
	if (err != FG_OK)
		return FG_ERR_TOKEN_MALFORMED;
	if (fg_json_root(*out)->type == FG_JSON_OBJECT)
		return FG_OK;
	fg_json_release(*out);
	*out = NULL;
	return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, not_object);
}

static enum fg_err
split(struct fg_str text, struct fg_str parts[3], const char **why)
{
	struct fg_str rest = text;
	size_t dots = 0;

	for (size_t i = 0; i < text.len; i++)
		dots += text.p[i] == '.';
	if (dots == 4)
		return fg_refuse(FG_ERR_TOKEN_ENCRYPTED, why, "five parts: an encrypted token (JWE)");
	if (dots != 2)
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "not three parts divided by dots");
	for (size_t i = 0; i < 3; i++) {
		size_t dot = fg_str_find(rest, '.');

		parts[i] = fg_str_slice(rest, 0, dot);
		rest = fg_str_slice(rest, dot + 1, rest.len);
	}
	return parts[0].len == 0 ? fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "no header") : FG_OK;
}

/* Members that no token is taken with, whatever their value. */
static const struct {
	struct fg_str name;
	enum fg_err err;
	const char *why;
} refused[] = {
    {FG_STR_INIT("jku"), FG_ERR_TOKEN_KEY_URL, "the header says where to fetch keys (jku)"},
    {FG_STR_INIT("x5u"), FG_ERR_TOKEN_KEY_URL, "the header says where to fetch a certificate (x5u)"},
    {FG_STR_INIT("jwk"), FG_ERR_TOKEN_KEY_EMBEDDED, "the header brings a key (jwk)"},
    {FG_STR_INIT("x5c"), FG_ERR_TOKEN_KEY_EMBEDDED, "the header brings a certificate (x5c)"},
    {FG_STR_INIT("crit"), FG_ERR_TOKEN_CRITICAL_UNKNOWN, "the header demands an extension (crit)"},
    {FG_STR_INIT("b64"), FG_ERR_TOKEN_CRITICAL_UNKNOWN, "the header demands an unencoded payload (b64)"},
    {FG_STR_INIT("enc"), FG_ERR_TOKEN_ENCRYPTED, "the header is that of an encrypted token (enc)"},
    {FG_STR_INIT("zip"), FG_ERR_TOKEN_ENCRYPTED, "the header says that the payload is compressed (zip)"},
};

static bool
is_text_or_absent(const struct fg_json_node *header, struct fg_str name)
{
	const struct fg_json_node *member = fg_json_member(header, name);

	return member == NULL || member->type == FG_JSON_STRING;
}

static enum fg_err
judge_header(struct fg_jws *jws, const char **why)
{
	const struct fg_json_node *header = fg_json_root(jws->header);
	struct fg_str alg = fg_json_string(header, FG_STR("alg"));

	for (size_t i = 0; i < FG_ARRAY_LEN(refused); i++)
		if (fg_json_member(header, refused[i].name) != NULL)
			return fg_refuse(refused[i].err, why, refused[i].why);
	if (alg.p == NULL)
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "the header has no alg");
	if (fg_str_ieq(alg, FG_STR("none")))
		return fg_refuse(FG_ERR_TOKEN_ALGORITHM_REFUSED, why, "the token is not signed (alg is none)");
	if (!fg_alg_parse(&jws->alg, alg))
		return fg_refuse(FG_ERR_TOKEN_ALGORITHM_REFUSED, why, "the header's alg is not known");
	if (!is_text_or_absent(header, FG_STR("kid")) || !is_text_or_absent(header, FG_STR("typ")))
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "the header's kid or typ is not a string");
	jws->kid = fg_json_string(header, FG_STR("kid"));
	jws->typ = fg_json_string(header, FG_STR("typ"));
	return FG_OK;
}

static enum fg_err
read_header(struct fg_jws *jws, struct fg_str part, const char **why)
{
	enum fg_err err;

	if (!fg_b64url_decode((uint8_t *)jws->memory, part))
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "the header is not canonical base64url");
	err = read_object(&jws->header, (struct fg_str){jws->memory, fg_b64url_decoded_size(part.len)}, why,
	    "the header is not a JSON object");
	return err == FG_OK ? judge_header(jws, why) : err;
}

static enum fg_err
read_payload(struct fg_jws *jws, struct fg_str part, const char **why)
{
	if (!fg_b64url_decode((uint8_t *)jws->memory, part))
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "the payload is not canonical base64url");
	jws->payload = (struct fg_str){jws->memory, fg_b64url_decoded_size(part.len)};
	return FG_OK;
}

static enum fg_err
read_signature(struct fg_jws *jws, struct fg_str part, const char **why)
{
	if (part.len == 0)
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "no signature");
	jws->signature_len = fg_b64url_decoded_size(part.len);
	if (jws->signature_len > sizeof(jws->signature))
		return fg_refuse(FG_ERR_TOKEN_TOO_LARGE, why, "the signature is longer than that of any key taken");
	if (!fg_b64url_decode(jws->signature, part))
		return fg_refuse(FG_ERR_TOKEN_MALFORMED, why, "the signature is not canonical base64url");
	return FG_OK;
}

enum fg_err
fg_jws_parse(struct fg_jws *jws, struct fg_str text, const char **why)
{
	struct fg_str parts[3];
	enum fg_err err;

	if (text.len > FG_MAX_TOKEN_BYTES)
		return fg_refuse(FG_ERR_TOKEN_TOO_LARGE, why, "the token is too long");
	err = split(text, parts, why);
	if (err != FG_OK)
		return err;
	/* Not cleared whole: the signature's room is large. */
	jws->text = text;
	jws->signed_part = fg_str_slice(text, 0, parts[0].len + 1 + parts[1].len);
	jws->kid = jws->typ = jws->payload = FG_STR_NONE;
	jws->header = jws->claims = NULL;
	jws->signature_len = 0;
	/* One after the other, header and payload are decoded here. */
	jws->memory = malloc(text.len);
	FG_ASSERT(jws->memory != NULL);
	err = read_header(jws, parts[0], why);
	if (err == FG_OK)
		err = read_payload(jws, parts[1], why);
	if (err == FG_OK)
		err = read_signature(jws, parts[2], why);
	if (err != FG_OK)
		fg_jws_fini(jws);
	return err;
}

void
fg_jws_fini(struct fg_jws *jws)
{
	fg_json_release(jws->header);
	fg_json_release(jws->claims);
	free(jws->memory);
	jws->header = jws->claims = NULL;
	jws->memory = NULL;
}

enum fg_err
fg_jws_read_claims(struct fg_jws *jws, const char **why)
{
	if (jws->claims != NULL)
		return FG_OK;
	return read_object(&jws->claims, jws->payload, why, "the payload is not a JSON object");
}

struct fg_str
fg_jws_issuer(struct fg_jws *jws)
{
	if (fg_jws_read_claims(jws, NULL) != FG_OK)
		return FG_STR_NONE;
	return fg_json_string(fg_json_root(jws->claims), FG_STR("iss"));
}
