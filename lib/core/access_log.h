/*
 * The access log: one line for each exchange, JSON or the combined format.
 *
 *   time, status, reason, method, scheme, host, path, query, protocol, route, service, target, error, tries, client, peer,
 *   request_id, trace_id, bytes_in, bytes_out, duration_ms, decide_ms, connect_ms, first_byte_ms, waiting_on, user_agent, referer
 *
 * path is the canonical one that was decided on, or as it was received where it has no canonical form; query is the raw
 * query. duration_ms is the whole exchange; decide_ms from its start to the decision; connect_ms and first_byte_ms from
 * the start of forwarding to a connection (left out for one that was kept alive) and to the response's first byte. A
 * field that does not apply is left out; tries is there when there was more than one, error when the target of the last could
 * not be connected to ("connect: Connection refused"). Values of clients are cut where they grow too long, with "..." at their
 * end, so that a line stays below FG_MAX_LOG_LINE_BYTES. status 0: the client left, or was cut off, before there was one.
 *
 * Credentials do not stand in it: in queries (the referer's too) the values of parameters named like access_token,
 * api_key, key, password, signature are replaced by "***" (access_log_redact.c has the names).
 */
#ifndef FG_CORE_ACCESS_LOG_H
#define FG_CORE_ACCESS_LOG_H

#include "core/config.h"

struct fg_access_log;
struct fg_buf;
struct fg_exchange;
struct fg_stats;

/* *out is NULL for path "off". FG_ERR_SYSTEM, with errno set, when the file cannot be opened. */
enum fg_err fg_access_log_new(struct fg_access_log **out, const struct fg_access_log_conf *conf, struct fg_stats *stats)
    FG_MUST_CHECK;
void fg_access_log_free(struct fg_access_log *log);
void fg_access_log_write(struct fg_access_log *log, const struct fg_exchange *x);
void fg_access_log_flush(struct fg_access_log *log);  /* end of a loop turn */
void fg_access_log_reopen(struct fg_access_log *log); /* USR1 */
int fg_access_log_error(const struct fg_access_log *log); /* as fg_log_sink_error() */

/* The line for x, newline included, at the end of line. False when it does not fit there. */
bool fg_access_log_format(struct fg_buf *line, const struct fg_exchange *x, enum fg_log_format format);
/*
 * The query with the values of what looks like a credential replaced, and of the parameters that the configuration says
 * are one: itself when there is none, else a copy in room, cut where that ends.
 */
struct fg_str fg_query_redact(struct fg_str query, const struct fg_str *credentials, size_t credential_count, char *room,
    size_t size);

#endif
