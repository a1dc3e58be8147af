/*
 * The breaker of a node: after failures in a row nobody waits for it but a probe now and then, at random moments so that
 * the workers of all machines do not come back together. Its changes are what the log tells about a node, once each.
 */
#include "redis/redis_internal.h"

enum { MAX_DOUBLINGS = 20, LEAST_WAIT_USEC = 1000 };

static fg_usec
draw_wait(struct fg_redis_breaker *breaker)
{
	struct fg_redis *redis = breaker->redis;
	unsigned doublings = breaker->rounds < MAX_DOUBLINGS ? breaker->rounds : MAX_DOUBLINGS;
	fg_usec most = redis->options.backoff_min << doublings;
	uint64_t draw = ++redis->draws;

	if (most > redis->options.backoff_max)
		most = redis->options.backoff_max;
	if (most <= LEAST_WAIT_USEC)
		return LEAST_WAIT_USEC;
	/* A keyed hash of a counter is as random as this needs to be. */
	draw = fg_str_hash((struct fg_str){(const char *)&draw, sizeof(draw)});
	return LEAST_WAIT_USEC + (fg_usec)(draw % (uint64_t)(most - LEAST_WAIT_USEC));
}

static struct fg_str
name_of(const struct fg_redis_breaker *breaker, char *buf)
{
	return breaker->where == NULL ? FG_STR("cluster") : fg_redis_where_format(breaker->where, buf);
}

static void
tell_failing(struct fg_redis_breaker *breaker, enum fg_err err, struct fg_str detail)
{
	char buf[FG_REDIS_HOST_BYTES + 16];

	breaker->told = true;
	if (fg_err_info(err)->level == FG_LOG_ERROR)
		FG_LOG(breaker->redis->log, ERROR, "redis", "the store fails, only probes are sent to it",
		    FG_F_STR("node", name_of(breaker, buf)), FG_F_CSTR("reason", fg_err_token(err)), FG_F_STR("detail", detail));
	else
		FG_LOG(breaker->redis->log, WARN, "redis", "the store fails, only probes are sent to it",
		    FG_F_STR("node", name_of(breaker, buf)), FG_F_CSTR("reason", fg_err_token(err)), FG_F_STR("detail", detail));
}

void
fg_redis_breaker_trip(struct fg_redis_breaker *breaker, enum fg_err err, struct fg_str detail)
{
	if (!breaker->told) {
		breaker->open_since = fg_redis_now(breaker->redis);
		tell_failing(breaker, err, detail);
	}
	if (breaker->state == FG_REDIS_CLOSED)
		breaker->redis->stats.breaker_opened++;
	breaker->state = FG_REDIS_OPEN;
	fg_timer_start(&breaker->timer, draw_wait(breaker));
	breaker->rounds++;
}

bool
fg_redis_breaker_fail(struct fg_redis_breaker *breaker, enum fg_err err, struct fg_str detail)
{
	if (breaker->state != FG_REDIS_CLOSED || ++breaker->failures < breaker->redis->options.breaker_failures)
		return false;
	fg_redis_breaker_trip(breaker, err, detail);
	return true;
}

void
fg_redis_breaker_pass(struct fg_redis_breaker *breaker)
{
	breaker->state = FG_REDIS_CLOSED;
	breaker->failures = breaker->redis->options.breaker_failures - 1;
}

void
fg_redis_breaker_succeed(struct fg_redis_breaker *breaker)
{
	char buf[FG_REDIS_HOST_BYTES + 16];

	/* A late answer, while it is open, proves nothing. */
	if (breaker->state != FG_REDIS_CLOSED)
		return;
	breaker->failures = 0;
	if (!breaker->told)
		return;
	FG_LOG(breaker->redis->log, WARN, "redis", "the store answers again", FG_F_STR("node", name_of(breaker, buf)),
	    FG_F_INT("after_ms", (fg_redis_now(breaker->redis) - breaker->open_since) / FG_US_PER_MS));
	breaker->told = false;
	breaker->rounds = 0;
	breaker->open_since = 0;
}

void
fg_redis_breaker_reset(struct fg_redis_breaker *breaker)
{
	fg_timer_stop(&breaker->timer);
	breaker->state = FG_REDIS_CLOSED;
	breaker->failures = breaker->rounds = 0;
	breaker->open_since = 0;
	breaker->told = false;
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_redis_breaker *breaker = arg;

	(void)timer;
	breaker->state = FG_REDIS_PROBING;
	breaker->redis->stats.probes++;
	breaker->probe(breaker->arg);
}

void
fg_redis_breaker_init(struct fg_redis_breaker *breaker, struct fg_redis *redis, const struct fg_redis_where *where,
    void (*probe)(void *arg), void *arg)
{
	*breaker = (struct fg_redis_breaker){.redis = redis, .where = where, .probe = probe, .arg = arg};
	fg_timer_init(&breaker->timer, redis->loop, on_timer, breaker);
}

void
fg_redis_breaker_fini(struct fg_redis_breaker *breaker)
{
	fg_timer_stop(&breaker->timer);
}
