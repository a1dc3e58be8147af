/*
 * A name server that tests play: on a port of 127.0.0.1, over UDP and TCP, in a thread. What it says of a name can be changed
 * at any moment, and what it was asked can be counted.
 */
#ifndef FG_TESTS_DNS_SERVER_H
#define FG_TESTS_DNS_SERVER_H

struct dns_server;

enum dns_manner {
	DNS_SAYS,     /* its addresses; NOERROR without any where there are none of the family */
	DNS_NO_NAME,  /* NXDOMAIN, as for each name that nothing was said about */
	DNS_FAILS,    /* SERVFAIL */
	DNS_SILENT,   /* nothing */
	DNS_CUT,      /* over UDP nothing but that it was cut off (TC); all of it over TCP */
	DNS_GARBAGE,  /* bytes that are no answer, with the right number in front */
	DNS_A_ALONE,  /* questions for AAAA get no answer */
};

/* Never NULL. It answers once this returns. */
struct dns_server *dns_server_start(void);
void dns_server_stop(struct dns_server *server);
int dns_server_port(const struct dns_server *server);
/* addresses: "127.0.0.1 ::1", in this order; "" for none. ttl: seconds. */
void dns_server_say(struct dns_server *server, const char *name, const char *addresses, unsigned ttl);
/* The name is another one's alias (CNAME), whose records come along. */
void dns_server_alias(struct dns_server *server, const char *name, const char *target, unsigned ttl);
/* How it answers questions for the name from now on; its addresses stay. */
void dns_server_manner(struct dns_server *server, const char *name, enum dns_manner manner);
/* How it answers all questions, whatever was said of the names; DNS_SAYS: as was said. */
void dns_server_all(struct dns_server *server, enum dns_manner manner);
/* Questions for A of that name so far; over TCP, for any name. */
unsigned dns_server_asked(struct dns_server *server, const char *name);
unsigned dns_server_asked_tcp(struct dns_server *server);

#endif
