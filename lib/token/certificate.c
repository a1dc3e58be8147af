/* Certificates by OpenSSL: names, serial number, fingerprint. */
#include "token/certificate.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/limits.h"

/* ---- text */

static struct fg_str
take_bio(BIO *bio, struct fg_arena *arena)
{
	char *p;
	long len = BIO_get_mem_data(bio, &p);

	return fg_arena_str(arena, (struct fg_str){p, len < 0 ? 0 : (size_t)len});
}

static bool
format_name(struct fg_str *out, const X509_NAME *name, struct fg_arena *arena)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok;

	FG_ASSERT(bio != NULL);
	ok = X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0;
	if (ok)
		*out = take_bio(bio, arena);
	BIO_free(bio);
	return ok && fg_is_field_value(*out);
}

/* In UTF-8. A NUL within ("good.example\0.evil.example") is a control character like any other. */
static bool
format_string(struct fg_str *out, const ASN1_STRING *string, struct fg_arena *arena)
{
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, string);

	if (len < 0)
		return false;
	*out = fg_arena_str(arena, (struct fg_str){(const char *)utf8, (size_t)len});
	OPENSSL_free(utf8);
	return len > 0 && fg_is_field_value(*out);
}

static struct fg_str
common_name(X509_NAME *subject, struct fg_arena *arena)
{
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	struct fg_str name;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return FG_STR_NONE;
	if (!format_string(&name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), arena))
		return FG_STR_NONE;
	return name;
}

static struct fg_str
format_serial(X509 *x509, struct fg_arena *arena)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct fg_str serial;

	FG_ASSERT(bio != NULL);
	(void)i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(x509));
	serial = take_bio(bio, arena);
	BIO_free(bio);
	return serial;
}

/* ---- alternative names */

static size_t
collect(const struct fg_str **out, STACK_OF(GENERAL_NAME) *names, int type, struct fg_arena *arena)
{
	int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
	struct fg_str *v = FG_ARENA_ARRAY(arena, struct fg_str, (size_t)count + 1);
	size_t kept = 0;

	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == type && format_string(&v[kept], name->d.ia5, arena))
			kept++;
	}
	*out = v;
	return kept;
}

static void
collect_names(struct fg_certificate *out, X509 *x509, struct fg_arena *arena)
{
	STACK_OF(GENERAL_NAME) *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

	out->dns_count = collect(&out->dns, names, GEN_DNS, arena);
	out->email_count = collect(&out->email, names, GEN_EMAIL, arena);
	out->uri_count = collect(&out->uri, names, GEN_URI, arena);
	GENERAL_NAMES_free(names);
}

/* ---- the whole */

/* With line ends where a server has put spaces; the two marks have spaces of their own. */
static struct fg_str
with_lines(struct fg_str pem, struct fg_arena *arena)
{
	static const struct fg_str begin = FG_STR_INIT("-----BEGIN CERTIFICATE-----");
	char *text = fg_arena_cstr(arena, pem);
	bool in_mark = false;

	if (fg_str_find(pem, '\n') < pem.len)
		return pem;
	for (size_t i = begin.len; i < pem.len; i++) {
		in_mark |= text[i] == '-';
		if (text[i] == ' ' && !in_mark)
			text[i] = '\n';
	}
	return (struct fg_str){text, pem.len};
}

enum fg_err
fg_certificate_parse(struct fg_certificate *out, struct fg_str pem, struct fg_arena *arena)
{
	enum fg_err err = FG_ERR_SYNTAX;
	unsigned len = 0;
	X509 *x509;
	BIO *bio;

	*out = (struct fg_certificate){.subject = FG_STR_NONE};
	if (pem.len > FG_MAX_CERTIFICATE_BYTES || !fg_str_starts_with(pem, FG_STR("-----BEGIN CERTIFICATE-----")))
		return FG_ERR_SYNTAX;
	pem = with_lines(pem, arena);
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	FG_ASSERT(bio != NULL);
	x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (x509 == NULL)
		return FG_ERR_SYNTAX;
	if (format_name(&out->subject, X509_get_subject_name(x509), arena) &&
	    format_name(&out->issuer, X509_get_issuer_name(x509), arena) && X509_digest(x509, EVP_sha256(), out->sha256, &len) == 1 &&
	    len == FG_CERTIFICATE_HASH_BYTES) {
		out->common_name = common_name(X509_get_subject_name(x509), arena);
		out->serial = format_serial(x509, arena);
		collect_names(out, x509, arena);
		err = FG_OK;
	}
	X509_free(x509);
	return err;
}

bool
fg_certificate_hash_parse(uint8_t *out, struct fg_str text)
{
	size_t at = 7, step;

	if (!fg_str_starts_with(text, FG_STR("sha256:")))
		return false;
	step = text.len == 7 + 2 * FG_CERTIFICATE_HASH_BYTES ? 2 : 3;
	if (step == 3 && text.len != 7 + 3 * FG_CERTIFICATE_HASH_BYTES - 1)
		return false;
	for (size_t i = 0; i < FG_CERTIFICATE_HASH_BYTES; i++, at += step) {
		int high = fg_hex_value(text.p[at]), low = fg_hex_value(text.p[at + 1]);

		if (high < 0 || low < 0 || (step == 3 && i + 1 < FG_CERTIFICATE_HASH_BYTES && text.p[at + 2] != ':'))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
