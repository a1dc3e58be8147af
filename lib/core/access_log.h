/*
 * The access log: one line for each exchange, JSON or the combined format.
 *
 *   time, status, reason, method, host, path, query (true/false is not enough: the raw query), route, service, target,
 *   client, peer, request_id, trace_id, bytes_in, bytes_out, duration_ms, decide_ms, connect_ms, first_byte_ms,
 *   waiting_on, protocol, user_agent, referer
 *
 * A field that does not apply is left out. Credentials never stand in it: a query's values for names like
 * access_token, api_key, key, token, password, signature are replaced by "***".
 */
#ifndef FG_CORE_ACCESS_LOG_H
#define FG_CORE_ACCESS_LOG_H

#include "core/config.h"

struct fg_access_log;
struct fg_exchange;
struct fg_stats;

/* *out is NULL for path "off". FG_ERR_SYSTEM when the file cannot be opened. */
enum fg_err fg_access_log_new(struct fg_access_log **out, const struct fg_access_log_conf *conf, struct fg_stats *stats)
    FG_MUST_CHECK;
void fg_access_log_free(struct fg_access_log *log);
void fg_access_log_write(struct fg_access_log *log, const struct fg_exchange *x);
void fg_access_log_flush(struct fg_access_log *log);  /* end of a loop turn */
void fg_access_log_reopen(struct fg_access_log *log); /* USR1 */

struct fg_buf;
/* The line for x, newline included; for tests. */
bool fg_access_log_format(struct fg_buf *line, const struct fg_exchange *x, enum fg_log_format format);

#endif
