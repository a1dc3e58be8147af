/* What is known of names: for how long, who waits for more, and when it is asked for again; see dns.h. */
#include <config.h>

#include "base/assert.h"
#include "dns/dns_internal.h"

#ifndef FG_CARES

bool
fg_dns_is_built(void)
{
	return false;
}

const char *
fg_dns_version(void)
{
	return "";
}

struct fg_dns *
fg_dns_new(struct fg_loop *loop, const struct fg_dns_spec *spec)
{
	(void)loop;
	(void)spec;
	return NULL;
}

void
fg_dns_free(struct fg_dns *dns)
{
	FG_ASSERT(dns == NULL);
}

struct fg_dns_name *
fg_dns_name(struct fg_dns *dns, struct fg_str host)
{
	(void)dns;
	(void)host;
	return NULL;
}

bool
fg_dns_use(struct fg_dns_name *name)
{
	return name != NULL;
}

const struct fg_dns_set *
fg_dns_set(const struct fg_dns_name *name)
{
	FG_ASSERT(name != NULL);
	return NULL;
}

void
fg_dns_wait_start(struct fg_dns_wait *wait, struct fg_dns_name *name, fg_dns_wait_fn *fn, void *arg)
{
	(void)wait;
	(void)fn;
	(void)arg;
	FG_ASSERT(name != NULL);
}

void
fg_dns_wait_cancel(struct fg_dns_wait *wait)
{
	FG_ASSERT(wait->link == NULL);
}

#else

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum { BUCKETS = 1024, TOLD_BYTES = 512 };

/* Since it was last used: so long a name that has addresses is looked up again and again. */
#define MOST_IDLE (600 * (fg_usec)FG_US_PER_S)

struct fg_dns_name {
	struct fg_dns *dns;
	struct fg_dns_name *next; /* in its bucket */
	char *host;               /* owned; lower case */
	struct fg_dns_set set;

	/* Monotonic. */
	fg_usec quiet_until;  /* until then the set is good and nothing is to be done; then it is looked up again */
	fg_usec fresh_until;  /* its TTL */
	fg_usec kept_until;   /* what it is good for while the resolver fails */
	fg_usec failed_until; /* the last lookup found nothing, and so long nobody asks again */
	fg_usec used;

	bool is_looking;    /* a question is on its way */
	bool is_background; /* and those who have a set that may be used do not wait for its answer */
	bool is_overdue;    /* and it has taken longer than anybody waits; a late answer is welcome all the same */
	bool is_failing;    /* the last lookup found nothing */
	struct fg_dns_answer *answer; /* owned; came, not yet looked at; NULL: none */
	struct fg_dns_wait *waits;
	struct fg_timer timer; /* of the lookup's deadline, or of the next lookup */
	struct fg_task task;
};

struct fg_dns {
	struct fg_dns_spec spec;
	struct fg_loop *loop; /* borrowed */
	struct fg_resolver *resolver;
	size_t count;
	struct fg_dns_name *buckets[BUCKETS];
};

bool
fg_dns_is_built(void)
{
	return true;
}

const char *
fg_dns_version(void)
{
	return "c-ares/" ARES_VERSION_STR;
}

static fg_usec
now_of(const struct fg_dns_name *name)
{
	return name->dns->spec.clock->mono;
}

/* ---- those who wait */

void
fg_dns_wait_start(struct fg_dns_wait *wait, struct fg_dns_name *name, fg_dns_wait_fn *fn, void *arg)
{
	*wait = (struct fg_dns_wait){.next = name->waits, .link = &name->waits, .fn = fn, .arg = arg};
	if (name->waits != NULL)
		name->waits->link = &wait->next;
	name->waits = wait;
	/* Nothing comes that could tell it: it is told at the end of this turn. */
	if (!name->is_looking || name->is_overdue)
		fg_task_post(&name->task);
}

void
fg_dns_wait_cancel(struct fg_dns_wait *wait)
{
	if (wait->link == NULL)
		return;
	*wait->link = wait->next;
	if (wait->next != NULL)
		wait->next->link = wait->link;
	wait->link = NULL;
}

/* Those who begin to wait meanwhile are not among them. */
static void
tell_all(struct fg_dns_name *name)
{
	struct fg_dns_wait *list = name->waits;
	bool found = now_of(name) < name->kept_until;

	name->waits = NULL;
	if (list != NULL)
		list->link = &list;
	while (list != NULL) {
		struct fg_dns_wait *wait = list;

		fg_dns_wait_cancel(wait);
		wait->fn(wait->arg, found);
	}
}

/* ---- what a lookup came to */

/* The order tells nothing: servers shuffle. */
static bool
is_other(const struct fg_dns_set *set, const struct fg_dns_answer *answer)
{
	if (set->count != answer->count)
		return true;
	for (size_t i = 0; i < answer->count; i++)
		if (!fg_dns_set_has(set, &answer->ips[i]))
			return true;
	return false;
}

static void
log_addresses(const struct fg_dns_name *name)
{
	char text[TOLD_BYTES], one[64];
	size_t len = 0;

	for (size_t i = 0; i < name->set.count; i++) {
		struct fg_str ip = fg_ip_format(&name->set.ips[i], one);

		if (len + ip.len + 2 > sizeof(text))
			break;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s" FG_STR_FMT, len == 0 ? "" : " ", FG_STR_ARG(ip));
	}
	/* The first ones are no change: each worker looks up each name once. */
	if (name->set.version == 1)
		FG_LOG(name->dns->spec.log, DEBUG, "dns", "name has addresses", FG_F_CSTR("name", name->host),
		    FG_F_STR("addresses", ((struct fg_str){text, len})));
	else
		FG_LOG(name->dns->spec.log, INFO, "dns", "name has other addresses", FG_F_CSTR("name", name->host),
		    FG_F_STR("addresses", ((struct fg_str){text, len})));
}

static void
take_found(struct fg_dns_name *name, const struct fg_dns_answer *answer)
{
	const struct fg_dns_conf *conf = name->dns->spec.conf;
	fg_usec ttl = answer->ttl < conf->least ? conf->least : answer->ttl > conf->most ? conf->most : answer->ttl;
	fg_usec early = ttl / 10 < conf->timeout ? ttl / 10 : conf->timeout;

	if (name->is_failing)
		FG_LOG(name->dns->spec.log, INFO, "dns", "name is found again", FG_F_CSTR("name", name->host));
	name->is_failing = false;
	name->failed_until = 0;
	name->fresh_until = now_of(name) + ttl;
	name->quiet_until = name->fresh_until - early;
	name->kept_until = name->fresh_until + conf->stale;
	if (!is_other(&name->set, answer))
		return;
	name->set.version++;
	name->set.count = answer->count;
	memcpy(name->set.ips, answer->ips, answer->count * sizeof(answer->ips[0]));
	log_addresses(name);
}

static void
take_failure(struct fg_dns_name *name, enum fg_dns_outcome outcome, bool is_final)
{
	static const char *const because[] = {
	    [FG_DNS_FOUND] = "", [FG_DNS_NOT_FOUND] = "not found", [FG_DNS_FAILED] = "failed", [FG_DNS_TIMED_OUT] = "timed out"};
	bool was_failing = name->is_failing;

	name->is_failing = true;
	name->failed_until = now_of(name) + name->dns->spec.conf->failed;
	if (is_final)
		name->quiet_until = name->fresh_until = name->kept_until = 0;
	if (was_failing)
		return;
	if (now_of(name) < name->kept_until)
		FG_LOG(name->dns->spec.log, WARN, "dns", "name is not found, goes on with what it had", FG_F_CSTR("name", name->host),
		    FG_F_CSTR("because", because[outcome]),
		    FG_F_INT("for_ms", (name->kept_until - now_of(name)) / FG_US_PER_MS));
	else
		FG_LOG(name->dns->spec.log, WARN, "dns", "name is not found", FG_F_CSTR("name", name->host),
		    FG_F_CSTR("because", because[outcome]));
}

static void
count(const struct fg_dns_name *name, enum fg_dns_outcome outcome)
{
	const struct fg_dns_spec *spec = &name->dns->spec;

	if (spec->count != NULL)
		spec->count(spec->arg, outcome, outcome != FG_DNS_FOUND && now_of(name) < name->kept_until);
}

/* When it is to be looked up again. */
static fg_usec
due_at(const struct fg_dns_name *name)
{
	return name->quiet_until > name->failed_until ? name->quiet_until : name->failed_until;
}

static void
arm(struct fg_dns_name *name)
{
	fg_usec left = due_at(name) - now_of(name);

	fg_timer_start(&name->timer, left > 0 ? left : 0);
}

/* One that nobody waits for any more has been counted, and its failure told, when its time was over. */
static void
take_answer(struct fg_dns_name *name)
{
	struct fg_dns_answer *answer = name->answer;
	bool was_overdue = name->is_overdue;

	name->answer = NULL;
	name->is_looking = name->is_overdue = false;
	if (answer->outcome == FG_DNS_FOUND)
		take_found(name, answer);
	else if (!was_overdue)
		take_failure(name, answer->outcome, answer->is_final);
	if (!was_overdue)
		count(name, answer->outcome);
	free(answer);
	arm(name);
}

/* A task: nobody is told anything from within c-ares, or within what he asked himself. */
static void
go_on(void *arg)
{
	struct fg_dns_name *name = arg;

	if (name->answer != NULL)
		take_answer(name);
	if (!name->is_looking || name->is_overdue)
		tell_all(name);
}

/* ---- looking up */

static void
on_answer(void *arg, const struct fg_dns_answer *answer)
{
	struct fg_dns_name *name = arg;

	name->answer = malloc(sizeof(*answer));
	FG_ASSERT(name->answer != NULL);
	*name->answer = *answer;
	fg_task_post(&name->task);
}

static void
look_up(struct fg_dns_name *name, bool is_background)
{
	name->is_looking = true;
	name->is_overdue = false;
	name->is_background = is_background;
	fg_timer_start(&name->timer, name->dns->spec.conf->timeout);
	fg_resolver_ask(name->dns->resolver, name->host, &name->set, on_answer, name);
}

static void
on_timer(struct fg_timer *timer, void *arg)
{
	struct fg_dns_name *name = arg;
	fg_usec now = now_of(name);

	(void)timer;
	if (name->is_looking) {
		if (name->is_overdue || name->answer != NULL)
			return;
		name->is_overdue = true;
		take_failure(name, FG_DNS_TIMED_OUT, false);
		count(name, FG_DNS_TIMED_OUT);
		tell_all(name);
		return;
	}
	if (now < due_at(name))
		arm(name);
	else if (now < name->kept_until && now - name->used <= MOST_IDLE)
		look_up(name, true);
}

/* The moment for another lookup has come, or has passed and there is none yet. */
static bool
use_due(struct fg_dns_name *name, fg_usec now)
{
	bool is_fresh = now < name->fresh_until, is_kept = now < name->kept_until;

	/* One that was not used for long is not refreshed: whoever needs it then waits, rather than ask an address of long ago. */
	if (!name->is_looking && now >= name->failed_until)
		look_up(name, is_fresh || name->is_failing);
	if (is_fresh || (is_kept && name->is_background))
		return true;
	if (now < name->failed_until)
		return is_kept;
	if (name->is_overdue) { /* for those who waited before; this wait has its own deadline */
		name->is_overdue = false;
		fg_timer_start(&name->timer, name->dns->spec.conf->timeout);
	}
	return false;
}

bool
fg_dns_use(struct fg_dns_name *name)
{
	fg_usec now = now_of(name);

	name->used = now;
	return now < name->quiet_until || use_due(name, now);
}

const struct fg_dns_set *
fg_dns_set(const struct fg_dns_name *name)
{
	return &name->set;
}

/* ---- names */

static struct fg_dns_name *
add_name(struct fg_dns *dns, struct fg_dns_name **bucket, struct fg_str host)
{
	struct fg_dns_name *name;

	if (dns->count >= FG_MAX_DNS_NAMES)
		return NULL;
	name = calloc(1, sizeof(*name));
	FG_ASSERT(name != NULL);
	name->host = malloc(host.len + 1);
	FG_ASSERT(name->host != NULL);
	memcpy(name->host, host.p, host.len);
	name->host[host.len] = '\0';
	name->dns = dns;
	fg_timer_init(&name->timer, dns->loop, on_timer, name);
	fg_task_init(&name->task, dns->loop, go_on, name);
	name->next = *bucket;
	*bucket = name;
	dns->count++;
	return name;
}

struct fg_dns_name *
fg_dns_name(struct fg_dns *dns, struct fg_str host)
{
	char lower[256];
	struct fg_dns_name **bucket, *name;

	if (host.len >= sizeof(lower))
		return NULL;
	for (size_t i = 0; i < host.len; i++)
		lower[i] = fg_ascii_lower(host.p[i]);
	host.p = lower;
	bucket = &dns->buckets[fg_str_hash(host) % BUCKETS];
	for (name = *bucket; name != NULL; name = name->next)
		if (fg_str_eq(fg_str_from(name->host), host))
			return name;
	return add_name(dns, bucket, host);
}

static void
name_free(struct fg_dns_name *name)
{
	FG_ASSERT(name->waits == NULL);
	fg_timer_stop(&name->timer);
	fg_task_cancel(&name->task);
	free(name->answer);
	free(name->host);
	free(name);
}

struct fg_dns *
fg_dns_new(struct fg_loop *loop, const struct fg_dns_spec *spec)
{
	struct fg_dns *dns = calloc(1, sizeof(*dns));

	FG_ASSERT(dns != NULL);
	dns->spec = *spec;
	dns->loop = loop;
	if (dns->spec.clock == NULL)
		dns->spec.clock = fg_loop_clock(loop);
	dns->resolver = fg_resolver_new(loop, spec->conf, spec->log);
	return dns;
}

void
fg_dns_free(struct fg_dns *dns)
{
	if (dns == NULL)
		return;
	fg_resolver_free(dns->resolver);
	for (size_t i = 0; i < BUCKETS; i++)
		while (dns->buckets[i] != NULL) {
			struct fg_dns_name *name = dns->buckets[i];

			dns->buckets[i] = name->next;
			name_free(name);
		}
	free(dns);
}

#endif
