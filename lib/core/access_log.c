/* Formats one line for each exchange; log_sink.c writes it. The contract and the fields stand in access_log.h. */
#include "core/access_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/config.h"
#include "core/exchange.h"
#include "core/identity.h"
#include "stats/log_sink.h"

/* Most bytes of one value in the line, escapes included; their sum stays below FG_MAX_LOG_LINE_BYTES, so that only a
   first try, before it is cut, can fail to fit. */
enum { SHORT_BYTES = 256, AGENT_BYTES = 1024, REFERER_BYTES = 2048, PATH_BYTES = 3072, QUERY_BYTES = 3072 };

struct fg_access_log {
	struct fg_log_sink *sink;
	enum fg_log_format format;
	struct fg_buf line; /* kept for its memory */
};

typedef bool escape_fn(struct fg_buf *line, struct fg_str s);

/* ---- values */

/* The text escaped, in no more than most bytes (and three dots). */
static void
add_escaped(struct fg_buf *line, struct fg_str text, size_t most, escape_fn *escape)
{
	size_t from = line->len;

	if (!escape(line, fg_str_slice(text, 0, most)) || line->len - from > most) {
		/* No byte becomes more than six. */
		line->len = from;
		line->failed = false;
		escape(line, fg_str_slice(text, 0, most / 6));
	} else if (text.len <= most) {
		return;
	}
	fg_buf_add(line, FG_STR("..."));
}

/* What Apache does in the combined format; lowest: the first character that is printed as it is. */
static bool
escape_from(struct fg_buf *line, struct fg_str s, unsigned char lowest)
{
	size_t plain = 0;
	bool ok = true;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= lowest && c < 0x7f && c != '"' && c != '\\')
			continue;
		ok &= fg_buf_append(line, s.p + plain, i - plain);
		plain = i + 1;
		if (c == '"' || c == '\\')
			ok &= fg_buf_add_char(line, '\\') && fg_buf_add_char(line, (char)c);
		else
			ok &= fg_buf_printf(line, "\\x%02x", c);
	}
	return fg_buf_append(line, s.p + plain, s.len - plain) && ok;
}

/* The inside of a quoted field. */
static bool
escape_combined(struct fg_buf *line, struct fg_str s)
{
	return escape_from(line, s, ' ');
}

/* A field without quotes: a space would begin the next one. */
static bool
escape_combined_word(struct fg_buf *line, struct fg_str s)
{
	return escape_from(line, s, ' ' + 1);
}

static struct fg_str
path_of(const struct fg_exchange *x)
{
	const struct fg_uri *uri = &x->req.uri;

	return uri->path.len > 0 ? uri->path : fg_str_slice(uri->raw, 0, fg_str_find(uri->raw, '?'));
}

static struct fg_str
query_of(const struct fg_exchange *x)
{
	const struct fg_uri *uri = &x->req.uri;

	if (uri->path.len > 0)
		return uri->query;
	return fg_str_slice(uri->raw, fg_str_find(uri->raw, '?') + 1, uri->raw.len);
}

static struct fg_str
redact(const struct fg_exchange *x, struct fg_str query, char *room, size_t size)
{
	const struct fg_config *config = x->gw->config;

	return fg_query_redact(query, config->credential_params, config->credential_param_count, room, size);
}

/* Of the Referer, its own query redacted; in room when that changes anything. */
static struct fg_str
referer_of(const struct fg_exchange *x, char *room, size_t size)
{
	struct fg_str referer = fg_str_slice(fg_headers_value(&x->req.headers, FG_HDR_REFERER), 0, size), query;
	size_t at = fg_str_find(referer, '?') + 1;
	char redacted[REFERER_BYTES];

	if (at > referer.len)
		return referer;
	query = redact(x, fg_str_slice(referer, at, referer.len), redacted, sizeof(redacted));
	if (query.p != redacted)
		return referer;
	memcpy(room, referer.p, at);
	if (query.len > size - at)
		query.len = size - at;
	memcpy(room + at, query.p, query.len);
	return (struct fg_str){room, at + query.len};
}

static int
status_of(const struct fg_exchange *x)
{
	return x->head_sent ? x->resp.status : 0;
}

/* ---- JSON */

/* A field's name as it stands in the line. */
#define KEY(name) FG_STR(",\"" name "\":")

static void
add_text(struct fg_buf *line, struct fg_str key, struct fg_str value, size_t most)
{
	if (value.len == 0)
		return;
	fg_buf_add(line, key);
	fg_buf_add_char(line, '"');
	add_escaped(line, value, most, fg_buf_add_json);
	fg_buf_add_char(line, '"');
}

static void
add_count(struct fg_buf *line, struct fg_str key, int64_t number)
{
	fg_buf_add(line, key);
	fg_buf_add_u64(line, number > 0 ? (uint64_t)number : 0);
}

/* Milliseconds with three decimals. */
static void
add_span(struct fg_buf *line, struct fg_str key, fg_usec from, fg_usec to)
{
	uint64_t micros = to > from ? (uint64_t)(to - from) : 0;
	char decimals[4] = {'.', (char)('0' + micros / 100 % 10), (char)('0' + micros / 10 % 10), (char)('0' + micros % 10)};

	if (from == 0 || to == 0)
		return;
	fg_buf_add(line, key);
	fg_buf_add_u64(line, micros / FG_US_PER_MS);
	fg_buf_append(line, decimals, sizeof(decimals));
}

static void
add_request_fields(struct fg_buf *line, const struct fg_exchange *x)
{
	char room[FG_MAX_TARGET_BYTES];

	add_text(line, KEY("method"), x->req.method, SHORT_BYTES);
	add_text(line, KEY("scheme"), x->req.scheme, SHORT_BYTES);
	add_text(line, KEY("host"), x->req.host, SHORT_BYTES);
	add_text(line, KEY("path"), path_of(x), PATH_BYTES);
	add_text(line, KEY("query"), redact(x, query_of(x), room, sizeof(room)), QUERY_BYTES);
	add_text(line, KEY("protocol"), x->req.protocol, SHORT_BYTES);
}

static void
add_client_fields(struct fg_buf *line, const struct fg_exchange *x)
{
	char room[REFERER_BYTES + 1];

	add_text(line, KEY("user_agent"), fg_headers_value(&x->req.headers, FG_HDR_USER_AGENT), AGENT_BYTES);
	add_text(line, KEY("referer"), referer_of(x, room, sizeof(room)), REFERER_BYTES);
}

static void
add_decision_fields(struct fg_buf *line, const struct fg_exchange *x)
{
	const char *hedged = fg_hedge_outcome(x);
	char error[FG_CONNECT_ERROR_BYTES];

	if (x->route != NULL)
		add_text(line, KEY("route"), x->route->name, SHORT_BYTES);
	if (x->service != NULL)
		add_text(line, KEY("service"), x->service->name, SHORT_BYTES);
	if (x->lead->target != NULL)
		add_text(line, KEY("target"), x->lead->target->url, SHORT_BYTES);
	add_text(line, KEY("error"), fg_connect_error_text(x->lead->connect_error, error), SHORT_BYTES);
	if (x->tries > 1)
		add_count(line, KEY("tries"), x->tries);
	if (hedged != NULL)
		add_text(line, KEY("hedged"), fg_str_from(hedged), SHORT_BYTES);
	if (x->identity != NULL) {
		add_text(line, KEY("consumer"), x->identity->consumer, SHORT_BYTES);
		add_text(line, KEY("auth"), x->identity->policy, SHORT_BYTES);
		add_text(line, KEY("credential"), x->identity->credential, SHORT_BYTES);
	}
}

static void
format_json(struct fg_buf *line, const struct fg_exchange *x)
{
	char stamp[32];
	struct fg_str time = {stamp, (size_t)fg_clock_format_rfc3339(x->wall, stamp)};

	fg_buf_add(line, FG_STR("{\"time\":\""));
	fg_buf_add(line, time);
	fg_buf_add_char(line, '"');
	add_count(line, KEY("status"), status_of(x));
	add_text(line, KEY("reason"), fg_str_from(fg_err_token(x->reason)), SHORT_BYTES);
	add_request_fields(line, x);
	add_decision_fields(line, x);
	add_text(line, KEY("client"), x->req.client_text, SHORT_BYTES);
	add_text(line, KEY("peer"), x->req.peer_text, SHORT_BYTES);
	add_text(line, KEY("request_id"), x->req.id, SHORT_BYTES);
	add_text(line, KEY("trace_id"), x->req.trace_id, SHORT_BYTES);
	add_count(line, KEY("bytes_in"), x->received);
	add_count(line, KEY("bytes_out"), x->sent);
	add_span(line, KEY("duration_ms"), x->started, x->ended);
	add_span(line, KEY("decide_ms"), x->started, x->decided);
	if (x->waited > 0)
		add_span(line, KEY("queue_ms"), x->queued, x->queued + x->waited);
	add_span(line, KEY("connect_ms"), x->called, x->lead->connected);
	add_span(line, KEY("first_byte_ms"), x->called, x->lead->first_byte);
	if (x->waiting_on != NULL)
		add_text(line, KEY("waiting_on"), fg_str_from(x->waiting_on), SHORT_BYTES);
	add_client_fields(line, x);
	fg_buf_add(line, FG_STR("}\n"));
}

/* ---- combined */

static void
add_quoted(struct fg_buf *line, struct fg_str value, size_t most)
{
	fg_buf_add_char(line, '"');
	if (value.len == 0)
		fg_buf_add_char(line, '-');
	add_escaped(line, value, most, escape_combined);
	fg_buf_add_char(line, '"');
}

/* 24/Nov/2026:20:07:49 +0000, not by strftime(): its names of months follow the locale. */
static void
add_clf_time(struct fg_buf *line, fg_usec wall)
{
	static const char months[12][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(wall / FG_US_PER_S);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	fg_buf_printf(line, "%02d/%s/%04d:%02d:%02d:%02d +0000", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void
add_request_line(struct fg_buf *line, const struct fg_exchange *x)
{
	struct fg_str query = query_of(x);
	char room[FG_MAX_TARGET_BYTES];

	fg_buf_add(line, FG_STR("] \""));
	add_escaped(line, x->req.method, SHORT_BYTES, escape_combined);
	fg_buf_add_char(line, ' ');
	add_escaped(line, path_of(x), PATH_BYTES, escape_combined);
	if (query.len > 0)
		fg_buf_add_char(line, '?');
	add_escaped(line, redact(x, query, room, sizeof(room)), QUERY_BYTES, escape_combined);
	fg_buf_add_char(line, ' ');
	add_escaped(line, x->req.protocol, SHORT_BYTES, escape_combined);
	fg_buf_add(line, FG_STR("\" "));
}

static void
format_combined(struct fg_buf *line, const struct fg_exchange *x)
{
	struct fg_str client = x->req.client_text.len > 0 ? x->req.client_text : FG_STR("-");
	char room[REFERER_BYTES + 1];

	add_escaped(line, client, SHORT_BYTES, escape_combined);
	fg_buf_add(line, FG_STR(" - "));
	add_escaped(line, x->identity != NULL ? x->identity->consumer : FG_STR("-"), SHORT_BYTES, escape_combined_word);
	fg_buf_add(line, FG_STR(" ["));
	add_clf_time(line, x->wall);
	add_request_line(line, x);
	fg_buf_add_u64(line, (uint64_t)status_of(x));
	fg_buf_add_char(line, ' ');
	fg_buf_add_u64(line, x->sent > 0 ? (uint64_t)x->sent : 0);
	fg_buf_add_char(line, ' ');
	add_quoted(line, referer_of(x, room, sizeof(room)), REFERER_BYTES);
	fg_buf_add_char(line, ' ');
	add_quoted(line, fg_headers_value(&x->req.headers, FG_HDR_USER_AGENT), AGENT_BYTES);
	fg_buf_add_char(line, '\n');
}

/* ---- the log */

bool
fg_access_log_format(struct fg_buf *line, const struct fg_exchange *x, enum fg_log_format format)
{
	if (format == FG_LOG_JSON)
		format_json(line, x);
	else
		format_combined(line, x);
	return !line->failed;
}

enum fg_err
fg_access_log_new(struct fg_access_log **out, const struct fg_access_log_conf *conf, struct fg_stats *stats)
{
	struct fg_log_sink *sink;
	enum fg_err err;

	*out = NULL;
	if (fg_str_eq(conf->path, FG_STR("off")))
		return FG_OK;
	err = fg_log_sink_new(&sink, conf->path, stats);
	if (err != FG_OK)
		return err;
	*out = calloc(1, sizeof(**out));
	FG_ASSERT(*out != NULL);
	(*out)->sink = sink;
	(*out)->format = conf->format;
	fg_buf_init(&(*out)->line, FG_MAX_LOG_LINE_BYTES);
	return FG_OK;
}

void
fg_access_log_free(struct fg_access_log *log)
{
	if (log == NULL)
		return;
	fg_log_sink_free(log->sink);
	fg_buf_fini(&log->line);
	free(log);
}

void
fg_access_log_write(struct fg_access_log *log, const struct fg_exchange *x)
{
	fg_buf_reset(&log->line);
	/* The bounds of its values leave no other case. */
	FG_ASSERT(fg_access_log_format(&log->line, x, log->format));
	fg_log_sink_write(log->sink, fg_buf_str(&log->line));
}

void
fg_access_log_flush(struct fg_access_log *log)
{
	fg_log_sink_flush(log->sink);
}

void
fg_access_log_reopen(struct fg_access_log *log)
{
	fg_log_sink_reopen(log->sink);
}

int
fg_access_log_error(const struct fg_access_log *log)
{
	return fg_log_sink_error(log->sink);
}
