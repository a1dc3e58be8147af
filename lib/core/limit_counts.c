/* Counting what became of requests, limit by limit. */
#include "core/limit_counts.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/exchange.h"
#include "stats/stats.h"

/* Of one policy; its numbers are looked up when they first count. */
struct counted {
	_Atomic uint64_t *outcomes[FG_LIMIT_OUTCOMES], *waited;
	uint64_t observed;   /* since the log last said so */
	fg_usec observed_at; /* when it did; monotonic */
};

struct fg_limit_counts {
	struct fg_gateway *gw; /* borrowed */
	struct counted policies[];
};

struct fg_limit_counts *
fg_limit_counts_new(struct fg_gateway *gw, size_t policies)
{
	struct fg_limit_counts *counts = calloc(1, sizeof(*counts) + policies * sizeof(counts->policies[0]));

	FG_ASSERT(counts != NULL);
	counts->gw = gw;
	return counts;
}

void
fg_limit_counts_free(struct fg_limit_counts *counts)
{
	free(counts);
}

const char *
fg_limit_outcome_name(enum fg_limit_outcome outcome)
{
	static const char *const names[FG_LIMIT_OUTCOMES] = {
#define FG_LIMIT_OUTCOME_NAME(symbol, label) label,
	    FG_LIMIT_OUTCOME_TABLE(FG_LIMIT_OUTCOME_NAME)
#undef FG_LIMIT_OUTCOME_NAME
	};

	return names[outcome];
}

enum fg_limit_outcome
fg_limit_outcome(const struct fg_limit_job *job, size_t i)
{
	const struct fg_limit_policy *policy = job->one[i].policy;
	bool allowed = job->asks[i].result.allowed;

	if (!allowed && policy->is_observed)
		return FG_LIMIT_WAS_OBSERVED;
	switch (job->one[i].decided_by) {
	case FG_LIMIT_BY_STORE:
		return allowed ? FG_LIMIT_WAS_ALLOWED : FG_LIMIT_WAS_REFUSED;
	case FG_LIMIT_BY_BLOCK:
		return FG_LIMIT_WAS_REFUSED_WITHOUT_STORE;
	case FG_LIMIT_BY_SHARE:
		return allowed ? FG_LIMIT_WAS_ALLOWED_BY_SHARE : FG_LIMIT_WAS_REFUSED_BY_SHARE;
	case FG_LIMIT_BY_NOBODY:
		return policy->on_failure == FG_LIMIT_FAIL_DENY ? FG_LIMIT_WAS_FAILED_CLOSED : FG_LIMIT_WAS_FAILED_OPEN;
	case FG_LIMIT_NOT_ASKED:
		break;
	}
	return FG_LIMIT_WAS_NOT_ASKED;
}

static void
count(struct fg_limit_counts *counts, const struct fg_policy *policy, enum fg_limit_outcome outcome, fg_usec waited)
{
	struct counted *counted = &counts->policies[policy->index];
	_Atomic uint64_t **cell = &counted->outcomes[outcome];

	if (*cell == NULL)
		*cell = fg_stats_cell(counts->gw->stats, FG_FAMILY_LIMITS, policy->name, fg_str_from(fg_limit_outcome_name(outcome)));
	atomic_fetch_add_explicit(*cell, 1, memory_order_relaxed);
	if (waited <= 0)
		return;
	if (counted->waited == NULL)
		counted->waited = fg_stats_cell(counts->gw->stats, FG_FAMILY_LIMIT_WAITS, policy->name, FG_STR_NONE);
	atomic_fetch_add_explicit(counted->waited, (uint64_t)waited, memory_order_relaxed);
}

static void
note_observed(struct fg_limit_counts *counts, const struct fg_policy *policy)
{
	struct counted *counted = &counts->policies[policy->index];
	fg_usec now = fg_loop_clock(counts->gw->loop)->mono;

	counted->observed++;
	if (counted->observed_at != 0 && now - counted->observed_at < FG_US_PER_S)
		return;
	FG_LOG(counts->gw->log, INFO, "limits", "a limit that is observed would have refused", FG_F_STR("policy", policy->name),
	    FG_F_INT("requests", counted->observed));
	counted->observed = 0;
	counted->observed_at = now;
}

void
fg_limit_counts_add(struct fg_limit_counts *counts, const struct fg_limit_job *job)
{
	fg_usec waited = job->sent == 0 ? 0 : fg_loop_clock(counts->gw->loop)->mono - job->sent;

	for (size_t i = 0; i < job->count; i++) {
		enum fg_limit_outcome outcome = fg_limit_outcome(job, i);

		if (counts->gw->stats != NULL)
			count(counts, &job->one[i].policy->policy, outcome, waited);
		if (outcome == FG_LIMIT_WAS_OBSERVED)
			note_observed(counts, &job->one[i].policy->policy);
	}
}
