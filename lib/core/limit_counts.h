/* What became of requests, limit by limit: counted in the pool's statistics, by the name of the limit and the outcome. */
#ifndef FG_CORE_LIMIT_COUNTS_H
#define FG_CORE_LIMIT_COUNTS_H

#include "core/limiter.h"

/* Columns: symbol, the label in metrics and in explain. */
#define FG_LIMIT_OUTCOME_TABLE(X) \
	X(ALLOWED, "allowed") \
	X(REFUSED, "refused") \
	X(REFUSED_WITHOUT_STORE, "refused_without_store") \
	X(ALLOWED_BY_SHARE, "allowed_by_share") \
	X(REFUSED_BY_SHARE, "refused_by_share") \
	X(FAILED_OPEN, "failed_open") \
	X(FAILED_CLOSED, "failed_closed") \
	X(OBSERVED, "observed") \
	X(NOT_ASKED, "not_asked")

enum fg_limit_outcome {
#define FG_LIMIT_OUTCOME_SYMBOL(symbol, label) FG_LIMIT_WAS_##symbol,
	FG_LIMIT_OUTCOME_TABLE(FG_LIMIT_OUTCOME_SYMBOL)
#undef FG_LIMIT_OUTCOME_SYMBOL
	FG_LIMIT_OUTCOMES,
};

struct fg_limit_counts;

/* of so many policies. Never NULL; without statistics it counts nothing. */
struct fg_limit_counts *fg_limit_counts_new(struct fg_gateway *gw, size_t policies);
void fg_limit_counts_free(struct fg_limit_counts *counts);
/* Once, when the job is decided. Says in the log, once a second at most, what limits that are observed would have refused. */
void fg_limit_counts_add(struct fg_limit_counts *counts, const struct fg_limit_job *job);

enum fg_limit_outcome fg_limit_outcome(const struct fg_limit_job *job, size_t i);
const char *fg_limit_outcome_name(enum fg_limit_outcome outcome);

#endif
