/*
 * A wire between the gateway and Redis that scenes can cut: it relays connections to a port of this host. Cut, it is as a
 * network that drops everything: connections are there, and nothing arrives any more in either direction.
 */
#ifndef FG_E2E_WIRE_H
#define FG_E2E_WIRE_H

struct wire;

/* Relays to 127.0.0.1:to_port. */
struct wire *wire_start(int to_port);
int wire_port(const struct wire *wire);
void wire_cut(struct wire *wire);
/* What was connected before breaks now: bytes are missing in it. */
void wire_mend(struct wire *wire);
/* NULL is allowed. */
void wire_stop(struct wire *wire);

#endif
