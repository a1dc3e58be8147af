/*
 * Where calls to a name go: the addresses that lib/dns knows, given to libcurl.
 *
 * libcurl has a memory of names that all calls of a client share. Entries that we put there stay until we put others, so that
 * it never asks a resolver itself; and as the URL keeps the name, SNI, the certificate's check and the reuse of connections are
 * what they are without us. It tries the addresses in their order, the next when one refuses or takes too long, all within
 * the connect-timeout. For each new connection the order is turned on by one, so that all addresses get some.
 *
 * libcurl finds kept-alive connections by name, whatever address they go to. When the addresses of a name have changed,
 * those to addresses that are gone are closed: at once when they are idle, else behind the response.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "client/client_internal.h"

void
fg_client_use_dns(struct fg_client *client, struct fg_dns *dns)
{
	FG_ASSERT(client->call_count == 0 && client->sites == NULL);
	client->dns = dns;
}

/* ---- sites */

struct fg_site *
fg_site_get(struct fg_client *client, const struct fg_endpoint *endpoint)
{
	struct fg_site *site = client->sites;
	struct fg_dns_name *name;

	if (client->dns == NULL || endpoint->name.len == 0)
		return NULL;
	while (site != NULL && !(site->port == endpoint->port && fg_str_ieq(site->host, endpoint->name)))
		site = site->next;
	if (site != NULL)
		return site;
	name = fg_dns_name(client->dns, endpoint->name);
	if (name == NULL)
		return NULL;
	site = calloc(1, sizeof(*site));
	FG_ASSERT(site != NULL);
	site->client = client;
	site->host = endpoint->name;
	site->port = endpoint->port;
	site->name = name;
	site->next = client->sites;
	client->sites = site;
	return site;
}

void
fg_site_free_all(struct fg_client *client)
{
	while (client->sites != NULL) {
		struct fg_site *site = client->sites;

		client->sites = site->next;
		free(site);
	}
}

void
fg_site_note_end(struct fg_call *call)
{
	if (call->site == NULL || call->times.reused)
		return;
	call->site->turn++;
	call->site->turns = fg_dns_set(call->site->name)->count > 1;
}

/* ---- connections to addresses that are gone */

static bool
goes_to_one_of(const struct fg_socket *sock, const struct fg_dns_set *set)
{
	return fg_dns_set_has(set, &sock->remote);
}

static void
leave_gone(const struct fg_site *site, const struct fg_dns_set *set)
{
	const struct fg_client *client = site->client;

	for (size_t fd = 0; fd < client->socket_size; fd++) {
		struct fg_socket *sock = client->sockets[fd];

		if (sock == NULL || sock->site != site || goes_to_one_of(sock, set))
			continue;
		if (sock->calls == NULL && sock->is_framed)
			(void)shutdown(sock->fd, SHUT_RDWR);
		else if (sock->calls == NULL)
			fg_reuse_give_up(sock);
		for (struct fg_call *call = sock->calls; call != NULL; call = call->socket_next)
			fg_call_forbid_reuse(call);
	}
}

void
fg_site_note_connected(struct fg_call *call, struct fg_socket *sock, const char *remote_ip)
{
	if (call->site == NULL)
		return;
	sock->site = call->site;
	if (!fg_ip_parse(&sock->remote, fg_str_from(remote_ip)) || !goes_to_one_of(sock, fg_dns_set(call->site->name)))
		fg_call_forbid_reuse(call);
}

/* ---- what libcurl is told */

/* "name:80:192.0.2.1,[2001:db8::1]". */
static char *
format_addresses(const struct fg_site *site, const struct fg_dns_set *set)
{
	size_t size = site->host.len + sizeof(":65535:") + set->count * 64, len;
	char *text = malloc(size), one[64];

	FG_ASSERT(text != NULL);
	len = (size_t)snprintf(text, size, FG_STR_FMT ":%u:", FG_STR_ARG(site->host), site->port);
	for (size_t i = 0; i < set->count; i++) {
		struct fg_str ip = fg_ip_format(&set->ips[(i + site->turn) % set->count], one);
		bool v6 = fg_str_find(ip, ':') < ip.len;

		len += (size_t)snprintf(text + len, size - len, v6 ? "%s[" FG_STR_FMT "]" : "%s" FG_STR_FMT, i == 0 ? "" : ",", FG_STR_ARG(ip));
	}
	return text;
}

void
fg_site_apply(struct fg_call *call)
{
	struct fg_site *site = call->site;
	const struct fg_dns_set *set;
	struct curl_slist *list = call->addresses;

	if (site == NULL)
		return;
	set = fg_dns_set(site->name);
	if (site->version != set->version) {
		leave_gone(site, set);
		site->version = set->version;
	}
	if (call->addresses_version == set->version && !site->turns)
		return;
	if (list == NULL)
		list = call->addresses = calloc(1, sizeof(*list));
	FG_ASSERT(list != NULL);
	free(list->data);
	list->data = format_addresses(site, set);
	FG_EASY_SET(call->easy, CURLOPT_RESOLVE, list);
	call->addresses_version = set->version;
	site->turns = false;
}

void
fg_site_forget_call(struct fg_call *call)
{
	if (call->addresses != NULL)
		free(call->addresses->data);
	free(call->addresses);
}
