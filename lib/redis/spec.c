/* Where Redis is: the URL of the configuration taken apart, and told without its secrets. */
#include <sys/un.h>

#include "base/ip.h"
#include "base/percent.h"
#include "redis/redis_internal.h"

enum { MAX_DB = 1000000, UNIX_PATH_MAX_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };

struct reading {
	struct fg_redis_spec *spec;
	struct fg_str url;
	struct fg_arena *arena;
	struct fg_redis_mistake *mistake;
};

/* at: the part of the URL that is wrong. */
static enum fg_err
wrong(struct reading *reading, struct fg_str at, const char *text)
{
	*reading->mistake = (struct fg_redis_mistake){text, at.p == NULL ? 0 : (size_t)(at.p - reading->url.p)};
	return FG_ERR_SYNTAX;
}

static bool
take_prefix(struct fg_str *rest, const char *prefix)
{
	struct fg_str s = fg_str_from(prefix);

	if (!fg_str_starts_with(*rest, s))
		return false;
	*rest = fg_str_slice(*rest, s.len, rest->len);
	return true;
}

/* What stands before sep, taken off with it; all when it is not there. */
static struct fg_str
take_until(struct fg_str *rest, char sep)
{
	size_t at = fg_str_find(*rest, sep);
	struct fg_str part = fg_str_slice(*rest, 0, at);

	*rest = fg_str_slice(*rest, at + 1, rest->len);
	return part;
}

static enum fg_err
read_db(struct reading *reading, struct fg_str text)
{
	uint64_t db;

	if (!fg_str_to_u64(text, &db) || db > MAX_DB)
		return wrong(reading, text, "the database is a number, as in redis://127.0.0.1:6379/0");
	reading->spec->db = (unsigned)db;
	return FG_OK;
}

/* Takes "user:password@" off the authority, which ends where the path begins. */
static enum fg_err
read_user_info(struct reading *reading, struct fg_str *rest)
{
	struct fg_str authority = fg_str_slice(*rest, 0, fg_str_find(*rest, '/')), user, password;
	size_t end = authority.len;

	while (end > 0 && authority.p[end - 1] != '@')
		end--;
	if (end == 0)
		return FG_OK;
	password = fg_str_slice(authority, 0, end - 1);
	*rest = fg_str_slice(*rest, end, rest->len);
	if (fg_str_find(password, '@') < password.len)
		return wrong(reading, password, "an @ in the user or the password is written %40");
	user = take_until(&password, ':');
	if (!fg_percent_decode(user, false, reading->arena, &reading->spec->user) ||
	    !fg_percent_decode(password, false, reading->arena, &reading->spec->password))
		return wrong(reading, user, "the user or the password has a % that two hexadecimal digits do not follow");
	return FG_OK;
}

static enum fg_err
read_address(struct reading *reading, struct fg_str text, unsigned port)
{
	struct fg_redis_spec *spec = reading->spec;
	struct fg_str host, digits = FG_STR_NONE;
	uint64_t number = port;

	if (!fg_host_port_split(text, &host, &digits))
		return wrong(reading, text, "expected HOST:PORT, as in 127.0.0.1:6379, [::1]:6379 or redis.internal:6379");
	if (digits.len > 0)
		FG_ASSERT(fg_str_to_u64(digits, &number));
	if (host.p[0] == '[')
		host = fg_str_slice(host, 1, host.len - 1);
	spec->addresses[spec->address_count++] = (struct fg_redis_address){host, (unsigned)number};
	return FG_OK;
}

static enum fg_err
read_addresses(struct reading *reading, struct fg_str list, unsigned port)
{
	struct fg_str item;
	enum fg_err err;

	while (fg_str_next(&list, ',', &item)) {
		if (reading->spec->address_count == FG_MAX_REDIS_ADDRESSES)
			return wrong(reading, item, "too many addresses: give those to ask first, at most 32");
		err = read_address(reading, item, port);
		if (err != FG_OK)
			return err;
	}
	if (reading->spec->address_count == 0)
		return wrong(reading, list, "an address is missing, as in 127.0.0.1:6379");
	return FG_OK;
}

static enum fg_err
read_single(struct reading *reading, struct fg_str rest)
{
	struct fg_str authority = take_until(&rest, '/');
	enum fg_err err;

	if (fg_str_find(authority, ',') < authority.len)
		return wrong(reading, authority,
		    "redis:// has one address; several are redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST");
	err = read_addresses(reading, authority, 6379);
	return err == FG_OK && rest.len > 0 ? read_db(reading, rest) : err;
}

static enum fg_err
read_unix(struct reading *reading, struct fg_str rest)
{
	struct fg_str path = take_until(&rest, '?'), decoded;

	if (path.len < 2 || path.p[0] != '/')
		return wrong(reading, path, "expected the absolute path of a socket, as in redis+unix:///run/redis.sock");
	if (!fg_percent_decode(path, false, reading->arena, &decoded))
		return wrong(reading, path, "the path has a % that two hexadecimal digits do not follow");
	if (decoded.len > UNIX_PATH_MAX_BYTES)
		return wrong(reading, path, "the path of a socket has at most 107 bytes");
	reading->spec->addresses[reading->spec->address_count++] = (struct fg_redis_address){.host = decoded};
	if (rest.len == 0)
		return FG_OK;
	if (!take_prefix(&rest, "db="))
		return wrong(reading, rest, "the only parameter is db, as in redis+unix:///run/redis.sock?db=0");
	return read_db(reading, rest);
}

static enum fg_err
read_sentinel(struct reading *reading, struct fg_str rest)
{
	struct fg_str authority = take_until(&rest, '/'), master = take_until(&rest, '/');
	enum fg_err err = read_addresses(reading, authority, 26379);

	if (err != FG_OK)
		return err;
	if (master.len == 0)
		return wrong(reading, master.p == NULL ? authority : master,
		    "the master's name is missing, as in redis+sentinel://127.0.0.1:26379/mymaster");
	if (master.len >= FG_REDIS_HOST_BYTES)
		return wrong(reading, master, "the master's name is too long");
	if (!fg_percent_decode(master, false, reading->arena, &reading->spec->master))
		return wrong(reading, master, "the master's name has a % that two hexadecimal digits do not follow");
	return rest.len > 0 ? read_db(reading, rest) : FG_OK;
}

static enum fg_err
read_cluster(struct reading *reading, struct fg_str rest)
{
	struct fg_str authority = take_until(&rest, '/');

	if (rest.len > 0)
		return wrong(reading, rest, "a Cluster has database 0 alone: nothing comes behind the addresses");
	return read_addresses(reading, authority, 6379);
}

static enum fg_err
read_by_mode(struct reading *reading, struct fg_str rest, bool is_unix)
{
	enum fg_err err = read_user_info(reading, &rest);

	if (err != FG_OK)
		return err;
	switch (reading->spec->mode) {
	case FG_REDIS_SENTINEL:
		return read_sentinel(reading, rest);
	case FG_REDIS_CLUSTER:
		return read_cluster(reading, rest);
	case FG_REDIS_SINGLE:
		break;
	}
	return is_unix ? read_unix(reading, rest) : read_single(reading, rest);
}

enum fg_err
fg_redis_spec_parse(struct fg_redis_spec **out, struct fg_str url, struct fg_arena *arena, struct fg_redis_mistake *mistake)
{
	struct fg_redis_spec *spec = FG_ARENA_NEW(arena, struct fg_redis_spec);
	struct reading reading = {spec, fg_arena_str(arena, url), arena, mistake};
	struct fg_str rest = reading.url;
	bool is_unix = false;

	*out = spec;
	spec->addresses = FG_ARENA_ARRAY(arena, struct fg_redis_address, FG_MAX_REDIS_ADDRESSES);
	if (take_prefix(&rest, "redis+unix://"))
		is_unix = true;
	else if (take_prefix(&rest, "redis+sentinel://"))
		spec->mode = FG_REDIS_SENTINEL;
	else if (take_prefix(&rest, "redis+cluster://"))
		spec->mode = FG_REDIS_CLUSTER;
	else if (take_prefix(&rest, "rediss://"))
		spec->tls = true;
	else if (!take_prefix(&rest, "redis://"))
		return wrong(&reading, rest,
		    "expected redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster://");
	if (spec->tls && !fg_redis_has_tls())
		return wrong(&reading, reading.url,
		    "this program was built without TLS to Redis (no hiredis_ssl): redis:// through a TLS tunnel, or redis+unix://");
	return read_by_mode(&reading, rest, is_unix);
}

struct fg_str
fg_redis_spec_format(const struct fg_redis_spec *spec, struct fg_arena *arena)
{
	static const char *const schemes[] = {[FG_REDIS_SINGLE] = "redis://", [FG_REDIS_SENTINEL] = "redis+sentinel://",
	    [FG_REDIS_CLUSTER] = "redis+cluster://"};
	bool is_unix = spec->addresses[0].port == 0;
	struct fg_str out = fg_str_from(is_unix ? "redis+unix://" : spec->tls ? "rediss://" : schemes[spec->mode]);

	for (size_t i = 0; i < spec->address_count; i++) {
		struct fg_redis_where where;
		char buf[FG_REDIS_HOST_BYTES + 16];

		FG_ASSERT(fg_redis_where_set(&where, spec->addresses[i].host, spec->addresses[i].port));
		out = FG_ARENA_CONCAT(arena, out, i > 0 ? FG_STR(",") : FG_STR(""), fg_redis_where_format(&where, buf));
	}
	if (spec->mode == FG_REDIS_CLUSTER)
		return out;
	if (spec->mode == FG_REDIS_SENTINEL)
		out = FG_ARENA_CONCAT(arena, out, FG_STR("/"), spec->master);
	return FG_ARENA_CONCAT(arena, out, is_unix ? FG_STR("?db=") : FG_STR("/"), fg_arena_u64(arena, spec->db));
}
