/* The stage that most suites play on. */
#include "e2e/e2e.h"

static const struct played_part no_parts[] = {{NULL, say_echo, false}};

void
stage_open(struct stage *stage, const struct played_part *a, const struct played_part *b, const char *services,
    const char *routes)
{
	memset(stage, 0, sizeof(*stage));
	bed_open(&stage->bed);
	stage->a = played_start(a);
	stage->b = played_start(b == NULL ? no_parts : b);
	bed_write_config(&stage->bed,
	    "services:\n"
	    "  a: http://127.0.0.1:%d\n"
	    "  b: http://127.0.0.1:%d\n"
	    "%s"
	    "routes:\n"
	    "%s",
	    played_port(stage->a), played_port(stage->b), services, routes);
	bed_start_pool(&stage->bed, NULL);
	stage->fronts[0] = bed_start_front(&stage->bed, FRONT_LIGHTTPD, "/", NULL);
	stage->fronts[1] = bed_start_front(&stage->bed, FRONT_APACHE, "/", NULL);
}

bool
stage_close(struct stage *stage)
{
	bool good = bed_close(&stage->bed);

	if (stage->a != NULL)
		played_stop(stage->a);
	if (stage->b != NULL)
		played_stop(stage->b);
	return good;
}
