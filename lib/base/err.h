/*
 * The one table of outcomes. What answers or fails has exactly one of these; its token is the same in the access
 * log, the problem+json answer, the metric's label and the documentation.
 *
 * Columns: symbol, token, HTTP status answered (0: none can be given), level of the log line, title, detail.
 * The detail tells a developer what to do and an attacker nothing.
 */
#ifndef FG_BASE_ERR_H
#define FG_BASE_ERR_H

#include "base/str.h"

enum fg_log_level { FG_LOG_ERROR, FG_LOG_WARN, FG_LOG_INFO, FG_LOG_DEBUG };

/* clang-format off */
#define FG_ERR_TABLE(X) \
	/* answered as asked */ \
	X(OK, "forwarded", 200, DEBUG, "Forwarded", \
	    "The service's answer was passed on.") \
	X(RESPONDED, "responded", 200, DEBUG, "Answered by the gateway", \
	    "The route has a fixed answer (respond).") \
	X(OPTIONS_ANSWERED, "options_answered", 204, DEBUG, "Methods of this path", \
	    "OPTIONS was answered from the methods that routes of this path accept.") \
	X(CORS_PREFLIGHT, "cors_preflight", 204, DEBUG, "CORS preflight", \
	    "A browser asked what a page of another origin may do here (Fetch); the headers of the answer say it.") \
	X(IDEMPOTENCY_REPLAYED, "idempotency_replayed", 200, DEBUG, "Replayed", \
	    "The answer was kept when the first request with this Idempotency-Key was carried out.") \
	X(ADMIN, "admin", 200, DEBUG, "Administration", \
	    "Health, readiness, metrics or status of the gateway itself.") \
	/* the request is at fault */ \
	X(TARGET_INVALID, "target_invalid", 400, INFO, "Request target not valid", \
	    "The request target is not a valid URI path and query (RFC 3986); encode reserved characters.") \
	X(PATH_AMBIGUOUS, "path_ambiguous", 400, INFO, "Path ambiguous", \
	    "The path has a part that servers read differently: an encoded NUL, a backslash, an overlong UTF-8 form, or a dot segment hidden behind an encoded slash or a semicolon.") \
	X(ENCODED_SLASH_REFUSED, "encoded_slash_refused", 400, INFO, "Encoded slash refused", \
	    "This route does not accept %2F in the path.") \
	X(TARGET_TOO_LONG, "target_too_long", 414, INFO, "Request target too long", \
	    "Shorten the path or the query, or send the data in the body.") \
	X(HOST_INVALID, "host_invalid", 400, INFO, "Host not valid", \
	    "The Host header, or the authority of the target, is missing or not a valid host and port.") \
	X(HEADER_INVALID, "header_invalid", 400, INFO, "Header not valid", \
	    "A header's name or value has a character that is not allowed there (RFC 9110 section 5.5).") \
	X(HEADER_DUPLICATED, "header_duplicated", 400, INFO, "Header given twice", \
	    "Two header names differ only in '-' and '_', or a header was repeated in a way the gateway cannot tell apart; send it once.") \
	X(HEADERS_TOO_LARGE, "headers_too_large", 431, INFO, "Headers too large", \
	    "The request's headers are too many or too long; send less.") \
	X(LENGTH_INVALID, "length_invalid", 400, INFO, "Content-Length not valid", \
	    "Content-Length is not a single decimal number.") \
	X(BODY_INCOMPLETE, "body_incomplete", 400, INFO, "Body shorter than said", \
	    "The body ended before Content-Length bytes had arrived.") \
	X(BODY_TOO_LONG, "body_too_long", 400, INFO, "Body longer than said", \
	    "More bytes arrived than Content-Length said.") \
	X(BODY_TOO_LARGE, "body_too_large", 413, INFO, "Body too large", \
	    "The body is larger than this route accepts (body-limit).") \
	X(REQUEST_TIMEOUT, "request_timeout", 408, INFO, "Request timed out", \
	    "The rest of the request did not arrive in time; send it again.") \
	X(ROUTE_NOT_FOUND, "route_not_found", 404, INFO, "No such route", \
	    "No route of the gateway matches this host, path and headers.") \
	X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, INFO, "Method not allowed", \
	    "This path is served for other methods; see the Allow header.") \
	X(METHOD_NOT_SUPPORTED, "method_not_supported", 501, INFO, "Method not supported", \
	    "The gateway does not carry this method.") \
	X(ADMIN_FORBIDDEN, "admin_forbidden", 403, WARN, "Administration refused", \
	    "This address may not see the gateway's own pages (admin.allow).") \
	X(CORS_REFUSED, "cors_refused", 403, INFO, "Origin refused", \
	    "Pages of this origin may not call this route from a browser (cors.origins).") \
	X(LIMIT_EXCEEDED, "limit_exceeded", 429, INFO, "Limit exceeded", \
	    "Too many requests, or too many at once; wait as long as Retry-After says. RateLimit says what each limit allows.") \
	X(IDEMPOTENCY_KEY_MISSING, "idempotency_key_missing", 400, INFO, "Idempotency-Key missing", \
	    "This route asks for an Idempotency-Key; send one that no other request of yours has.") \
	X(IDEMPOTENCY_KEY_INVALID, "idempotency_key_invalid", 400, INFO, "Idempotency-Key not valid", \
	    "The Idempotency-Key is sent once, as a string in quotes or visible characters without quote, comma and semicolon, 1 to 255 bytes long.") \
	X(IDEMPOTENCY_OWNER_UNKNOWN, "idempotency_owner_unknown", 400, INFO, "Idempotency-Key of nobody", \
	    "The request lacks what says whose its Idempotency-Key is; send it with the " \
	    "credentials, or the header, by which callers are told apart here.") \
	X(IDEMPOTENCY_BODY_TOO_LARGE, "idempotency_body_too_large", 413, INFO, "Body too large for an Idempotency-Key", \
	    "With an Idempotency-Key, the body is larger than this route accepts (max-request).") \
	X(IDEMPOTENCY_IN_FLIGHT, "idempotency_in_flight", 409, INFO, "Request in flight", \
	    "A request with this Idempotency-Key is being carried out; ask again after Retry-After.") \
	X(IDEMPOTENCY_MISMATCH, "idempotency_mismatch", 422, INFO, "Idempotency-Key of another request", \
	    "This Idempotency-Key came with another request before; send a new key with a new request.") \
	X(IDEMPOTENCY_NOT_KEPT, "idempotency_not_kept", 409, INFO, "Carried out, answer not kept", \
	    "The request with this Idempotency-Key was carried out; its answer was too large to be kept, or is gone. Nothing was done again.") \
	X(IDEMPOTENCY_OUTCOME_UNKNOWN, "idempotency_outcome_unknown", 409, WARN, "Outcome unknown", \
	    "The request with this Idempotency-Key may have been carried out: the service did not answer, or the gateway was stopped. Nothing was done again; find out before it is sent with a new key.") \
	X(CLIENT_GONE, "client_gone", 0, INFO, "Client gone", \
	    "The client left before the answer was complete.") \
	/* the caller is not known (401), or it cannot be told who is calling (503) */ \
	X(TOKEN_MISSING, "token_missing", 401, INFO, "Token missing", \
	    "This route asks for a token; send it as Authorization: Bearer.") \
	X(TOKEN_TOO_LARGE, "token_too_large", 401, INFO, "Token too large", \
	    "The token is longer, deeper or has more members than the gateway reads.") \
	X(TOKEN_MALFORMED, "token_malformed", 401, INFO, "Token not well-formed", \
	    "The token is not a JSON Web Signature in compact form (RFC 7515 section 3.1).") \
	X(TOKEN_ENCRYPTED, "token_encrypted", 401, INFO, "Token encrypted or compressed", \
	    "The gateway takes signed tokens (JWS), neither encrypted (JWE) nor compressed ones.") \
	X(TOKEN_ALGORITHM_REFUSED, "token_algorithm_refused", 401, INFO, "Token's algorithm refused", \
	    "The token is signed with an algorithm that is not accepted here.") \
	X(TOKEN_KEY_URL, "token_key_url", 401, WARN, "Token names a key to fetch", \
	    "A token may not say where its key is to be fetched (jku, x5u).") \
	X(TOKEN_KEY_EMBEDDED, "token_key_embedded", 401, WARN, "Token brings its own key", \
	    "A token may not bring the key that verifies it (jwk, x5c).") \
	X(TOKEN_CRITICAL_UNKNOWN, "token_critical_unknown", 401, INFO, "Token demands an extension", \
	    "The token's header demands an extension that is not accepted here (crit, b64).") \
	X(TOKEN_TYPE_WRONG, "token_type_wrong", 401, INFO, "Token of another type", \
	    "The token is not of the type that is accepted here (typ).") \
	X(TOKEN_KEY_UNKNOWN, "token_key_unknown", 401, INFO, "Token's key unknown", \
	    "The token is signed with a key that its issuer does not publish; get a new token.") \
	X(TOKEN_SIGNATURE_INVALID, "token_signature_invalid", 401, WARN, "Token's signature not valid", \
	    "The token's signature does not verify.") \
	X(TOKEN_CLAIM_INVALID, "token_claim_invalid", 401, INFO, "Token's claim not valid", \
	    "A registered claim of the token is not of the type that RFC 7519 section 4.1 asks for.") \
	X(TOKEN_ISSUER_UNKNOWN, "token_issuer_unknown", 401, INFO, "Token's issuer unknown", \
	    "Tokens of this issuer are not accepted here (iss).") \
	X(TOKEN_AUDIENCE_WRONG, "token_audience_wrong", 401, INFO, "Token for another audience", \
	    "The token was issued for something else (aud).") \
	X(TOKEN_EXPIRED, "token_expired", 401, INFO, "Token expired", \
	    "The token is no longer valid (exp); get a new one.") \
	X(TOKEN_NOT_YET_VALID, "token_not_yet_valid", 401, INFO, "Token not yet valid", \
	    "The token is valid from a later time on (nbf, iat); look at the clocks.") \
	X(TOKEN_CLAIM_MISSING, "token_claim_missing", 401, INFO, "Token lacks a claim", \
	    "The token lacks a claim that is required here.") \
	X(TOKEN_REVOKED, "token_revoked", 401, INFO, "Token revoked", \
	    "The token was revoked; get a new one.") \
	X(KEYS_UNAVAILABLE, "keys_unavailable", 503, WARN, "Keys not available", \
	    "The keys that verify this token cannot be had at the moment; try again later.") \
	X(TOKEN_INACTIVE, "token_inactive", 401, INFO, "Token not active", \
	    "The token's provider says that it is not active; get a new one.") \
	X(INTROSPECTION_UNAVAILABLE, "introspection_unavailable", 503, WARN, "Token cannot be judged", \
	    "The token's provider cannot be asked about it at the moment; try again later.") \
	X(REVOCATIONS_UNKNOWN, "revocations_unknown", 503, WARN, "Revocations not known", \
	    "It cannot be told at the moment whether this token was revoked; try again later.") \
	X(API_KEY_MISSING, "api_key_missing", 401, INFO, "API key missing", \
	    "This route asks for an API key.") \
	X(API_KEY_MALFORMED, "api_key_malformed", 401, INFO, "API key not well-formed", \
	    "The API key is not complete or was mistyped.") \
	X(API_KEY_UNKNOWN, "api_key_unknown", 401, INFO, "API key unknown", \
	    "The API key is not known here.") \
	X(API_KEY_EXPIRED, "api_key_expired", 401, INFO, "API key expired", \
	    "The API key is no longer valid; ask for a new one.") \
	X(API_KEY_REVOKED, "api_key_revoked", 401, INFO, "API key revoked", \
	    "The API key was revoked; ask for a new one.") \
	X(PASSWORD_MISSING, "password_missing", 401, INFO, "User and password missing", \
	    "This route asks for a user and a password (Authorization: Basic).") \
	X(PASSWORD_WRONG, "password_wrong", 401, INFO, "User or password wrong", \
	    "The user is not known here, or the password is another.") \
	X(CERTIFICATE_MISSING, "certificate_missing", 401, INFO, "Client certificate missing", \
	    "This route asks for a client certificate, which the web server has to be shown.") \
	X(CERTIFICATE_INVALID, "certificate_invalid", 401, INFO, "Client certificate not valid", \
	    "The web server could not verify the client certificate.") \
	X(CERTIFICATE_REFUSED, "certificate_refused", 403, INFO, "Client certificate refused", \
	    "The client certificate is good, but not one of those that this route is for.") \
	X(TOKEN_NOT_BOUND, "token_not_bound", 401, WARN, "Token of another certificate", \
	    "The token is bound to a client certificate, which is not the one that was shown (RFC 8705).") \
	X(AUTH_REFUSED, "auth_refused", 401, INFO, "Refused by the authentication service", \
	    "The service that was asked who is calling has refused; the answer is its own.") \
	X(AUTH_SERVICE_FAILED, "auth_service_failed", 503, WARN, "Authentication service failed", \
	    "The service that is asked who is calling cannot be reached, or its answer is neither yes nor no; try again later.") \
	X(AUTH_SERVICE_TIMEOUT, "auth_service_timeout", 503, WARN, "Authentication service did not answer in time", \
	    "The service that is asked who is calling did not answer in time; try again later.") \
	X(CREDENTIALS_AMBIGUOUS, "credentials_ambiguous", 400, INFO, "Credentials sent twice", \
	    "The request carries a token or key more than once; send it once, in one way.") \
	X(IDENTITY_UNFIT, "identity_unfit", 403, WARN, "Identity cannot be passed on", \
	    "A claim that the service is to be told cannot stand in a header: it has a control character, an element of a list has a comma, or it is too long.") \
	/* it is known who is calling, who may not do this */ \
	X(SCOPE_MISSING, "scope_missing", 403, INFO, "Scope missing", \
	    "What the caller was allowed to do does not include this; the WWW-Authenticate header names the scope that is needed.") \
	X(CLAIM_REFUSED, "claim_refused", 403, INFO, "Claim refused", \
	    "What is known of the caller (role, group and the like) does not allow this.") \
	X(CONSUMER_REFUSED, "consumer_refused", 403, INFO, "Consumer refused", \
	    "This route is for other consumers.") \
	X(ADDRESS_REFUSED, "address_refused", 403, INFO, "Address refused", \
	    "This route is not open to the address that the request comes from.") \
	/* the service is at fault */ \
	X(SERVICE_UNREACHABLE, "service_unreachable", 502, WARN, "Service unreachable", \
	    "The service behind this route does not accept connections.") \
	X(SERVICE_NAME_UNRESOLVED, "service_name_unresolved", 502, WARN, "Service's name not found", \
	    "The host name of the service behind this route has no address at the moment.") \
	X(SERVICE_TLS_FAILED, "service_tls_failed", 502, WARN, "Service not trusted", \
	    "The TLS connection to the service behind this route could not be established and verified.") \
	X(SERVICE_CONNECT_TIMEOUT, "service_connect_timeout", 504, WARN, "Service not reached in time", \
	    "The service behind this route did not accept a connection in time (connect-timeout).") \
	X(SERVICE_TIMEOUT, "service_timeout", 504, WARN, "Service did not answer in time", \
	    "The service behind this route did not begin its answer in time (response-timeout).") \
	X(SERVICE_IDLE_TIMEOUT, "service_idle_timeout", 504, WARN, "Service stalled", \
	    "The service behind this route stopped sending or reading in mid-exchange (idle-timeout).") \
	X(EXCHANGE_TIMEOUT, "exchange_timeout", 504, WARN, "Exchange timed out", \
	    "The whole exchange took longer than this route allows (timeout).") \
	X(SERVICE_CLOSED, "service_closed", 502, WARN, "Service closed the connection", \
	    "The service behind this route closed the connection before its answer was complete.") \
	X(SERVICE_RESPONSE_INVALID, "service_response_invalid", 502, WARN, "Service's answer not valid", \
	    "The service behind this route sent something that is not a valid HTTP response.") \
	X(SERVICE_HEADERS_TOO_LARGE, "service_headers_too_large", 502, WARN, "Service's headers too large", \
	    "The service behind this route sent too many or too long headers.") \
	X(SERVICE_UNAVAILABLE, "service_unavailable", 503, WARN, "Service not available", \
	    "No target of the service behind this route can take a request at the moment; try again later.") \
	X(BREAKER_OPEN, "breaker_open", 503, WARN, "Service resting", \
	    "The service behind this route has failed lately and is not asked for a while; try again later (Retry-After).") \
	/* the store (Redis) is at fault; lib/redis counts by this order */ \
	X(STORE_UNREACHABLE, "store_unreachable", 503, WARN, "Store unreachable", \
	    "The gateway cannot reach the store that this route depends on; try again later.") \
	X(STORE_TIMEOUT, "store_timeout", 503, WARN, "Store did not answer in time", \
	    "The store that this route depends on did not answer in time; try again later.") \
	X(STORE_UNAVAILABLE, "store_unavailable", 503, WARN, "Store not available", \
	    "The store that this route depends on has failed lately and was not asked; try again later.") \
	X(STORE_REFUSED, "store_refused", 503, ERROR, "Store refused the gateway", \
	    "The store that this route depends on did not accept the gateway's credentials.") \
	X(STORE_NOT_READY, "store_not_ready", 503, WARN, "Store not ready", \
	    "The store that this route depends on is starting, changing over or busy; try again later.") \
	X(STORE_FULL, "store_full", 503, ERROR, "Store full", \
	    "The store that this route depends on has no memory left.") \
	X(STORE_ERROR, "store_error", 503, ERROR, "Store error", \
	    "The store that this route depends on answered with an error; the gateway's log says which.") \
	/* the gateway or its surroundings are at fault */ \
	X(OVERLOADED, "overloaded", 503, WARN, "Gateway overloaded", \
	    "The gateway is at its limit; try again later.") \
	X(DRAINING, "draining", 503, INFO, "Gateway stopping", \
	    "The gateway was stopped before the exchange was complete; try again.") \
	X(INTERNAL, "internal", 500, ERROR, "Internal error", \
	    "The gateway could not carry out the request; its log says why.") \
	X(FCGI_PROTOCOL, "fcgi_protocol", 0, WARN, "FastCGI protocol error", \
	    "The web server sent something that is not FastCGI 1.0.") \
	X(FCGI_TIMEOUT, "fcgi_timeout", 0, WARN, "FastCGI request incomplete", \
	    "The parameters of a request did not arrive in time.") \
	/* not about an exchange */ \
	X(CONFIG, "config", 0, ERROR, "Configuration refused", \
	    "The configuration has errors; `faregate check` shows them all.") \
	X(TOO_LARGE, "too_large", 0, ERROR, "A bound was reached", \
	    "Something is larger than its stated maximum.") \
	X(SYNTAX, "syntax", 0, ERROR, "Not well-formed", \
	    "A text does not have the form that is asked for.") \
	X(SYSTEM, "system", 0, ERROR, "The system refused", \
	    "A system call failed; errno says why.")
/* clang-format on */

enum fg_err {
#define FG_ERR_SYMBOL(symbol, token, status, level, title, detail) FG_ERR_##symbol,
	FG_ERR_TABLE(FG_ERR_SYMBOL)
#undef FG_ERR_SYMBOL
	FG_ERR_COUNT,
	FG_OK = FG_ERR_OK,
};

struct fg_err_info {
	const char *token;
	int status; /* 0: nothing can be answered */
	enum fg_log_level level;
	const char *title;
	const char *detail;
};

/* Never NULL; err is one of the table (asserted). */
const struct fg_err_info *fg_err_info(enum fg_err err);

static inline const char *
fg_err_token(enum fg_err err)
{
	return fg_err_info(err)->token;
}

#endif
