/* Pieces of the Prometheus text format 0.0.4, for whoever has numbers to show. */
#ifndef FG_STATS_PROMETHEUS_H
#define FG_STATS_PROMETHEUS_H

#include "base/buf.h"

void fg_prometheus_head(struct fg_buf *out, const char *name, const char *type, const char *help);
/* A label's value, quotes included; a backslash, a quote and a line feed are escaped, nothing else is. */
void fg_prometheus_label(struct fg_buf *out, struct fg_str value);
/* The end of a line. */
void fg_prometheus_number(struct fg_buf *out, uint64_t number);

#endif
