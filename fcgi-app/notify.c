/* sd_notify() by hand: one datagram to the socket that NOTIFY_SOCKET names. */
#include "fcgi-app/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

void
fg_notify(const char *fmt, ...)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fg_str path = fg_str_from(getenv("NOTIFY_SOCKET"));
	char text[512];
	va_list args;
	int fd, len;

	if (path.len < 2 || path.len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path.p, path.len);
	/* "@name" is the abstract socket of that name. */
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	FG_ASSERT(len > 0 && (size_t)len < sizeof(text));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Whoever does not read is not worth waiting for. */
	(void)!sendto(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len));
	close(fd);
}
