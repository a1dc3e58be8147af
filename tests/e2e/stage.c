/* The stage that most suites play on. */
#include <stdarg.h>

#include "e2e/e2e.h"

static const struct played_part echo_alone[] = {{NULL, say_echo, false}};

void
stage_play(struct stage *stage, const struct played_part *a, const struct played_part *b)
{
	memset(stage, 0, sizeof(*stage));
	bed_open(&stage->bed);
	stage->a = played_start(a == NULL ? echo_alone : a);
	stage->b = played_start(b == NULL ? echo_alone : b);
}

void
stage_serve(struct stage *stage, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		bed_give_up("no memory");
	va_end(args);
	bed_write_config(&stage->bed, "%s", text);
	free(text);
	bed_start_pool(&stage->bed, NULL);
	stage->fronts[0] = bed_start_front(&stage->bed, FRONT_LIGHTTPD, "/", NULL);
	stage->fronts[1] = bed_start_front(&stage->bed, FRONT_APACHE, "/", NULL);
}

void
stage_open(struct stage *stage, const struct played_part *a, const struct played_part *b, const char *routes)
{
	stage_play(stage, a, b);
	stage_serve(stage, "services:\n  a: http://127.0.0.1:%d\n  b: http://127.0.0.1:%d\nroutes:\n%s",
	    played_port(stage->a), played_port(stage->b), routes);
}

bool
stage_close(struct stage *stage)
{
	bool good = bed_close(&stage->bed);

	played_stop(stage->a);
	played_stop(stage->b);
	return good;
}
