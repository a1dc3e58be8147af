/* Sets of keys: gathered from a JWK Set, PEM or a secret, given an identity, counted. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "token/key_internal.h"
#include "token/sha256.h"

static void
report_clear(struct fg_key_report *report)
{
	*report = (struct fg_key_report){.usable = 0};
}

/* The first that is wrong is kept. number: of the key, from 1; 0: about the text as a whole. */
static void
report_say(struct fg_key_report *report, size_t number, struct fg_str kid, const char *text)
{
	if (report->message[0] != '\0')
		return;
	if (number == 0)
		snprintf(report->message, sizeof(report->message), "%s", text);
	else if (kid.len > 0)
		snprintf(report->message, sizeof(report->message), "key %zu (kid %.32s): %s", number, kid.p, text);
	else
		snprintf(report->message, sizeof(report->message), "key %zu: %s", number, text);
}

static struct fg_key_set *
set_new(size_t room)
{
	struct fg_key_set *set = calloc(1, sizeof(*set) + room * sizeof(set->keys[0]));

	FG_ASSERT(set != NULL);
	set->refs = 1;
	return set;
}

/* Each part has one length or says its own, so different keys never give the same bytes. */
static void
identify(struct fg_key *key)
{
	struct fg_buf all;
	uint32_t algorithms = key->algorithms;

	fg_buf_init(&all, FG_MAX_KEY_SET_BYTES + 256);
	fg_buf_append(&all, key->thumbprint, sizeof(key->thumbprint));
	fg_buf_append(&all, &algorithms, sizeof(algorithms));
	fg_buf_add_char(&all, key->kid.p != NULL);
	fg_buf_add(&all, key->kid);
	FG_ASSERT(!all.failed);
	fg_sha256(key->id.bytes, all.p, all.len);
	fg_buf_fini(&all);
}

/* Notes what became of the key that lies behind the last one of the set; number: of the key in the text. */
static void
set_note(struct fg_key_set *set, enum fg_key_fate fate, size_t number, struct fg_str kid, const struct fg_key_why *why,
    struct fg_key_report *report)
{
	switch (fate) {
	case FG_KEY_TAKEN:
		identify(&set->keys[set->count++]);
		report->usable++;
		return;
	case FG_KEY_SKIPPED:
		report->skipped++;
		break;
	case FG_KEY_REFUSED:
		report->refused++;
		break;
	}
	report_say(report, number, kid, why->text);
}

/* Gives the set out, or frees it when nothing is in it. */
static enum fg_err
set_finish(struct fg_key_set *set, struct fg_key_set **out, struct fg_key_report *report)
{
	struct fg_key_id *ids;

	if (set->count == 0) {
		report_say(report, 0, FG_STR_NONE, "no key that could verify a token");
		fg_key_set_release(set);
		return FG_ERR_SYNTAX;
	}
	ids = malloc(set->count * sizeof(*ids));
	FG_ASSERT(ids != NULL);
	for (size_t i = 0; i < set->count; i++)
		ids[i] = set->keys[i].id;
	fg_sha256(set->id.bytes, ids, set->count * sizeof(*ids));
	free(ids);
	*out = set;
	return FG_OK;
}

/* ---- JWK Set */

static enum fg_err
gather_jwks(struct fg_key_set **out, const struct fg_json_node *keys, size_t count, struct fg_key_report *report)
{
	struct fg_key_set *set;

	if (count > FG_MAX_KEYS) {
		report_say(report, 0, FG_STR_NONE, "more keys than are taken");
		return FG_ERR_TOO_LARGE;
	}
	set = set_new(count);
	for (size_t i = 0; i < count; i++) {
		struct fg_key_why why = {.text = ""};
		bool has_private;
		enum fg_key_fate fate = fg_key_from_jwk(&set->keys[set->count], &keys[i], &has_private, &why);

		report->with_private += has_private;
		set_note(set, fate, i + 1, fg_json_string(&keys[i], FG_STR("kid")), &why, report);
	}
	return set_finish(set, out, report);
}

enum fg_err
fg_key_set_from_jwks(struct fg_key_set **out, struct fg_str json, struct fg_key_report *report)
{
	static const struct fg_json_bounds bounds = {
	    .bytes = FG_MAX_KEY_SET_BYTES, .depth = FG_MAX_KEY_SET_DEPTH, .nodes = FG_MAX_KEY_SET_NODES};
	const struct fg_json_node *root, *keys;
	struct fg_json *doc;
	const char *why = "";
	enum fg_err err;

	*out = NULL;
	report_clear(report);
	err = fg_json_parse(&doc, json, &bounds, &why);
	if (err != FG_OK) {
		report_say(report, 0, FG_STR_NONE, why);
		return err;
	}
	root = fg_json_root(doc);
	keys = fg_json_member(root, FG_STR("keys"));
	if (keys != NULL && keys->type == FG_JSON_ARRAY) {
		err = gather_jwks(out, keys->as.children, keys->count, report);
	} else if (fg_json_member(root, FG_STR("kty")) != NULL) {
		err = gather_jwks(out, root, 1, report);
	} else {
		report_say(report, 0, FG_STR_NONE, "neither a JWK Set (\"keys\") nor a JWK (\"kty\")");
		err = FG_ERR_SYNTAX;
	}
	fg_json_release(doc);
	return err;
}

/* ---- PEM */

static EVP_PKEY *
pkey_of_certificate(const unsigned char *der, long len)
{
	X509 *cert = d2i_X509(NULL, &der, len);
	EVP_PKEY *pkey = cert == NULL ? NULL : X509_get_pubkey(cert);

	X509_free(cert);
	return pkey;
}

/* One block of PEM, by its name. */
static enum fg_key_fate
read_block(struct fg_key *key, const char *name, const unsigned char *der, long len, struct fg_key_why *why)
{
	if (strcmp(name, PEM_STRING_PUBLIC) == 0)
		return fg_key_from_pkey(key, d2i_PUBKEY(NULL, &der, len), why);
	if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0)
		return fg_key_from_pkey(key, d2i_PublicKey(EVP_PKEY_RSA, NULL, &der, len), why);
	if (strcmp(name, PEM_STRING_X509) == 0)
		return fg_key_from_pkey(key, pkey_of_certificate(der, len), why);
	if (strstr(name, "PRIVATE KEY") != NULL) {
		fg_key_say(why, "a private key; the public key is enough, and all that belongs here");
		return FG_KEY_REFUSED;
	}
	fg_key_say(why, "neither a public key nor a certificate");
	return FG_KEY_SKIPPED;
}

enum fg_err
fg_key_set_from_pem(struct fg_key_set **out, struct fg_str pem, struct fg_key_report *report)
{
	char *name, *header;
	unsigned char *der;
	struct fg_key_set *set;
	size_t number = 0;
	long len;
	BIO *bio;

	*out = NULL;
	report_clear(report);
	if (pem.len > FG_MAX_KEY_SET_BYTES) {
		report_say(report, 0, FG_STR_NONE, "the text is too long");
		return FG_ERR_TOO_LARGE;
	}
	/* One more than may be, to see that there is one more. */
	set = set_new(FG_MAX_KEYS + 1);
	bio = BIO_new_mem_buf(pem.len == 0 ? "" : pem.p, (int)pem.len);
	FG_ASSERT(bio != NULL);
	while (set->count <= FG_MAX_KEYS && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
		struct fg_key_why why = {.text = ""};
		enum fg_key_fate fate = read_block(&set->keys[set->count], name, der, len, &why);

		set_note(set, fate, ++number, FG_STR_NONE, &why, report);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)len);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (set->count > FG_MAX_KEYS) {
		report_clear(report);
		report_say(report, 0, FG_STR_NONE, "more keys than are taken");
		fg_key_set_release(set);
		return FG_ERR_TOO_LARGE;
	}
	return set_finish(set, out, report);
}

/* ---- a secret */

enum fg_err
fg_key_set_from_secret(struct fg_key_set **out, struct fg_str secret, fg_alg_set algs, struct fg_key_report *report)
{
	fg_alg_set too_short = algs & FG_ALGS_HMAC & ~fg_key_hmac_algorithms(secret.len);
	struct fg_key_set *set;

	*out = NULL;
	report_clear(report);
	if (secret.len > FG_MAX_SECRET_BYTES) {
		report_say(report, 0, FG_STR_NONE, "the secret is too long");
		return FG_ERR_TOO_LARGE;
	}
	for (enum fg_alg alg = 0; alg < FG_ALG_COUNT; alg++) {
		if ((too_short & 1u << alg) == 0)
			continue;
		report->refused = 1;
		snprintf(report->message, sizeof(report->message),
		    "the secret has %zu bytes; %s takes at least %u (RFC 7518 section 3.2)", secret.len, fg_alg_name(alg),
		    fg_alg_hash_bits(alg) / 8);
		return FG_ERR_SYNTAX;
	}
	if ((algs & FG_ALGS_HMAC) == 0) {
		report_say(report, 0, FG_STR_NONE, "a secret verifies HS256, HS384 and HS512 alone");
		return FG_ERR_SYNTAX;
	}
	set = set_new(1);
	fg_key_from_secret(&set->keys[0], secret);
	set->keys[0].algorithms &= algs;
	set_note(set, FG_KEY_TAKEN, 1, FG_STR_NONE, NULL, report);
	return set_finish(set, out, report);
}

enum fg_err
fg_key_set_from_text(struct fg_key_set **out, struct fg_str text, struct fg_key_report *report)
{
	static const char begin[] = "-----BEGIN";

	if (text.len > 0 && memmem(text.p, text.len, begin, sizeof(begin) - 1) != NULL)
		return fg_key_set_from_pem(out, text, report);
	return fg_key_set_from_jwks(out, text, report);
}

/* ---- the set */

struct fg_key_set *
fg_key_set_hold(struct fg_key_set *set)
{
	set->refs++;
	return set;
}

void
fg_key_set_release(struct fg_key_set *set)
{
	if (set == NULL)
		return;
	FG_ASSERT(set->refs > 0);
	if (--set->refs > 0)
		return;
	for (size_t i = 0; i < set->count; i++)
		fg_key_fini(&set->keys[i]);
	free(set);
}

const struct fg_key_id *
fg_key_set_id(const struct fg_key_set *set)
{
	return &set->id;
}

bool
fg_key_id_eq(const struct fg_key_id *a, const struct fg_key_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
fg_key_set_has(const struct fg_key_set *set, const struct fg_key_id *key)
{
	for (size_t i = 0; i < set->count; i++)
		if (fg_key_id_eq(&set->keys[i].id, key))
			return true;
	return false;
}

size_t
fg_key_set_count(const struct fg_key_set *set)
{
	return set->count;
}

const struct fg_key *
fg_key_set_at(const struct fg_key_set *set, size_t i)
{
	FG_ASSERT(i < set->count);
	return &set->keys[i];
}
