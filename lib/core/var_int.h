/* Between var.c and template.c. Nobody else includes this. */
#ifndef FG_CORE_VAR_INT_H
#define FG_CORE_VAR_INT_H

#include "core/var.h"

/* path:NAME with its percent-encoding as the client wrote it. */
bool fg_var_get_encoded_segment(const struct fg_exchange *x, struct fg_str name, struct fg_str *value);

#endif
