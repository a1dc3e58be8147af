/*
 * Services and targets that come and go with many reloads: what the pool shared about those that are gone makes room for those
 * that come.
 */
#include "e2e/e2e.h"

/* A pool of a few services has room for some sixty more records; each reload brings two new ones. */
enum { RELOADS = 45, MANY_RELOADS = 1000, ASKED = 4 };

static struct stage stage;

static void
write_config(int number)
{
	bed_write_config(&stage.bed,
	    "services:\n"
	    "  a: \"http://127.0.0.1:%d\"\n"
	    "  new-%d: {targets: [\"http://127.0.0.1:%d\"], max-in-flight: 5}\n"
	    "routes:\n"
	    "  a: {path: /*, service: a}\n"
	    "  new: {path: /new/*, service: new-%d}\n",
	    played_port(stage.a), number, played_port(stage.a), number);
}

static int
init(void)
{
	stage_play(&stage, NULL, NULL);
	write_config(0);
	bed_start_pool(&stage.bed, NULL);
	stage.fronts[0] = bed_start_front(&stage.bed, FRONT_LIGHTTPD, "/", NULL);
	stage.fronts[1] = bed_start_front(&stage.bed, FRONT_APACHE, "/", NULL);
	return 0;
}

static int
cleanup(void)
{
	return !stage_close(&stage);
}

static bool
reload(int number)
{
	const char *const argv[] = {bed_program(), "reload", "-c", stage.bed.config, NULL};
	char *out;
	int status;

	write_config(number);
	bed_drain_notify(&stage.bed);
	status = bed_run(&stage.bed, &out, argv);
	if (status != 0)
		fprintf(stderr, "reload: %s\n", out);
	free(out);
	return status == 0;
}

static double
requests_of(int number)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_target_requests_total{service=\"new-%d\",target=\"http://127.0.0.1:%d\"}",
	    number, played_port(stage.a));
	return bed_metric(stage.fronts[0], series);
}

static double
places_of(int number)
{
	char series[160];

	snprintf(series, sizeof(series), "faregate_service_places{service=\"new-%d\"}", number);
	return bed_metric(stage.fronts[0], series);
}

/* Whatever worker answers: it knows what they all did. */
static void
newcomers_are_shared(void)
{
	int reloads = getenv("FAREGATE_LONG") != NULL ? MANY_RELOADS : RELOADS;

	for (int number = 1; number <= reloads; number++) {
		CU_ASSERT_FATAL(reload(number));
		CU_ASSERT(bed_wait_running(stage.fronts[0], 2));
		EACH_FRONT(&stage, front)
			for (int i = 0; i < ASKED; i++)
				CHECK(front, get(front, "/new/x")->status == 200);
		CU_ASSERT_EQUAL(requests_of(number), 2 * ASKED);
		CU_ASSERT_EQUAL(places_of(number), 5);
		/* Of those that are gone nothing is shown. */
		CU_ASSERT_EQUAL(places_of(number - 1), 0);
	}
	CU_ASSERT_EQUAL(bed_metric(stage.fronts[0], "faregate_worker_deaths_total"), 0);
}

void
suite_room(void)
{
	CU_pSuite suite = add_suite("room for who comes", init, cleanup);

	ADD_SCENE(suite, newcomers_are_shared);
}
