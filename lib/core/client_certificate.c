/* A client's certificate from the web server's parameters. */
#include "core/client_certificate.h"

#include "token/b64url.h"

const struct fg_conf_choice fg_certificate_servers[] = {
    {"apache", FG_CERTIFICATE_APACHE}, {"lighttpd", FG_CERTIFICATE_LIGHTTPD}, {NULL, 0}};

enum fg_err
fg_client_certificate_read(struct fg_exchange *x, struct fg_certificate *out)
{
	struct fg_str verify = fg_request_param(x, FG_STR("SSL_CLIENT_VERIFY")), pem = fg_request_param(x, FG_STR("SSL_CLIENT_CERT"));

	if (verify.len == 0 || fg_str_eq(verify, FG_STR("NONE")))
		return FG_ERR_CERTIFICATE_MISSING;
	if (!fg_str_eq(verify, FG_STR("SUCCESS")) || fg_certificate_parse(out, pem, &x->arena) != FG_OK)
		return FG_ERR_CERTIFICATE_INVALID;
	return FG_OK;
}

enum fg_err
fg_client_certificate_check_binding(struct fg_exchange *x, struct fg_str confirmation)
{
	char thumbprint[(FG_CERTIFICATE_HASH_BYTES * 4 + 2) / 3];
	struct fg_certificate certificate;
	enum fg_err err = fg_client_certificate_read(x, &certificate);

	if (err != FG_OK)
		return err;
	fg_b64url_encode(thumbprint, certificate.sha256, sizeof(certificate.sha256));
	return fg_str_eq(confirmation, (struct fg_str){thumbprint, sizeof(thumbprint)}) ? FG_OK : FG_ERR_TOKEN_NOT_BOUND;
}
