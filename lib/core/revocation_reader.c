/* Reads from the store what was revoked since the last time: one worker of the pool at a time, a piece at a time. */
#include "core/revocation_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "redis/redis.h"
#include "stats/stats.h"

#define PIECE "500"

enum { ID_BYTES = 48 };

struct fg_revocation_reader {
	struct fg_gateway *gw;
	const struct fg_revocation_conf *conf;
	struct fg_str name;
	struct fg_revocation_table *table;
	struct fg_timer timer;
	struct fg_redis_query *query; /* NULL: this worker does not read */
	_Atomic uint64_t *age;        /* NULL: not counted */
};

static const struct fg_clock *
clock_of(const struct fg_revocation_reader *reader)
{
	return fg_loop_clock(reader->gw->loop);
}

bool
fg_revocation_is_stale(const struct fg_revocation_reader *reader)
{
	int64_t good = atomic_load_explicit(&reader->table->good, memory_order_relaxed);

	if (atomic_load_explicit(&reader->table->full_until, memory_order_relaxed) > clock_of(reader)->wall)
		return true;
	/* Without a store the table is all there is. */
	return reader->gw->config->store.redis != NULL && (good == 0 || clock_of(reader)->mono - good > reader->conf->stale_after);
}

/* ---- what was said of it */

static void
log_failure(struct fg_revocation_reader *reader, enum fg_err err)
{
	if (atomic_exchange(&reader->table->failing, 1) == 0)
		FG_LOG(reader->gw->log, WARN, "auth", "the store cannot be asked what was revoked", FG_F_STR("policy", reader->name),
		    FG_F_CSTR("because", fg_err_token(err)),
		    FG_F_CSTR("then", reader->conf->deny ? "tokens are answered 503" : "tokens are taken"));
}

static void
note_success(struct fg_revocation_reader *reader)
{
	atomic_store(&reader->table->good, clock_of(reader)->mono);
	if (atomic_exchange(&reader->table->failing, 0) != 0)
		FG_LOG(reader->gw->log, INFO, "auth", "the store says again what was revoked", FG_F_STR("policy", reader->name));
}

static void
end_reading(struct fg_revocation_reader *reader)
{
	atomic_store(&reader->table->next, clock_of(reader)->mono + reader->conf->check_every);
	fg_revocation_unlock(reader->table);
}

/* ---- entries of the stream */

static struct fg_str
field(const struct fg_redis_reply *fields, struct fg_str name)
{
	for (size_t i = 0; i + 1 < fields->count; i += 2)
		if (fields->items[i].type == FG_REDIS_STRING && fg_str_eq(fields->items[i].str, name))
			return fields->items[i + 1].str;
	return FG_STR_NONE;
}

static bool
read_ms(const struct fg_redis_reply *fields, struct fg_str name, fg_usec *out)
{
	uint64_t number;

	if (!fg_str_to_u64(field(fields, name), &number) || number > INT64_MAX / FG_US_PER_MS)
		return false;
	*out = (fg_usec)number * FG_US_PER_MS;
	return true;
}

static bool
read_revocation(struct fg_revocation *revocation, const struct fg_redis_reply *fields)
{
	struct fg_str kind = field(fields, FG_STR("kind"));

	*revocation = (struct fg_revocation){.kind = FG_REVOCATION_KINDS, .issuer = field(fields, FG_STR("issuer")),
	    .value = field(fields, FG_STR("value"))};
	for (unsigned k = 0; k < FG_REVOCATION_KINDS; k++)
		if (fg_str_eq(kind, fg_str_from(fg_revocation_kind_name((enum fg_revocation_kind)k))))
			revocation->kind = (enum fg_revocation_kind)k;
	return revocation->kind != FG_REVOCATION_KINDS && read_ms(fields, FG_STR("before"), &revocation->before) &&
	    read_ms(fields, FG_STR("until"), &revocation->until);
}

/* "1700000000000-0". */
static bool
read_id(struct fg_str text, uint64_t id[2])
{
	size_t dash = fg_str_find(text, '-');

	return fg_str_to_u64(fg_str_slice(text, 0, dash), &id[0]) && fg_str_to_u64(fg_str_slice(text, dash + 1, text.len), &id[1]);
}

/* False: it is not what XRANGE gives. */
static bool
take_entry(struct fg_revocation_reader *reader, const struct fg_redis_reply *entry)
{
	fg_usec now = clock_of(reader)->wall;
	struct fg_revocation revocation;
	uint64_t id[2];

	if (entry->type != FG_REDIS_ARRAY || entry->count != 2 || entry->items[1].type != FG_REDIS_ARRAY ||
	    !read_id(entry->items[0].str, id))
		return false;
	if (!read_revocation(&revocation, &entry->items[1]))
		FG_LOG(reader->gw->log, ERROR, "auth", "a revocation in the store is not understood", FG_F_STR("id", entry->items[0].str));
	else if (revocation.until > now && fg_revocation_add(reader->table, &revocation, now) != FG_OK)
		FG_LOG(reader->gw->log, ERROR, "auth", "no room for more revocations", FG_F_INT("most", FG_MAX_REVOCATIONS));
	atomic_store(&reader->table->last[0], id[0]);
	atomic_store(&reader->table->last[1], id[1]);
	return true;
}

/* ---- asking */

static void ask(struct fg_revocation_reader *reader);

static void
on_reply(void *arg, enum fg_err err, const struct fg_redis_reply *reply)
{
	struct fg_revocation_reader *reader = arg;
	bool ok = err == FG_OK && reply->type == FG_REDIS_ARRAY;

	reader->query = NULL;
	for (size_t i = 0; ok && i < reply->count; i++)
		ok = take_entry(reader, &reply->items[i]);
	if (ok && reply->count > 0) {
		ask(reader); /* there may be more */
		return;
	}
	if (ok)
		note_success(reader);
	else
		log_failure(reader, err == FG_OK ? FG_ERR_STORE_ERROR : err);
	end_reading(reader);
}

static void
ask(struct fg_revocation_reader *reader)
{
	static const struct fg_str key = FG_STR_INIT(FG_REVOCATION_KEY);
	struct fg_str args[] = {FG_STR("XRANGE"), key, FG_STR_NONE, FG_STR("+"), FG_STR("COUNT"), FG_STR(PIECE)};
	char from[ID_BYTES];
	int len = snprintf(from, sizeof(from), "(%llu-%llu", (unsigned long long)atomic_load(&reader->table->last[0]),
	    (unsigned long long)atomic_load(&reader->table->last[1]));

	args[2] = (struct fg_str){from, (size_t)len};
	reader->query = fg_redis_command(reader->gw->redis, key, args, FG_ARRAY_LEN(args), on_reply, reader);
}

static void
on_tick(struct fg_timer *timer, void *arg)
{
	struct fg_revocation_reader *reader = arg;
	const struct fg_clock *now = clock_of(reader);
	int64_t good = atomic_load(&reader->table->good);

	if (reader->query == NULL && !reader->gw->draining && now->mono >= atomic_load(&reader->table->next) &&
	    fg_revocation_lock(reader->table, now->mono))
		ask(reader);
	if (reader->age != NULL && good != 0)
		atomic_store_explicit(reader->age, (uint64_t)(now->wall - (now->mono - good)), memory_order_relaxed);
	fg_timer_start(timer, reader->conf->check_every / 4 + 1);
}

/* ---- life */

struct fg_revocation_reader *
fg_revocation_reader_new(struct fg_gateway *gw, const struct fg_revocation_conf *conf, struct fg_str name, struct fg_revocation_table *table)
{
	struct fg_revocation_reader *reader = calloc(1, sizeof(*reader));

	FG_ASSERT(reader != NULL);
	*reader = (struct fg_revocation_reader){.gw = gw, .conf = conf, .name = name, .table = table};
	fg_timer_init(&reader->timer, gw->loop, on_tick, reader);
	if (gw->client == NULL || gw->redis == NULL)
		return reader;
	if (gw->stats != NULL)
		reader->age = fg_stats_cell(gw->stats, FG_FAMILY_REVOCATIONS_AGE, name, FG_STR_NONE);
	fg_timer_start(&reader->timer, 0);
	return reader;
}

void
fg_revocation_reader_free(struct fg_revocation_reader *reader)
{
	if (reader->query != NULL) {
		fg_redis_cancel(reader->query);
		fg_revocation_unlock(reader->table);
	}
	fg_timer_stop(&reader->timer);
	free(reader);
}
