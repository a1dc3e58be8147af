/*
 * The certificate that a client has shown to the web server, as that says it in parameters of the CGI family (SSL_CLIENT_VERIFY,
 * SSL_CLIENT_CERT: mod_ssl with SSLOptions +StdEnvVars +ExportCertData, lighttpd's ssl.verifyclient.exportcert). A client's own
 * headers come as HTTP_SSL_…, which is another name. Whether the web server sets these parameters at all is for the configuration to
 * state: one that does not could pass on another's.
 */
#ifndef FG_CORE_CLIENT_CERTIFICATE_H
#define FG_CORE_CLIENT_CERTIFICATE_H

#include "conf/keys.h"
#include "core/exchange.h"
#include "token/certificate.h"

/* The statement: which web server sets them. The choices of an ENUM. */
enum fg_certificate_server { FG_CERTIFICATE_NOBODY, FG_CERTIFICATE_APACHE, FG_CERTIFICATE_LIGHTTPD };
extern const struct fg_conf_choice fg_certificate_servers[];

/*
 * FG_OK, or FG_ERR_CERTIFICATE_MISSING (none was shown), FG_ERR_CERTIFICATE_INVALID (the web server did not accept it, or does
 * not pass it on whole).
 */
FG_MUST_CHECK enum fg_err fg_client_certificate_read(struct fg_exchange *x, struct fg_certificate *out);

/*
 * RFC 8705 §3.1: whether a token's confirmation (`cnf`: {"x5t#S256": …}), as text, is the certificate's. FG_ERR_TOKEN_NOT_BOUND when
 * it is not; what fg_client_certificate_read() says without one.
 */
FG_MUST_CHECK enum fg_err fg_client_certificate_check_binding(struct fg_exchange *x, struct fg_str confirmation);

#endif
