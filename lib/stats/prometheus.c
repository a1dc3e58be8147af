/* Pieces of the Prometheus text format; see prometheus.h. */
#include "stats/prometheus.h"

void
fg_prometheus_head(struct fg_buf *out, const char *name, const char *type, const char *help)
{
	fg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
fg_prometheus_label(struct fg_buf *out, struct fg_str value)
{
	fg_buf_add_char(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\n') {
			fg_buf_add(out, FG_STR("\\n"));
			continue;
		}
		if (value.p[i] == '"' || value.p[i] == '\\')
			fg_buf_add_char(out, '\\');
		fg_buf_add_char(out, value.p[i]);
	}
	fg_buf_add_char(out, '"');
}

void
fg_prometheus_number(struct fg_buf *out, uint64_t number)
{
	fg_buf_add_char(out, ' ');
	fg_buf_add_u64(out, number);
	fg_buf_add_char(out, '\n');
}
