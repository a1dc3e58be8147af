/*
 * Started by a web server: as a FastCGI process whose listening socket is descriptor 0 (lighttpd bin-path, mod_fcgid),
 * or as a plain CGI program. No arguments then; the configuration is $FAREGATE_CONFIG or the default.
 */
#ifndef FG_APP_SPAWNED_H
#define FG_APP_SPAWNED_H

#include <stdbool.h>

/* Descriptor 0 is a listening socket. */
bool fg_spawned_has_socket(void);
/* Both return the exit status (enum fg_exit). */
int fg_spawned_worker(void);
int fg_spawned_cgi(void);

#endif
