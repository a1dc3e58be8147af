/* Which target of a service gets the next request; and what kinds of failure there are. */
#include "core/service.h"

#include <math.h>

#include "core/targets.h"

enum {
	WEIGHT_SCALE = 1000,        /* of a weight, so that slow-start can take a part of 1 */
	SLOW_START_LEAST = 10,      /* percent of its weight, at first */
	LOAD_FACTOR_PERCENT = 125,  /* of its share that a target may have, balanced by hash, */
	LOAD_LEAST = 4,             /* and so many in any case: few requests are not spread for nothing */
};

struct candidate {
	const struct fg_target *target;
	int64_t weight; /* WEIGHT_SCALE for 1 */
	unsigned in_flight;
};

struct candidates {
	struct candidate v[FG_SERVICE_MOST_TARGETS];
	size_t count;
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
	return service->breaker == NULL || fg_breaker_state(&target->state->breaker) == FG_BREAKER_CLOSED;
}

/*
 * Whether what probes say is to be believed: when too few are left to take the requests, by probes or by breakers, it may
 * well be the probes that are wrong. What breakers say is believed in any case: it comes of requests.
 */
static bool
believes_health(const struct fg_service *service)
{
	size_t there = 0, up = 0;

	if (service->health == NULL)
		return false;
	for (size_t i = 0; i < service->target_count; i++) {
		if (is_drained(&service->targets[i]))
			continue;
		there++;
		up += fg_health_is_up(&service->targets[i].state->health) && is_closed(service, &service->targets[i]);
	}
	return up * 100 >= there * (size_t)service->health->panic;
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
look_at(const struct fg_pick *pick, const struct fg_target *target, bool believes, unsigned *in_flight, fg_usec *wait)
{
	*wait = breaker_wait(pick, target);
	if (is_tried(pick, target))
		return FG_IS_TRIED;
	if (is_drained(target))
		return FG_IS_DRAINED;
	if (believes && !fg_health_is_up(&target->state->health))
		return FG_IS_DOWN;
	if (*wait > 0)
		return FG_IS_OPEN;
	if (target->max_connections > 0 || pick->service->balance != FG_BALANCE_ROUND_ROBIN)
		*in_flight = pick->in_flight(pick->arg, target);
	return target->max_connections > 0 && *in_flight >= target->max_connections ? FG_IS_FULL : FG_AVAILABLE;
}

static void
consider(const struct fg_pick *pick, const struct fg_target *target, bool believes, struct candidates *found)
{
	unsigned in_flight = 0;
	fg_usec wait;
	enum fg_availability availability = look_at(pick, target, believes, &in_flight, &wait);

	if (pick->tell != NULL)
		pick->tell(pick->tell_arg, target, availability, wait);
	if (availability == FG_IS_OPEN)
		note_breaker(found, wait);
	else if (availability == FG_AVAILABLE)
		found->v[found->count++] = (struct candidate){target, weight_of(pick, target), in_flight};
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

static int64_t
total_weight(const struct candidates *found)
{
	int64_t total = 0;

	for (size_t i = 0; i < found->count; i++)
		total += found->v[i].weight;
	return total;
}

static size_t
choose_in_turn(const struct fg_pick *pick, const struct candidates *found)
{
	int64_t *credit = pick->state->credit;
	size_t best = 0;

	for (size_t i = 0; i < found->count; i++) {
		credit[found->v[i].target->index] += found->v[i].weight;
		if (credit[found->v[i].target->index] > credit[found->v[best].target->index])
			best = i;
	}
	credit[found->v[best].target->index] -= total_weight(found);
	return best;
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
	int64_t total = total_weight(found) - (not < found->count ? found->v[not].weight : 0);
	int64_t left = (int64_t)(fg_service_draw(pick->state) % (uint64_t)total);

	for (size_t i = 0; i < found->count; i++) {
		if (i == not)
			continue;
		left -= found->v[i].weight;
		if (left < 0)
			return i;
	}
	return 0;
}

static size_t
choose_idler(const struct fg_pick *pick, const struct candidates *found)
{
	size_t one = draw_one(pick, found, found->count), other = draw_one(pick, found, one);

	return (int64_t)found->v[other].in_flight * found->v[one].weight < (int64_t)found->v[one].in_flight * found->v[other].weight
	    ? other
	    : one;
}

/* Rendezvous hashing: every target has a number for the key, and the highest wins; -w/ln(u) makes it so in w of all cases. */
static double
score(uint64_t hash, const struct candidate *candidate)
{
	uint64_t bits = mix(hash ^ mix(candidate->target->url_hash));
	double u = ((double)(bits >> 11) + 0.5) / (double)(UINT64_C(1) << 53);

	FG_ASSERT(candidate->target->url_hash != 0);
	return -(double)candidate->weight / log(u);
}

static size_t
choose_by_hash(const struct fg_pick *pick, const struct candidates *found)
{
	int64_t total = total_weight(found);
	uint64_t in_flight = 1;
	size_t best = found->count, first = 0;
	double best_score = 0, first_score = 0;

	for (size_t i = 0; i < found->count; i++)
		in_flight += found->v[i].in_flight;
	for (size_t i = 0; i < found->count; i++) {
		double most = (double)in_flight * (double)found->v[i].weight / (double)total * LOAD_FACTOR_PERCENT / 100;
		double mine = score(pick->hash, &found->v[i]);

		if (mine > first_score) {
			first_score = mine;
			first = i;
		}
		if (mine > best_score && (found->v[i].in_flight < most || found->v[i].in_flight < LOAD_LEAST)) {
			best_score = mine;
			best = i;
		}
	}
	return best == found->count ? first : best;
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
	bool believes = believes_health(service);

	FG_ASSERT(service->target_count > 0 && service->target_count <= FG_SERVICE_MOST_TARGETS);
	found.count = 0;
	found.why = FG_ERR_SERVICE_UNAVAILABLE;
	found.wait = service->health != NULL ? service->health->every : FG_US_PER_S;
	for (size_t i = 0; i < service->target_count; i++)
		consider(pick, &service->targets[i], believes, &found);
	while ((*wait = service_wait(pick)) == 0 && found.count > 0) {
		size_t at = choose(pick, &found);

		*target = found.v[at].target;
		if (enter(pick, *target, permit))
			return FG_OK;
		note_breaker(&found, breaker_wait(pick, *target));
		found.v[at] = found.v[--found.count];
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
