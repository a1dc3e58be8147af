/*
 * Plain CGI (RFC 3875): one process, one request, for hosts that offer nothing else.
 */
#ifndef FG_APP_CGI_H
#define FG_APP_CGI_H

struct fg_config;
struct fg_pool_memory;

/*
 * Serves the request that the environment and standard input hold, to standard output; by the very pipeline that a
 * worker runs. memory is NULL where none can be shared; slot: of this process in its statistics. Returns the exit status (enum fg_exit).
 */
int fg_cgi_run(const struct fg_config *config, const struct fg_pool_memory *memory, unsigned slot);

#endif
