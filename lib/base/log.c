/* Formats log lines; where they go is the caller's. */
#include "base/log.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

const char *
fg_log_level_name(enum fg_log_level level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};

	return names[level];
}

static bool
is_plain(struct fg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return s.len > 0;
}

static void
add_field(struct fg_buf *line, const struct fg_log_field *field)
{
	if (field->key[0] == '\0')
		return;
	fg_buf_printf(line, " %s=", field->key);
	if (field->type == FG_FIELD_INT) {
		fg_buf_printf(line, "%lld", (long long)field->number);
	} else if (is_plain(field->str)) {
		fg_buf_add(line, field->str);
	} else {
		fg_buf_add_char(line, '"');
		fg_buf_add_json(line, field->str);
		fg_buf_add_char(line, '"');
	}
}

void
fg_log_write(const struct fg_log *log, enum fg_log_level level, const char *component, const char *message,
    const struct fg_log_field *fields)
{
	struct fg_buf line;
	struct fg_clock now;
	char stamp[32];

	if (level > log->level)
		return;
	fg_clock_read(&now);
	fg_clock_format_rfc3339(now.wall, stamp);
	fg_buf_init(&line, FG_MAX_LOG_LINE_BYTES);
	fg_buf_printf(&line, "%s %s %s: %s", stamp, fg_log_level_name(level), component, message);
	if (fields->key != NULL)
		fg_buf_add_char(&line, ':');
	for (; fields->key != NULL; fields++)
		add_field(&line, fields);
	/* A field that does not fit is left out whole; the line end always finds its place. */
	if (line.len == line.max)
		line.len--;
	fg_buf_add_char(&line, '\n');
	if (log->write != NULL)
		log->write(log->arg, fg_buf_str(&line));
	else
		(void)!write(STDERR_FILENO, line.p, line.len);
	fg_buf_fini(&line);
}
