/* Which target of a service gets the next request; and what kinds of failure there are. */
#include "service/service.h"

#include <math.h>

#include "service/targets.h"

enum {
	WEIGHT_SCALE = 1000,        /* of a weight, so that slow-start can take a part of 1 */
	SLOW_START_LEAST = 10,      /* percent of its weight, at first */
	LOAD_FACTOR_PERCENT = 125,  /* of its share that a target may have, balanced by hash, */
	LOAD_LEAST = 4,             /* and so many in any case: few requests are not spread for nothing */
};

/* Who may be had, but for max-connections. */
struct candidates {
	const struct fg_target *targets[FG_SERVICE_MOST_TARGETS];
	int64_t weights[FG_SERVICE_MOST_TARGETS]; /* WEIGHT_SCALE for 1 */
	int64_t total;                            /* of the weights */
	size_t count;
	enum { UNASKED, BELIEVED, NOT_BELIEVED } probes;
	enum fg_err why; /* there is none */
	fg_usec wait;
};

/* ---- who is available */

static bool
is_tried(const struct fg_pick *pick, const struct fg_target *target)
{
	return pick->tried != NULL && (pick->tried->bits[target->index / 64] >> target->index % 64 & 1) != 0;
}

static bool
is_drained(const struct fg_target *target)
{
	return atomic_load_explicit(&target->state->drained, memory_order_relaxed) != 0;
}

/* Until its breaker lets a request through. */
static fg_usec
breaker_wait(const struct fg_pick *pick, const struct fg_target *target)
{
	return pick->service->breaker == NULL ? 0 : fg_breaker_wait(&target->state->breaker, pick->now);
}

static bool
is_closed(const struct fg_service *service, const struct fg_target *target)
{
	return service->breaker == NULL || fg_breaker_is_closed(&target->state->breaker);
}

/*
 * Whether what probes say is to be believed: when too few are left to take the requests, by probes or by breakers, it may
 * well be the probes that are wrong. What breakers say is believed in any case: it comes of requests.
 */
static bool
believes_health(const struct fg_service *service)
{
	size_t there = 0, up = 0;

	for (size_t i = 0; i < service->target_count; i++) {
		if (is_drained(&service->targets[i]))
			continue;
		there++;
		up += fg_health_is_up(&service->targets[i].state->health) && is_closed(service, &service->targets[i]);
	}
	return up * 100 >= there * (size_t)service->health->panic;
}

/* All targets are looked at for that, but only where one is down. */
static bool
is_down(const struct fg_pick *pick, const struct fg_target *target, struct candidates *found)
{
	if (pick->service->health == NULL || fg_health_is_up(&target->state->health))
		return false;
	if (found->probes == UNASKED)
		found->probes = believes_health(pick->service) ? BELIEVED : NOT_BELIEVED;
	return found->probes == BELIEVED;
}

static unsigned
in_flight_to(const struct fg_pick *pick, const struct fg_target *target)
{
	unsigned in_flight;

	pick->in_flight(pick->arg, &target, 1, &in_flight);
	return in_flight;
}

static bool
has_all_it_may(const struct fg_target *target, unsigned in_flight)
{
	return target->max_connections > 0 && in_flight >= target->max_connections;
}

static bool
is_full(const struct fg_pick *pick, const struct fg_target *target)
{
	return target->max_connections > 0 && has_all_it_may(target, in_flight_to(pick, target));
}

/* It grows with the time since the target came back. */
static int64_t
weight_of(const struct fg_pick *pick, const struct fg_target *target)
{
	fg_usec slow_start = pick->service->slow_start, since, age;
	int64_t whole = (int64_t)target->weight * WEIGHT_SCALE, part;

	if (slow_start == 0)
		return whole;
	since = atomic_load_explicit(&target->state->since, memory_order_relaxed);
	age = pick->now - since;
	if (since == 0 || age >= slow_start)
		return whole;
	part = age <= 0 ? 0 : whole * age / slow_start;
	return part > whole * SLOW_START_LEAST / 100 ? part : whole * SLOW_START_LEAST / 100;
}

/* Says why it cannot be had: an open breaker says more than all else, because it says when. */
static void
note_breaker(struct candidates *found, fg_usec wait)
{
	if (found->why != FG_ERR_BREAKER_OPEN || wait < found->wait)
		found->wait = wait;
	found->why = FG_ERR_BREAKER_OPEN;
}

static enum fg_availability
look_at(const struct fg_pick *pick, const struct fg_target *target, struct candidates *found)
{
	if (is_tried(pick, target))
		return FG_IS_TRIED;
	if (is_drained(target))
		return FG_IS_DRAINED;
	if (is_down(pick, target, found))
		return FG_IS_DOWN;
	return !is_closed(pick->service, target) && breaker_wait(pick, target) > 0 ? FG_IS_OPEN : FG_AVAILABLE;
}

static void
add(struct candidates *found, const struct fg_target *target, int64_t weight)
{
	found->targets[found->count] = target;
	found->weights[found->count++] = weight;
	found->total += weight;
}

static void
consider(const struct fg_pick *pick, const struct fg_target *target, struct candidates *found)
{
	enum fg_availability availability = look_at(pick, target, found);

	if (pick->tell != NULL) {
		if (availability == FG_AVAILABLE && is_full(pick, target))
			availability = FG_IS_FULL;
		pick->tell(pick->tell_arg, target, availability, breaker_wait(pick, target));
	}
	if (availability == FG_IS_OPEN)
		note_breaker(found, breaker_wait(pick, target));
	else if (availability == FG_AVAILABLE)
		add(found, target, weight_of(pick, target));
}

/* Nothing speaks against it, nor for less than its weight: most targets, most of the time. */
static bool
is_untroubled(const struct fg_target_state *state, bool starts_slowly)
{
	return (!starts_slowly | (atomic_load_explicit(&state->since, memory_order_relaxed) == 0)) & fg_health_is_up(&state->health) &
	    fg_breaker_is_closed(&state->breaker) & (atomic_load_explicit(&state->drained, memory_order_relaxed) == 0);
}

static void
consider_all(const struct fg_pick *pick, struct candidates *found)
{
	const struct fg_service *service = pick->service;
	bool tells = pick->tell != NULL, starts_slowly = service->slow_start > 0;

	for (size_t i = 0; i < service->target_count; i++) {
		const struct fg_target *target = &service->targets[i];

		if (!tells && !is_tried(pick, target) && is_untroubled(target->state, starts_slowly))
			add(found, target, (int64_t)target->weight * WEIGHT_SCALE);
		else
			consider(pick, target, found);
	}
}

static void
drop(struct candidates *found, size_t at)
{
	found->total -= found->weights[at];
	found->count--;
	found->targets[at] = found->targets[found->count];
	found->weights[at] = found->weights[found->count];
}

/* Who has max-connections in flight. That is counted for those alone that are chosen, until one of them, `at`, is full. */
static void
drop_full(const struct fg_pick *pick, struct candidates *found, size_t at)
{
	unsigned in_flight[FG_SERVICE_MOST_TARGETS];
	size_t count = found->count;

	pick->in_flight(pick->arg, found->targets, count, in_flight);
	found->count = 0;
	found->total = 0;
	for (size_t i = 0; i < count; i++)
		if (i != at && !has_all_it_may(found->targets[i], in_flight[i]))
			add(found, found->targets[i], found->weights[i]);
}

const char *
fg_availability_word(enum fg_availability availability)
{
	static const char *const words[] = {
	    [FG_AVAILABLE] = "available",
	    [FG_IS_TRIED] = "tried",
	    [FG_IS_DRAINED] = "drained",
	    [FG_IS_DOWN] = "down by its probes",
	    [FG_IS_OPEN] = "breaker open",
	    [FG_IS_FULL] = "max-connections in flight",
	};

	return words[availability];
}

/* ---- which of them */

static size_t
choose_in_turn(const struct fg_pick *pick, const struct candidates *found)
{
	int64_t most = INT64_MIN;
	size_t best = 0;

	for (size_t i = 0; i < found->count; i++) {
		int64_t credit = pick->state->credit[found->targets[i]->index] + found->weights[i];

		if (credit <= most)
			continue;
		most = credit;
		best = i;
	}
	return best;
}

/* It got the request: all others that could have had it have more of a claim to the next. */
static void
take_turn(const struct fg_pick *pick, const struct candidates *found, size_t at)
{
	int64_t *credit = pick->state->credit;

	for (size_t i = 0; i < found->count; i++)
		credit[found->targets[i]->index] += found->weights[i];
	credit[found->targets[at]->index] -= found->total;
}

/* The finalizer of MurmurHash3: each bit depends on all. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t
fg_service_draw(struct fg_service_state *state)
{
	state->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix(state->random);
}

/* By weight, without `not`. */
static size_t
draw_one(const struct fg_pick *pick, const struct candidates *found, size_t not)
{
	int64_t total = found->total - (not < found->count ? found->weights[not] : 0);
	int64_t left = (int64_t)(fg_service_draw(pick->state) % (uint64_t)total);

	for (size_t i = 0; i < found->count; i++) {
		if (i == not)
			continue;
		left -= found->weights[i];
		if (left < 0)
			return i;
	}
	return 0;
}

static size_t
choose_idler(const struct fg_pick *pick, const struct candidates *found)
{
	size_t one = draw_one(pick, found, found->count), other = draw_one(pick, found, one);
	const struct fg_target *const both[] = {found->targets[one], found->targets[other]};
	unsigned in_flight[2];

	pick->in_flight(pick->arg, both, 2, in_flight);
	/* No rival for the other: it is taken out, and two are drawn anew. */
	if (has_all_it_may(both[0], in_flight[0]))
		return one;
	if (has_all_it_may(both[1], in_flight[1]))
		return other;
	return (int64_t)in_flight[1] * found->weights[one] < (int64_t)in_flight[0] * found->weights[other] ? other : one;
}

/* ---- by hash */

/* What those have together that can be had. */
struct whole {
	uint64_t in_flight; /* and one more */
	uint64_t weight;
};

static bool
has_bounds(const struct candidates *found)
{
	for (size_t i = 0; i < found->count; i++)
		if (found->targets[i]->max_connections > 0)
			return true;
	return false;
}

/* One by one only where there are others: some that are no candidates, or perhaps some that are full. */
static struct whole
whole_of(const struct fg_pick *pick, const struct candidates *found)
{
	unsigned in_flight[FG_SERVICE_MOST_TARGETS];
	struct whole whole = {.in_flight = 1};

	if (found->count == pick->service->target_count && !has_bounds(found)) {
		whole.in_flight += pick->in_flight_to_all(pick->arg, pick->service);
		whole.weight = (uint64_t)found->total;
		return whole;
	}
	pick->in_flight(pick->arg, found->targets, found->count, in_flight);
	for (size_t i = 0; i < found->count; i++) {
		if (has_all_it_may(found->targets[i], in_flight[i]))
			continue;
		whole.in_flight += in_flight[i];
		whole.weight += (uint64_t)found->weights[i];
	}
	return whole;
}

/* In whole numbers: 1.25 times a share often is one. */
static bool
may_have_more(const struct fg_pick *pick, const struct candidates *found, size_t i, const struct whole *whole)
{
	unsigned in_flight = in_flight_to(pick, found->targets[i]);

	if (has_all_it_may(found->targets[i], in_flight))
		return false;
	return in_flight < LOAD_LEAST ||
	    in_flight * whole->weight * 100 < whole->in_flight * (uint64_t)found->weights[i] * LOAD_FACTOR_PERCENT;
}

/*
 * Rendezvous hashing: every target has a number for the key, and the highest wins; -w/ln(u) makes it so in w of all cases.
 * As -ln(u) is more than 1-u, that is less than w/(1-u): few targets need a logarithm. whole: NULL, and everybody
 * may have more. found->count: nobody may.
 */
static size_t
rendezvous(const struct fg_pick *pick, const struct candidates *found, const struct whole *whole)
{
	static const uint64_t steps = UINT64_C(1) << 53;
	size_t best = found->count;
	double best_score = 0;

	for (size_t i = 0; i < found->count; i++) {
		uint64_t step = mix(pick->hash ^ found->targets[i]->url_hash) >> 11;
		double weight = (double)found->weights[i], rest = ((double)(steps - 1 - step) + 0.5) / (double)steps, score;

		if (weight < best_score * rest)
			continue;
		score = -weight / log(((double)step + 0.5) / (double)steps);
		if (score <= best_score || (whole != NULL && !may_have_more(pick, found, i, whole)))
			continue;
		best_score = score;
		best = i;
	}
	return best;
}

static size_t
choose_by_hash(const struct fg_pick *pick, const struct candidates *found)
{
	size_t first = rendezvous(pick, found, NULL), best;
	struct whole whole;

	if (in_flight_to(pick, found->targets[first]) < LOAD_LEAST)
		return first;
	whole = whole_of(pick, found);
	if (may_have_more(pick, found, first, &whole))
		return first;
	best = rendezvous(pick, found, &whole);
	return best == found->count ? first : best;
}

uint64_t
fg_service_hash_url(struct fg_str url)
{
	return mix(fg_name_hash(url));
}

static size_t
choose(const struct fg_pick *pick, const struct candidates *found)
{
	if (found->count == 1)
		return 0;
	switch (pick->service->balance) {
	case FG_BALANCE_LEAST_REQUESTS:
		return choose_idler(pick, found);
	case FG_BALANCE_HASH:
		return choose_by_hash(pick, found);
	case FG_BALANCE_ROUND_ROBIN:
		break;
	}
	return choose_in_turn(pick, found);
}

/* ---- through the breakers */

static bool
enter_breaker(const struct fg_service_breaker *conf, struct fg_target_state *state, fg_usec now, struct fg_breaker_pass *pass)
{
	return conf == NULL || fg_breaker_enter(&state->breaker, &conf->conf, now, pass);
}

/* That of the target, then that of the service. False: another worker was faster with the one request that may try. */
static bool
enter(const struct fg_pick *pick, const struct fg_target *target, struct fg_permit *permit)
{
	const struct fg_service *service = pick->service;

	*permit = (struct fg_permit){0};
	if (pick->tell != NULL)
		return true;
	if (!enter_breaker(service->breaker, target->state, pick->now, &permit->target))
		return false;
	if (enter_breaker(service->service_breaker, service->state, pick->now, &permit->service))
		return true;
	if (service->breaker != NULL)
		fg_breaker_give_back(&target->state->breaker, permit->target, pick->now);
	return false;
}

static fg_usec
service_wait(const struct fg_pick *pick)
{
	return pick->service->service_breaker == NULL ? 0 : fg_breaker_wait(&pick->service->state->breaker, pick->now);
}

enum fg_err
fg_service_pick(const struct fg_pick *pick, const struct fg_target **target, struct fg_permit *permit, fg_usec *wait)
{
	const struct fg_service *service = pick->service;
	struct candidates found;

	FG_ASSERT(service->target_count > 0 && service->target_count <= FG_SERVICE_MOST_TARGETS);
	found.count = 0;
	found.total = 0;
	found.probes = UNASKED;
	found.why = FG_ERR_SERVICE_UNAVAILABLE;
	found.wait = service->health != NULL ? service->health->every : FG_US_PER_S;
	consider_all(pick, &found);
	while ((*wait = service_wait(pick)) == 0 && found.count > 0) {
		size_t at = choose(pick, &found);

		*target = found.targets[at];
		if (is_full(pick, *target)) {
			drop_full(pick, &found, at);
		} else if (enter(pick, *target, permit)) {
			if (service->balance == FG_BALANCE_ROUND_ROBIN)
				take_turn(pick, &found, at);
			return FG_OK;
		} else {
			note_breaker(&found, breaker_wait(pick, *target));
			drop(&found, at);
		}
	}
	/* The service rests; where its targets do so for longer, they say when. */
	if (*wait > 0 && (found.count > 0 || found.why != FG_ERR_BREAKER_OPEN || found.wait <= *wait))
		return FG_ERR_BREAKER_OPEN;
	*wait = found.wait;
	return found.why;
}

/* ---- failures */

enum fg_failure
fg_failure_of(enum fg_err err)
{
	switch (err) {
	case FG_OK:
		return FG_FAILURE_NONE;
	case FG_ERR_SERVICE_NAME_UNRESOLVED:
	case FG_ERR_SERVICE_UNREACHABLE:
	case FG_ERR_SERVICE_CONNECT_TIMEOUT:
	case FG_ERR_SERVICE_TLS_FAILED:
		return FG_FAILURE_CONNECT;
	case FG_ERR_SERVICE_TIMEOUT:
	case FG_ERR_SERVICE_IDLE_TIMEOUT:
		return FG_FAILURE_TIMEOUT;
	case FG_ERR_SERVICE_CLOSED:
		return FG_FAILURE_RESET;
	case FG_ERR_SERVICE_RESPONSE_INVALID:
	case FG_ERR_SERVICE_HEADERS_TOO_LARGE:
		return FG_FAILURE_INVALID;
	default:
		return FG_FAILURE_NOT_ITS;
	}
}

bool
fg_failure_set_has_status(const struct fg_failure_set *set, int status)
{
	unsigned bit = (unsigned)status - 100;

	return status >= 100 && status < 600 && (set->statuses[bit / 64] >> bit % 64 & 1) != 0;
}

bool
fg_failure_is_status(const struct fg_service *service, int status)
{
	return (service->breaker != NULL && fg_failure_set_has_status(&service->breaker->on, status)) ||
	    (service->service_breaker != NULL && fg_failure_set_has_status(&service->service_breaker->on, status)) ||
	    (service->retry != NULL && fg_failure_set_has_status(&service->retry->on, status));
}

/* ---- splits */

const struct fg_service *
fg_split_pick(const struct fg_split *splits, size_t count, uint64_t number)
{
	uint64_t total = 0, left;

	for (size_t i = 0; i < count; i++)
		total += (uint64_t)splits[i].weight;
	FG_ASSERT(total > 0);
	/* A place between 0 and 1, which stays the same when the sum of the weights does not; then how far along that is. */
	left = (mix(number) >> 32) * total >> 32;
	for (size_t i = 0; i < count; i++) {
		if (left < (uint64_t)splits[i].weight)
			return splits[i].service;
		left -= (uint64_t)splits[i].weight;
	}
	return splits[0].service;
}
