/* The scenes of the tests of lib/dns. */
#include "unit/dns_scene.h"

/* Longer than anything here takes, under sanitizers on a busy machine too. */
enum { PATIENCE_SECONDS = 60 };

struct dns_scene dns_scene;

static void
count(void *arg, enum fg_dns_outcome outcome, bool is_kept)
{
	(void)arg;
	dns_scene.counts[outcome]++;
	dns_scene.kept += is_kept;
}

static void
take_line(void *arg, struct fg_str line)
{
	(void)arg;
	dns_scene.lines++;
	snprintf(dns_scene.line, sizeof(dns_scene.line), FG_STR_FMT, FG_STR_ARG(line));
}

void
dns_scene_open(void)
{
	memset(&dns_scene, 0, sizeof(dns_scene));
	dns_scene.loop = fg_loop_new();
	dns_scene.clock = *fg_loop_clock(dns_scene.loop);
	dns_scene.server = dns_server_start();
	CU_ASSERT_FATAL(fg_ip_parse(&dns_scene.servers[0].ip, FG_STR("127.0.0.1")));
	dns_scene.servers[0].port = (unsigned)dns_server_port(dns_scene.server);
	dns_scene.conf = (struct fg_dns_conf){.servers = dns_scene.servers, .server_count = 1, .least = SECONDS(1), .most = SECONDS(300),
	    .timeout = SECONDS(30), .failed = SECONDS(2), .stale = SECONDS(100)};
	dns_scene.log = (struct fg_log){.level = FG_LOG_INFO, .write = take_line};
}

void
dns_scene_start(void)
{
	const struct fg_dns_spec spec = {.conf = &dns_scene.conf, .clock = &dns_scene.clock, .log = &dns_scene.log, .count = count};

	dns_scene.dns = fg_dns_new(dns_scene.loop, &spec);
}

void
dns_scene_open_and_start(void)
{
	dns_scene_open();
	dns_scene_start();
}

void
dns_scene_close(void)
{
	fg_dns_free(dns_scene.dns);
	fg_loop_free(dns_scene.loop);
	dns_server_stop(dns_scene.server);
}

void
dns_scene_pass(fg_usec span)
{
	dns_scene.clock.mono += span;
}

/* ---- waiting */

void
tell(void *arg, bool found)
{
	struct waiter *waiter = arg;

	waiter->told++;
	waiter->found = found;
}

static void
on_patience(struct fg_timer *timer, void *arg)
{
	(void)timer;
	*(bool *)arg = true;
}

void
turn_until(bool (*check)(const void *arg), const void *arg)
{
	struct fg_timer patience, wake;
	bool is_over = false, is_awake = false;

	fg_timer_init(&patience, dns_scene.loop, on_patience, &is_over);
	fg_timer_start(&patience, SECONDS(PATIENCE_SECONDS));
	fg_timer_init(&wake, dns_scene.loop, on_patience, &is_awake);
	while (!check(arg) && !is_over) {
		if (!fg_timer_is_active(&wake))
			fg_timer_start(&wake, 5 * FG_US_PER_MS);
		fg_loop_turn(dns_scene.loop, true);
	}
	fg_timer_stop(&patience);
	fg_timer_stop(&wake);
	CU_ASSERT_FATAL(!is_over);
}

bool
was_told(const void *arg)
{
	return ((const struct waiter *)arg)->told > 0;
}

struct fg_dns_name *
name(const char *host)
{
	struct fg_dns_name *found = fg_dns_name(dns_scene.dns, fg_str_from(host));

	CU_ASSERT_FATAL(found != NULL);
	return found;
}

bool
need(const char *host)
{
	struct waiter waiter = {.told = 0};

	if (fg_dns_use(name(host)))
		return true;
	fg_dns_wait_start(&waiter.wait, name(host), tell, &waiter);
	CU_ASSERT_EQUAL(waiter.told, 0);
	turn_until(was_told, &waiter);
	CU_ASSERT_EQUAL(waiter.told, 1);
	return waiter.found;
}

void
need_at_last(const char *host)
{
	unsigned tries = 0;

	while (!need(host)) {
		CU_ASSERT_FATAL(++tries < 100);
		dns_scene_pass(SECONDS(2));
	}
}

bool
is_known(const char *host, const char *addresses)
{
	const struct fg_dns_set *set = fg_dns_set(name(host));
	char text[1024] = "", one[64];

	for (size_t i = 0; i < set->count; i++) {
		struct fg_str ip = fg_ip_format(&set->ips[i], one);

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s" FG_STR_FMT, i == 0 ? "" : " ", FG_STR_ARG(ip));
	}
	if (strcmp(text, addresses) != 0)
		fprintf(stderr, "%s: %s, not %s\n", host, text, addresses);
	return strcmp(text, addresses) == 0;
}

static bool
has_version(const void *arg)
{
	return fg_dns_set(name("a.test"))->version == *(const unsigned *)arg;
}

void
wait_version(unsigned version)
{
	turn_until(has_version, &version);
}

static bool
has_counted(const void *arg)
{
	unsigned sum = 0;

	for (size_t i = 0; i < FG_DNS_OUTCOMES; i++)
		sum += dns_scene.counts[i];
	return sum >= *(const unsigned *)arg;
}

void
wait_lookups(unsigned count_so_far)
{
	turn_until(has_counted, &count_so_far);
}

