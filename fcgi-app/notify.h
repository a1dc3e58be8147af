/*
 * What the service manager is told (systemd's Type=notify; sd_notify(3) describes the protocol). Does nothing where
 * nobody listens.
 */
#ifndef FG_APP_NOTIFY_H
#define FG_APP_NOTIFY_H

#include "base/assert.h"

/* Lines of VARIABLE=VALUE in one message: fg_notify("READY=1\nSTATUS=%u workers", count). */
void fg_notify(const char *fmt, ...) FG_PRINTF(1, 2);

#endif
