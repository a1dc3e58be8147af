/* A gateway for commands that judge: the contract stands in offline.h. */
#include "fcgi-app/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "core/config.h"
#include "core/counts.h"
#include "fcgi-app/commands.h"
#include "fcgi-app/pidfile.h"
#include "filter/auth_jwt.h"
#include "stats/stats.h"

bool
fg_offline_add_keys(struct fg_offline_keys *keys, const char *argument)
{
	if (keys->count == FG_OFFLINE_MOST_KEYS) {
		fprintf(stderr, "faregate: --keys is given too often\n");
		return false;
	}
	keys->v[keys->count++] = argument;
	return true;
}

/* Into the configuration's arena. False: said. */
static bool
read_file(const char *path, struct fg_arena *arena, struct fg_str *text)
{
	FILE *file = fopen(path, "r");
	char *room = fg_arena_alloc(arena, FG_MAX_KEY_SET_BYTES + 1);
	size_t got;

	if (file == NULL) {
		fprintf(stderr, "faregate: %s cannot be read\n", path);
		return false;
	}
	got = fread(room, 1, FG_MAX_KEY_SET_BYTES + 1, file);
	fclose(file);
	if (got > FG_MAX_KEY_SET_BYTES) {
		fprintf(stderr, "faregate: %s is too large for a key set\n", path);
		return false;
	}
	*text = (struct fg_str){room, got};
	return true;
}

static bool
use_keys(struct fg_config *config, const char *argument)
{
	struct fg_str policy = {argument, strcspn(argument, "=")}, text;
	const char *why;

	if (argument[policy.len] == '\0') {
		fprintf(stderr, "faregate: \"%s\" is not POLICY=FILE\n", argument);
		return false;
	}
	if (!read_file(argument + policy.len + 1, &config->arena, &text))
		return false;
	if (!fg_auth_jwt_use_keys(config, policy, text, &why)) {
		fprintf(stderr, "faregate: --keys %s: %s\n", argument, why);
		return false;
	}
	return true;
}

static int
load(struct fg_offline *offline, const char *file)
{
	struct fg_buf errors;
	enum fg_err err;

	fg_buf_init(&errors, FG_MAX_CONFIG_BYTES);
	err = fg_config_load_as(&offline->config, file, &errors, FG_CONFIG_STREAM);
	if (err != FG_OK)
		fprintf(stderr, "%.*s", FG_STR_ARG(fg_buf_str(&errors)));
	fg_buf_fini(&errors);
	if (err == FG_OK)
		return FG_EXIT_OK;
	return err == FG_ERR_SYSTEM ? FG_EXIT_ENVIRONMENT : FG_EXIT_INPUT;
}

int
fg_offline_open(struct fg_offline *offline, const char *file, const struct fg_offline_keys *keys)
{
	int status;
	char *stem;

	*offline = (struct fg_offline){.log = {.level = FG_LOG_ERROR}};
	status = load(offline, file);
	if (status != FG_EXIT_OK)
		return status;
	for (size_t i = 0; i < keys->count; i++) {
		if (use_keys(offline->config, keys->v[i]))
			continue;
		fg_config_free(offline->config);
		return FG_EXIT_USAGE;
	}
	stem = fg_pidfile_beside(offline->config->pid_file, "");
	offline->loop = fg_loop_new();
	fg_gateway_init(&offline->gw, offline->config, offline->loop, NULL, &offline->log);
	/* Counters of its own, which nobody sees: the gateway's pages are made of some. */
	if (fg_stats_create(&offline->gw.stats, NULL, offline->config->route_count + offline->config->service_count) == FG_OK)
		fg_counts_attach(offline->gw.stats, offline->config);
	fg_pool_memory_open(&offline->memory, stem);
	fg_gateway_start_filters(&offline->gw, &offline->memory);
	free(stem);
	return FG_EXIT_OK;
}

void
fg_offline_close(struct fg_offline *offline)
{
	fg_gateway_fini(&offline->gw);
	fg_stats_close(offline->gw.stats, false);
	fg_pool_memory_close(&offline->memory, false);
	fg_loop_free(offline->loop);
	fg_config_free(offline->config);
}
