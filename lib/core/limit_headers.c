/* Telling clients of their limits. */
#include "core/limit_headers.h"

#include "core/exchange.h"

static int64_t
seconds_up(fg_usec span)
{
	return span <= 0 ? 0 : (span - 1) / FG_US_PER_S + 1;
}

static bool
is_told(const struct fg_limit_job *job, size_t i)
{
	return job->asks[i].result.limit > 0 && !job->one[i].policy->is_observed;
}

int64_t
fg_limit_retry_after(const struct fg_limit_job *job)
{
	fg_usec longest = 1;

	for (size_t i = 0; i < job->count; i++)
		if (is_told(job, i) && !job->asks[i].result.allowed && job->asks[i].result.retry_after > longest)
			longest = job->asks[i].result.retry_after;
	return seconds_up(longest);
}

/* A string of RFC 9651 section 3.3.3. Names have no character that would have to be escaped (core/config_policy.c). */
static void
add_string(struct fg_buf *out, struct fg_str text)
{
	fg_buf_add_char(out, '"');
	fg_buf_add(out, text);
	fg_buf_add_char(out, '"');
}

static void
add_parameter(struct fg_buf *out, struct fg_str name, int64_t value)
{
	fg_buf_add(out, name);
	fg_buf_add_u64(out, value < 0 ? 0 : (uint64_t)value);
}

/* Quota and window; windows are whole seconds there, so a shorter period is told as what it makes in one. */
static void
add_policy(struct fg_buf *out, const struct fg_limit *limit)
{
	if (limit->algorithm == FG_LIMIT_CONCURRENCY) {
		add_parameter(out, FG_STR(";q="), limit->count);
		fg_buf_add(out, FG_STR(";qu=\"concurrent-requests\""));
	} else if (limit->period < FG_US_PER_S) {
		add_parameter(out, FG_STR(";q="), limit->count * FG_US_PER_S / limit->period);
		fg_buf_add(out, FG_STR(";w=1"));
	} else {
		add_parameter(out, FG_STR(";q="), limit->count);
		add_parameter(out, FG_STR(";w="), seconds_up(limit->period));
	}
}

static void
set(struct fg_exchange *x, struct fg_str name, struct fg_buf *value)
{
	struct fg_str text = fg_buf_str(value);

	(void)fg_headers_remove(&x->resp.headers, name);
	if (text.len > 0 && !value->failed)
		(void)!fg_headers_add(&x->resp.headers, name, fg_arena_str(&x->arena, text));
	fg_buf_reset(value);
}

static void
set_standard(const struct fg_limit_job *job, struct fg_exchange *x, struct fg_buf *text)
{
	for (int which = 0; which < 2; which++) {
		for (size_t i = 0; i < job->count; i++) {
			const struct fg_limit_ask *ask = &job->asks[i];

			if (!is_told(job, i) || (job->one[i].policy->headers & FG_LIMIT_HEADERS_STANDARD) == 0)
				continue;
			if (text->len > 0)
				fg_buf_add(text, FG_STR(", "));
			add_string(text, job->one[i].policy->policy.name);
			if (which == 0) {
				add_policy(text, ask->limit);
				continue;
			}
			add_parameter(text, FG_STR(";r="), ask->result.remaining);
			if (ask->limit->algorithm != FG_LIMIT_CONCURRENCY)
				add_parameter(text, FG_STR(";t="), seconds_up(ask->result.reset));
		}
		set(x, which == 0 ? FG_STR("RateLimit-Policy") : FG_STR("RateLimit"), text);
	}
}

static void
set_legacy(const struct fg_limit_job *job, struct fg_exchange *x, struct fg_buf *text)
{
	const struct fg_limit_result *least = NULL;

	for (size_t i = 0; i < job->count; i++) {
		const struct fg_limit_result *result = &job->asks[i].result;

		if (is_told(job, i) && (job->one[i].policy->headers & FG_LIMIT_HEADERS_LEGACY) != 0 &&
		    (least == NULL || result->remaining < least->remaining || (least->allowed && !result->allowed)))
			least = result;
	}
	if (least == NULL)
		return;
	add_parameter(text, FG_STR_NONE, least->limit);
	set(x, FG_STR("X-RateLimit-Limit"), text);
	add_parameter(text, FG_STR_NONE, least->remaining);
	set(x, FG_STR("X-RateLimit-Remaining"), text);
	add_parameter(text, FG_STR_NONE, seconds_up(least->reset));
	set(x, FG_STR("X-RateLimit-Reset"), text);
}

void
fg_limit_headers_set(const struct fg_limit_job *job, struct fg_exchange *x)
{
	unsigned wanted = 0;
	struct fg_buf text;

	for (size_t i = 0; i < job->count; i++)
		if (is_told(job, i))
			wanted |= (unsigned)job->one[i].policy->headers;
	fg_buf_init(&text, FG_MAX_TEMPLATE_BYTES);
	if (wanted & FG_LIMIT_HEADERS_STANDARD)
		set_standard(job, x, &text);
	if (wanted & FG_LIMIT_HEADERS_LEGACY)
		set_legacy(job, x, &text);
	fg_buf_fini(&text);
}
