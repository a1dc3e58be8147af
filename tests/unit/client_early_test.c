/*
 * lib/client: answers that come before the request's body has been sent. What a service said before it stopped reading
 * is the answer, whatever becomes of the rest of the body; and its connection is used again only when all was sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/client_scene.h"
#include "unit/unit.h"

enum { ROUNDS = 150, BODY_BYTES = 3 * 1024 * 1024 };

struct upload {
	struct told told;
	bool is_paused;
	unsigned pause_every; /* pieces; 0: never */
};

/* The body stops now and then, as a client's does. */
static enum fg_flow
stop_at_times(struct told *told, enum step step)
{
	struct upload *upload = (struct upload *)told;

	if (step != AT_SEND || upload->pause_every == 0 || upload->is_paused)
		return FG_FLOW_GO;
	if (told->steps[AT_SEND] % upload->pause_every != 0)
		return FG_FLOW_GO;
	upload->is_paused = true;
	return FG_FLOW_PAUSE;
}

static bool
is_over(void *arg)
{
	struct upload *upload = arg;

	if (!upload->told.ended && upload->is_paused) {
		upload->is_paused = false;
		fg_call_resume_send(upload->told.call);
	}
	return upload->told.ended;
}

/* Asks ROUNDS times; how often the answer with that status came. */
static unsigned
count_answers(struct scene *scene, const struct fg_endpoint *endpoint, const char *target, bool unknown_length, unsigned pause_every, int status)
{
	unsigned answers = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct upload upload = {.told = {.method = "POST", .target = target, .has_body = true,
		    .endpoint = endpoint, .unknown_length = unknown_length, .body_length = BODY_BYTES, .on_step = stop_at_times},
		    .pause_every = pause_every};

		told_start(scene, &upload.told);
		scene_wait(scene, is_over, &upload);
		if (upload.told.err == FG_OK && upload.told.status == status)
			answers++;
		else
			fprintf(stderr, "%s: %s, status %d\n", target, fg_err_token(upload.told.err), upload.told.status);
		told_fini(&upload.told);
	}
	return answers;
}

static void
an_answer_then_a_close(void)
{
	static const char *const targets[] = {"/early/413?close=1&body=too%20much", "/early/401?close=1&body=who", "/early/403?close=1",
	    "/raw?head=1&close=1&send=HTTP/1.1%20103%20Soon%0d%0a%0d%0aHTTP/1.1%20422%20No%0d%0aTransfer-Encoding:%20chunked%0d%0a%0d%0a"
	    "3;x=y%0d%0aabc%0d%0a2%0d%0ade%0d%0a0%0d%0aX-Sum:%201%0d%0a%0d%0a"};
	static const int statuses[] = {413, 401, 403, 422};
	struct scene scene;

	scene_open(&scene, NULL);
	for (size_t i = 0; i < FG_ARRAY_LEN(targets); i++)
		for (unsigned way = 0; way < 4; way++)
			CU_ASSERT_EQUAL(count_answers(&scene, NULL, targets[i], way % 2, way / 2 * 3, statuses[i]), ROUNDS);
	CU_ASSERT_EQUAL(ask_status(&scene, "GET", "/"), 200);
	scene_close(&scene);
}

/* Answered at once, the body read to its end all the same. */
static void
an_answer_while_it_reads_on(void)
{
	struct scene scene;

	scene_open(&scene, NULL);
	for (unsigned way = 0; way < 4; way++) {
		CU_ASSERT_EQUAL(count_answers(&scene, NULL, "/early/413?body=too%20much", way % 2, way / 2 * 3, 413), ROUNDS);
		CU_ASSERT_EQUAL(count_answers(&scene, NULL, "/early/200?body=enough", way % 2, way / 2 * 3, 200), ROUNDS);
		CU_ASSERT_EQUAL(ask_status(&scene, "GET", "/"), 200);
	}
	scene_close(&scene);
}

static void
an_answer_then_a_close_over_tls(void)
{
	struct service_options options = {.cert_file = "early-cert.pem", .key_file = "early-key.pem"};
	const struct fg_endpoint *endpoint;
	struct fg_endpoint_spec spec;
	struct scene scene;

	CU_ASSERT_FATAL(service_make_cert(".", "early", "127.0.0.1", false));
	scene_open(&scene, &options);
	spec = scene_spec(&scene, "https", service_port(scene.service));
	spec.verify = false;
	endpoint = scene_endpoint(&scene, &spec);
	for (unsigned way = 0; way < 4; way++)
		CU_ASSERT_EQUAL(count_answers(&scene, endpoint, "/early/413?close=1&body=too%20much", way % 2, way / 2 * 3, 413),
		    ROUNDS);
	scene_close(&scene);
	service_remove_cert(".", "early");
}

void
suite_client_early(void)
{
	CU_pSuite suite = CU_add_suite("client: answers before the body is sent", NULL, NULL);

	ADD_TEST(suite, an_answer_then_a_close);
	ADD_TEST(suite, an_answer_while_it_reads_on);
	ADD_TEST(suite, an_answer_then_a_close_over_tls);
}
