/* Where a server is: compared, told, and as the system wants it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "redis/redis_internal.h"

bool
fg_redis_where_set(struct fg_redis_where *where, struct fg_str host, unsigned port)
{
	if (host.len == 0 || host.len >= sizeof(where->host) || fg_str_find(host, '\0') < host.len || port > 65535)
		return false;
	memcpy(where->host, host.p, host.len);
	where->host[host.len] = '\0';
	where->port = port;
	return true;
}

bool
fg_redis_where_eq(const struct fg_redis_where *where, struct fg_str host, unsigned port)
{
	return where->port == port && fg_str_eq(fg_str_from(where->host), host);
}

struct fg_str
fg_redis_where_format(const struct fg_redis_where *where, char *buf)
{
	bool is_v6 = strchr(where->host, ':') != NULL;
	int len;

	if (where->port == 0)
		return fg_str_from(where->host);
	len = snprintf(buf, FG_REDIS_HOST_BYTES + 16, is_v6 ? "[%s]:%u" : "%s:%u", where->host, where->port);
	return (struct fg_str){buf, (size_t)len};
}

bool
fg_redis_where_sockaddr(const struct fg_redis_where *where, struct sockaddr_storage *out, unsigned *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
	struct sockaddr_un *path = (struct sockaddr_un *)(void *)out;
	size_t path_len = strlen(where->host);

	memset(out, 0, sizeof(*out));
	if (where->port == 0) {
		FG_ASSERT(path_len < sizeof(path->sun_path));
		path->sun_family = AF_UNIX;
		memcpy(path->sun_path, where->host, path_len);
		*len = sizeof(*path);
		return true;
	}
	if (inet_pton(AF_INET, where->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)where->port);
		*len = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, where->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)where->port);
		*len = sizeof(*v6);
		return true;
	}
	return false;
}
