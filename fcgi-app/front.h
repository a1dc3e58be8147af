/*
 * The FastCGI front of a worker: listening sockets, the web server's connections, and the engine behind them.
 */
#ifndef FG_FCGI_FRONT_H
#define FG_FCGI_FRONT_H

#include <stdbool.h>
#include <stddef.h>

struct fg_front;
struct fg_gateway;
struct fg_handover;

/*
 * Accepts on the descriptors (borrowed, non-blocking) from the next turn on, as long as there are fewer than most_conns
 * connections (at most FG_MAX_CONNECTIONS). handover: where idle connections come
 * from and go to when workers change (handover.h); NULL: nowhere. on_idle is called, from the loop, whenever the front
 * drains and has become empty.
 */
struct fg_front *fg_front_new(struct fg_gateway *gw, const int *listen_fds, size_t listen_count, size_t most_conns,
    const struct fg_handover *handover, void (*on_idle)(void *arg), void *arg);
/* Stops accepting, gives idle connections away (or closes them), and each busy one once its exchange is over. */
void fg_front_drain(struct fg_front *front);
/* All exchanges are over (asserted): closes what is left. */
void fg_front_free(struct fg_front *front);

#endif
