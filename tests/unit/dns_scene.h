/*
 * Scenes of the tests of lib/dns: a loop, a clock that the test sets, a played name server, and those who wait. One at a time.
 */
#ifndef FG_TESTS_DNS_SCENE_H
#define FG_TESTS_DNS_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/dns.h"
#include "support/dns_server.h"
#include "unit/unit.h"

#define SECONDS(n) ((n) * (fg_usec)FG_US_PER_S)

struct dns_scene {
	struct fg_loop *loop;
	struct fg_clock clock;
	struct dns_server *server;
	struct fg_dns_server servers[2];
	struct fg_dns_conf conf;
	struct fg_dns *dns;
	struct fg_log log;
	unsigned counts[FG_DNS_OUTCOMES], kept, lines;
	char line[512]; /* of the log, the last */
};

extern struct dns_scene dns_scene;

/* Server and configuration; the test may change them before it starts. */
void dns_scene_open(void);
void dns_scene_start(void);
void dns_scene_open_and_start(void);
void dns_scene_close(void);

/* Somebody who waits. */
struct waiter {
	struct fg_dns_wait wait;
	unsigned told;
	bool found;
};
fg_dns_wait_fn tell;
bool was_told(const void *waiter);

/* Turns the loop until check(arg); the test ends when that does not come. */
void turn_until(bool (*check)(const void *arg), const void *arg);
struct fg_dns_name *name(const char *host);
/* As a call does: uses it, or waits. */
bool need(const char *host);
/*
 * The same until it is found, with the clock going on between lookups: where the timeout is short, an answer may come too late
 * on a busy machine.
 */
void need_at_last(const char *host);
/* Its addresses are these, in this order, whether they may be used or not. */
bool is_known(const char *host, const char *addresses);
/* Until a.test has other addresses for the nth time; until so many lookups have come to an end. */
void wait_version(unsigned version);
void wait_lookups(unsigned count_so_far);
/* The clock goes on. */
void dns_scene_pass(fg_usec span);

#endif
