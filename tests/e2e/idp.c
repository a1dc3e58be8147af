/* A played identity provider. One a program at a time has the played parts' attention, each by the port it was asked at. */
#include "e2e/idp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "e2e/e2e.h"

enum { MOST_IDPS = 4, MOST_TEXTS = 8 };

struct idp {
	pthread_mutex_t mutex;
	struct played *played;
	int port, nth;
	char issuer[64];
	enum idp_mood mood;
	struct maker_key *key;
	unsigned fetches, unchanged;
	struct gate held;
};

/* Parts are functions without an argument: a provider is found by the Host it is asked as. */
static struct idp *idps[MOST_IDPS];

static struct idp *
idp_of(const struct played_request *request)
{
	char host[64];

	for (int i = 0; i < MOST_IDPS; i++) {
		if (idps[i] == NULL)
			continue;
		snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%d\r\n", idps[i]->port);
		if (strstr(request->head, host) != NULL)
			return idps[i];
	}
	bed_give_up("no provider was asked:\n%s", request->head);
}

static char *
key_set(struct idp *idp)
{
	char more[64];

	snprintf(more, sizeof(more), "\"kid\":\"k%d\",\"use\":\"sig\",\"alg\":\"RS256\"", idp->nth);
	return maker_jwks(maker_jwk(idp->key, more), NULL, NULL, NULL);
}

static void
say_huge(struct played_conn *conn)
{
	char *text = malloc(1 << 20);

	memset(text, ' ', 1 << 20);
	text[(1 << 20) - 1] = '\0';
	say_reply(conn, 200, NULL, text);
	free(text);
}

static void
say_keys(struct played_conn *conn, struct played_request *request)
{
	struct idp *idp = idp_of(request);
	char etag[64], headers[128], *keys;
	enum idp_mood mood;

	pthread_mutex_lock(&idp->mutex);
	mood = idp->mood;
	idp->fetches++;
	keys = key_set(idp);
	snprintf(etag, sizeof(etag), "\"v%d\"", idp->nth);
	pthread_mutex_unlock(&idp->mutex);
	snprintf(headers, sizeof(headers), "Content-Type: application/json\r\nETag: %s\r\n", etag);
	if (mood == IDP_HELD)
		gate_pass(&idp->held);
	if (mood == IDP_ERROR) {
		say_reply(conn, 500, NULL, "{}");
	} else if (mood == IDP_HTML) {
		say_reply(conn, 200, "Content-Type: text/html\r\n", "<html><body>maintenance</body></html>");
	} else if (mood == IDP_GARBAGE) {
		keys[strlen(keys) / 2] = '\0';
		say_reply(conn, 200, NULL, keys);
	} else if (mood == IDP_EMPTY_SET) {
		say_reply(conn, 200, NULL, "{\"keys\":[]}");
	} else if (mood == IDP_HUGE) {
		say_huge(conn);
	} else if (mood == IDP_REDIRECT) {
		say_reply(conn, 302, "Location: /elsewhere\r\n", "");
	} else if (strstr(request->head, etag) != NULL) {
		pthread_mutex_lock(&idp->mutex);
		idp->unchanged++;
		pthread_mutex_unlock(&idp->mutex);
		say(conn, "HTTP/1.1 304 Not Modified\r\nETag: %s\r\n\r\n", etag);
	} else {
		say_reply(conn, 200, headers, keys);
	}
	free(keys);
}

static void
say_metadata(struct played_conn *conn, struct played_request *request)
{
	struct idp *idp = idp_of(request);
	char text[256];

	snprintf(text, sizeof(text), "{\"issuer\":\"%s%s\",\"jwks_uri\":\"%s/keys\"}", idp->issuer,
	    idp->mood == IDP_OTHER_ISSUER ? "/evil" : "", idp->issuer);
	say_reply(conn, 200, "Content-Type: application/json\r\n", text);
}

static void
say_not_found(struct played_conn *conn, struct played_request *request)
{
	(void)request;
	say_reply(conn, 404, NULL, "");
}

static const struct played_part parts[] = {
    {"/keys", say_keys, false}, {"/.well-known/openid-configuration", say_metadata, false}, {NULL, say_not_found, false}};

struct idp *
idp_start(void)
{
	struct idp *idp = calloc(1, sizeof(*idp));
	int at = 0;

	idp->mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	idp->held = (struct gate)GATE_CLOSED;
	idp->key = maker_key_new("RS256");
	idp->nth = 1;
	idp->played = played_start(parts);
	idp->port = played_port(idp->played);
	snprintf(idp->issuer, sizeof(idp->issuer), "http://127.0.0.1:%d", idp->port);
	while (idps[at] != NULL)
		at++;
	idps[at] = idp;
	return idp;
}

void
idp_free(struct idp *idp)
{
	if (idp->played != NULL)
		played_stop(idp->played);
	for (int i = 0; i < MOST_IDPS; i++)
		if (idps[i] == idp)
			idps[i] = NULL;
	maker_key_free(idp->key);
	free(idp);
}

int
idp_port(const struct idp *idp)
{
	return idp->port;
}

const char *
idp_issuer(const struct idp *idp)
{
	return idp->issuer;
}

void
idp_set_mood(struct idp *idp, enum idp_mood mood)
{
	pthread_mutex_lock(&idp->mutex);
	idp->mood = mood;
	pthread_mutex_unlock(&idp->mutex);
}

void
idp_release(struct idp *idp, int n)
{
	gate_open(&idp->held, n);
}

void
idp_die(struct idp *idp)
{
	played_stop(idp->played);
	idp->played = NULL;
}

void
idp_return(struct idp *idp)
{
	idp->played = played_start_on(parts, idp->port);
}

void
idp_rotate(struct idp *idp)
{
	struct maker_key *key = maker_key_new("RS256");

	pthread_mutex_lock(&idp->mutex);
	maker_key_free(idp->key);
	idp->key = key;
	idp->nth++;
	pthread_mutex_unlock(&idp->mutex);
}

unsigned
idp_fetches(struct idp *idp)
{
	unsigned fetches;

	pthread_mutex_lock(&idp->mutex);
	fetches = idp->fetches;
	pthread_mutex_unlock(&idp->mutex);
	return fetches;
}

unsigned
idp_unchanged(struct idp *idp)
{
	unsigned unchanged;

	pthread_mutex_lock(&idp->mutex);
	unchanged = idp->unchanged;
	pthread_mutex_unlock(&idp->mutex);
	return unchanged;
}

const struct maker_key *
idp_key(struct idp *idp)
{
	return idp->key;
}

/* ---- tokens */

/* Takes text over; it lives until as many more have come. */
static const char *
keep(char *text)
{
	static char *kept[MOST_TEXTS];
	static unsigned next;

	free(kept[next % MOST_TEXTS]);
	return kept[next++ % MOST_TEXTS] = text;
}

const char *
idp_payload(struct idp *idp, const char *more)
{
	char *text;

	if (asprintf(&text, "{\"iss\":\"%s\",\"aud\":\"orders\",\"sub\":\"u1\",\"exp\":%lld%s}", idp->issuer,
	    (long long)time(NULL) + 3600, more == NULL ? "" : more) < 0)
		bed_give_up("no memory");
	return keep(text);
}

const char *
idp_sign(struct idp *idp, const char *header, const char *payload)
{
	return keep(maker_token(idp->key, header, payload));
}

const char *
idp_token(struct idp *idp, const char *more)
{
	char header[64];

	snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"k%d\"}", idp->nth);
	return idp_sign(idp, header, idp_payload(idp, more));
}

const char *
idp_bearer_of(const char *token)
{
	char *text;

	if (asprintf(&text, "Authorization: Bearer %s\r\n", token) < 0)
		bed_give_up("no memory");
	return keep(text);
}

const char *
idp_bearer(struct idp *idp, const char *more)
{
	return idp_bearer_of(idp_token(idp, more));
}
