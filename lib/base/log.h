/*
 * The log of the program itself (the access log is core/access_log.h). A line is a constant message with facts:
 *
 *   2026-11-24T20:07:49.123Z warn supervisor: worker died, starting another: pid=4711 signal=9 backoff_ms=100
 *
 * error: a person must act; warn: degraded, and counted somewhere; info: what happens rarely; debug: for developers.
 * Values are escaped so that a line stays a line and a value cannot pretend to be another field.
 */
#ifndef FG_BASE_LOG_H
#define FG_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

struct fg_log_field {
	const char *key; /* NULL ends the list; empty: there is no such fact, and nothing is written of it */
	enum { FG_FIELD_STR, FG_FIELD_INT } type;
	struct fg_str str;
	int64_t number;
};

#define FG_F_STR(k, v) ((struct fg_log_field){.key = (k), .type = FG_FIELD_STR, .str = (v)})
#define FG_F_CSTR(k, v) ((struct fg_log_field){.key = (k), .type = FG_FIELD_STR, .str = fg_str_from(v)})
#define FG_F_INT(k, v) ((struct fg_log_field){.key = (k), .type = FG_FIELD_INT, .number = (v)})
#define FG_F_NONE ((struct fg_log_field){.key = ""})
#define FG_F_END ((struct fg_log_field){.key = NULL})

struct fg_log {
	enum fg_log_level level; /* lines of a higher number are not written */
	/*
	 * Takes one whole line, newline included; must not block for long in a worker. NULL: written to standard error
	 * at once, which only a process without a loop may do.
	 */
	void (*write)(void *arg, struct fg_str line);
	void *arg; /* borrowed */
};

/* component and message: constants. The list of fields ends itself: FG_LOG(log, WARN, "fcgi", "message", FG_F_…). */
void fg_log_write(const struct fg_log *log, enum fg_log_level level, const char *component, const char *message,
    const struct fg_log_field *fields);

#define FG_LOG(log, lvl, component, message, ...) \
	do { \
		if (FG_LOG_##lvl <= (log)->level) \
			fg_log_write((log), FG_LOG_##lvl, (component), (message), \
			    (const struct fg_log_field[]){__VA_ARGS__ __VA_OPT__(,) FG_F_END}); \
	} while (0)

/* "error", "warn", "info", "debug". */
const char *fg_log_level_name(enum fg_log_level level);

#endif
