/* TLS of the scripted service, and the certificates that tests make for it. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "support/service_internal.h"

void *
tls_server_new(const struct service_options *options)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, options->cert_file) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, options->key_file, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		return NULL;
	}
	if (options->client_ca_file != NULL) {
		SSL_CTX_load_verify_locations(ctx, options->client_ca_file, NULL);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

void *
tls_conn_new(void *server, int fd)
{
	SSL *ssl = SSL_new(server);

	SSL_set_fd(ssl, fd);
	SSL_set_accept_state(ssl);
	return ssl;
}

void
tls_conn_free(void *tls)
{
	SSL_shutdown(tls);
	SSL_free(tls);
}

ssize_t
tls_read(void *tls, void *p, size_t len, bool *wants_write)
{
	int n, err;

	ERR_clear_error();
	n = SSL_read(tls, p, (int)len);
	if (n > 0)
		return n;
	err = SSL_get_error(tls, n);
	*wants_write = err == SSL_ERROR_WANT_WRITE;
	if (err != SSL_ERROR_WANT_READ && err != SSL_ERROR_WANT_WRITE)
		return 0;
	errno = EAGAIN;
	return -1;
}

ssize_t
tls_write(void *tls, const void *p, size_t len)
{
	int n, err;

	ERR_clear_error();
	n = SSL_write(tls, p, (int)(len > 65536 ? 65536 : len));
	if (n > 0)
		return n;
	err = SSL_get_error(tls, n);
	if (err != SSL_ERROR_WANT_READ && err != SSL_ERROR_WANT_WRITE)
		return 0;
	errno = EAGAIN;
	return -1;
}

/* ---- certificates */

static bool
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static X509 *
make(EVP_PKEY *key, const char *name, long serial, X509 *issuer, EVP_PKEY *issuer_key, bool expired)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	char names[300];
	bool ok;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -24 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), expired ? -3600 : 24 * 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, issuer == NULL ? subject : X509_get_subject_name(issuer));
	snprintf(names, sizeof(names), "%s:%s", name[strspn(name, "0123456789.")] == '\0' ? "IP" : "DNS", name);
	ok = issuer == NULL ? add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE") &&
	                      add_extension(cert, cert, NID_key_usage, "keyCertSign,cRLSign")
	                    : add_extension(cert, issuer, NID_subject_alt_name, names);
	if (ok && X509_sign(cert, issuer_key, EVP_sha256()) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static bool
save(const char *dir, const char *prefix, const char *what, X509 *cert, EVP_PKEY *key)
{
	char path[512];
	FILE *file;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s-%s.pem", dir, prefix, what);
	file = fopen(path, "w");
	if (file == NULL)
		return false;
	ok = cert != NULL ? PEM_write_X509(file, cert) == 1 : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
	return fclose(file) == 0 && ok;
}

bool
service_make_cert(const char *dir, const char *prefix, const char *name, bool expired)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = make(ca_key, "Scripted CA", 1, NULL, ca_key, false);
	X509 *cert = ca == NULL ? NULL : make(key, name, 2, ca, ca_key, expired);
	bool ok = cert != NULL && save(dir, prefix, "ca", ca, NULL) && save(dir, prefix, "cert", cert, NULL) &&
	    save(dir, prefix, "key", NULL, key);

	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return ok;
}

void
service_remove_cert(const char *dir, const char *prefix)
{
	static const char *const files[] = {"ca", "cert", "key"};
	char path[512];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s-%s.pem", dir, prefix, files[i]);
		remove(path);
	}
}
