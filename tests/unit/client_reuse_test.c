/*
 * lib/client: which connections are used again. A service that says more than it was asked for, over cleartext and TLS,
 * among thousands of calls that begin, pause and end in any order: no call ever gets what was said to another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/client_scene.h"
#include "unit/unit.h"

enum { AT_ONCE = 24, CALLS = 3000 };

static char dir[] = "/tmp/faregate-unit-XXXXXX";

/* One of the calls that run at once. */
struct slot {
	struct told told;
	char target[64];
	uint64_t expected; /* bytes of body, unless the target is given back */
	bool pauses, is_echo, is_paused;
};

static unsigned
draw(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static enum fg_flow
pause_once(struct told *told, enum step step)
{
	struct slot *slot = (struct slot *)told;

	if (step != AT_BODY || !slot->pauses)
		return FG_FLOW_GO;
	slot->pauses = false;
	slot->is_paused = true;
	return FG_FLOW_PAUSE;
}

static void
begin(struct scene *scene, const struct fg_endpoint *endpoint, struct slot *slot, unsigned n, unsigned *seed)
{
	static const char *const parts[][2] = {{"bytes", ""}, {"bytes", "?chunked=999"}, {"excess", ""}, {"excess", "?chunked=1"}};
	unsigned kind = draw(seed, 6), size = draw(seed, 3) == 0 ? 1 + draw(seed, 500) : 17000 + draw(seed, 40000);

	memset(slot, 0, sizeof(*slot));
	slot->is_echo = kind >= 4;
	if (slot->is_echo)
		snprintf(slot->target, sizeof(slot->target), "/echo?n=%u", n);
	else
		snprintf(slot->target, sizeof(slot->target), "/%s/%u%s", parts[kind][0], size, parts[kind][1]);
	slot->expected = size;
	slot->pauses = draw(seed, 4) == 0;
	slot->told = (struct told){.method = kind == 5 ? "POST" : "GET", .target = slot->target, .endpoint = endpoint,
	    .has_body = kind == 5, .body_length = kind == 5 ? draw(seed, 60000) : 0, .on_step = pause_once,
	    .replayable = draw(seed, 2) == 0};
	told_start(scene, &slot->told);
}

/*
 * What a service says too much may arrive when its connection is in use again already: then that call fails, clearly and
 * before anything of an answer.
 */
static bool
is_spoilt(const struct told *told)
{
	return told->err == FG_ERR_SERVICE_RESPONSE_INVALID && told->times.reused && told->status == 0 && told->body_bytes == 0;
}

/* What it was told is the answer to what it asked. */
static void
check_end(const struct slot *slot)
{
	const struct told *told = &slot->told;
	char wanted[96];
	bool good = told->err == FG_OK && told->status == 200;

	snprintf(wanted, sizeof(wanted), "\"target\":\"%s\"", slot->target);
	if (good && slot->is_echo)
		good = memmem(told->body_seen.p, told->body_seen.len, wanted, strlen(wanted)) != NULL;
	else if (good)
		good = told->body_bytes == slot->expected && told->body_hash == service_pattern_hash(slot->expected);
	if (!good)
		fprintf(stderr, "%s %s: %s, status %d, %llu bytes, reused %d\n", told->method, slot->target,
		    fg_err_token(told->err), told->status, (unsigned long long)told->body_bytes, told->times.reused);
	CU_ASSERT(good);
}

static bool
one_has_ended(void *arg)
{
	struct slot *slots = arg;

	for (size_t i = 0; i < AT_ONCE; i++) {
		if (slots[i].told.ended)
			return true;
		if (slots[i].is_paused) {
			slots[i].is_paused = false;
			fg_call_resume_body(slots[i].told.call);
		}
	}
	return false;
}

static void
run_mixed(struct scene *scene, const struct fg_endpoint *endpoint)
{
	static struct slot slots[AT_ONCE];
	unsigned seed = 1, begun = 0, over = 0, spoilt = 0;

	while (begun < AT_ONCE) {
		begin(scene, endpoint, &slots[begun], begun, &seed);
		begun++;
	}
	while (over < CALLS) {
		scene_wait(scene, one_has_ended, slots);
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (!slots[i].told.ended)
				continue;
			if (is_spoilt(&slots[i].told))
				spoilt++;
			else
				check_end(&slots[i]);
			told_fini(&slots[i].told);
			slots[i].told.ended = false;
			over++;
			if (begun < CALLS)
				begin(scene, endpoint, &slots[i], begun++, &seed);
		}
	}
	CU_ASSERT(spoilt < CALLS / 100);
}

/* A scene whose service speaks TLS, and an endpoint that verifies it. */
static const struct fg_endpoint *
open_tls(struct scene *scene, enum fg_http_version version)
{
	static char cert[96], key[96], ca[96];
	struct service_options options = {.cert_file = cert, .key_file = key};
	struct fg_endpoint_spec spec;

	snprintf(cert, sizeof(cert), "%s/s-cert.pem", dir);
	snprintf(key, sizeof(key), "%s/s-key.pem", dir);
	snprintf(ca, sizeof(ca), "%s/s-ca.pem", dir);
	scene_open(scene, &options);
	spec = scene_spec(scene, "https", service_port(scene->service));
	spec.version = version;
	spec.ca_file = ca;
	return scene_endpoint(scene, &spec);
}

static void
no_call_hears_what_was_said_to_another(void)
{
	struct scene scene;

	scene_open(&scene, NULL);
	run_mixed(&scene, scene.endpoint);
	/* What says no more than it should is used again. */
	CU_ASSERT(service_accepted(scene.service) < CALLS * 3 / 4);
	scene_close(&scene);
}

static void
run_mixed_over_tls(enum fg_http_version version)
{
	struct scene scene;

	run_mixed(&scene, open_tls(&scene, version));
	CU_ASSERT(service_accepted(scene.service) < CALLS * 3 / 4);
	scene_close(&scene);
}

static void
nor_over_tls(void)
{
	run_mixed_over_tls(FG_HTTP_1_1);
}

/* The service does not speak HTTP/2: what was agreed on counts, not what was offered. */
static void
nor_where_http2_was_only_offered(void)
{
	run_mixed_over_tls(FG_HTTP_2);
}

static enum fg_err
ask_of(struct scene *scene, const struct fg_endpoint *endpoint, const char *method, const char *target, int *status)
{
	struct told told = {.method = method, .target = target, .endpoint = endpoint};

	told_start(scene, &told);
	told_wait(&told);
	told_fini(&told);
	*status = told.status;
	return told.err;
}

static bool
has_said_more(void *arg)
{
	struct scene *scene = arg;

	return service_open(scene->service) == 0;
}

/* An unsolicited answer on an idle connection, and a connection closed while idle: the next POST gets another one. */
static void
an_idle_tls_connection_that_says_something_is_given_up(void)
{
	const struct fg_endpoint *endpoint;
	struct scene scene;
	int status;

	endpoint = open_tls(&scene, FG_HTTP_1_1);
	CU_ASSERT_EQUAL(ask_of(&scene, endpoint, "GET",
	    "/raw?keep=1&send=HTTP/1.1%20200%20OK%0d%0aContent-Length:%202%0d%0a%0d%0aab"
	    "&later=HTTP/1.1%20418%20Poison%0d%0aContent-Length:%200%0d%0a%0d%0a", &status), FG_OK);
	CU_ASSERT_EQUAL(status, 200);
	service_emit(scene.service);
	scene_wait(&scene, has_said_more, &scene);
	CU_ASSERT_EQUAL(ask_of(&scene, endpoint, "POST", "/", &status), FG_OK);
	CU_ASSERT_EQUAL(status, 200);
	CU_ASSERT_EQUAL(service_accepted(scene.service), 2);
	CU_ASSERT_EQUAL(ask_of(&scene, endpoint, "GET", "/last", &status), FG_OK);
	scene_wait(&scene, has_said_more, &scene);
	CU_ASSERT_EQUAL(ask_of(&scene, endpoint, "POST", "/", &status), FG_OK);
	CU_ASSERT_EQUAL(status, 200);
	scene_close(&scene);
}

static int
set_up(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	return !service_make_cert(dir, "s", "127.0.0.1", false);
}

static int
tear_down(void)
{
	service_remove_cert(dir, "s");
	return remove(dir);
}

void
suite_client_reuse(void)
{
	CU_pSuite suite = CU_add_suite("client: connections used again", set_up, tear_down);

	ADD_TEST(suite, no_call_hears_what_was_said_to_another);
	ADD_TEST(suite, nor_over_tls);
	ADD_TEST(suite, nor_where_http2_was_only_offered);
	ADD_TEST(suite, an_idle_tls_connection_that_says_something_is_given_up);
}
