/*
 * Where log lines go: a file, standard error, syslog. Writing can wait for a disk or a full pipe, so a thread of its
 * own does it; the loop only appends to a queue in memory (FG_MAX_LOG_QUEUE_BYTES), which the thread takes whole. A
 * line that finds the queue full is dropped and counted.
 */
#ifndef FG_STATS_LOG_SINK_H
#define FG_STATS_LOG_SINK_H

#include "base/assert.h"
#include "base/err.h"
#include "base/str.h"

struct fg_log_sink;
struct fg_stats;

/*
 * destination: "stderr", "syslog", or a file's path (opened for appending at once, so that a wrong path is an error here:
 * FG_ERR_SYSTEM with errno set). stats may be NULL. The thread starts with the first flush that finds a line, so that a
 * fork before is harmless.
 */
enum fg_err fg_log_sink_new(struct fg_log_sink **out, struct fg_str destination, struct fg_stats *stats) FG_MUST_CHECK;
/* Writes what is queued (waiting at most two seconds for a stuck destination), then frees. */
void fg_log_sink_free(struct fg_log_sink *sink);
/* Queues one whole line, newline included. Never waits; nothing is written before the first flush. */
void fg_log_sink_write(struct fg_log_sink *sink, struct fg_str line);
/* Has the thread write what is queued: once a loop turn, so that a turn's lines go out in one write. */
void fg_log_sink_flush(struct fg_log_sink *sink);
/* Opens the file anew (USR1, after a rotation); the old one stays in use when that fails. */
void fg_log_sink_reopen(struct fg_log_sink *sink);
/* errno of the last write, or of the last reopening, that failed and was not made good since; 0: all is well. */
int fg_log_sink_error(const struct fg_log_sink *sink);

#endif
