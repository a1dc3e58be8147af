/*
 * What the engine's tests share: a configuration, a loop, a gateway, and a front that is played and keeps what it is given.
 */
#ifndef FG_TESTS_EXCHANGE_SCENE_H
#define FG_TESTS_EXCHANGE_SCENE_H

#include "base/buf.h"
#include "base/log.h"
#include "core/config.h"
#include "core/exchange.h"
#include "unit/unit.h"

struct front {
	int status, ends, aborts;
	struct fg_buf headers, body;
	size_t room; /* bytes that send_body takes before it pauses */
};

struct exchange_scene {
	char file[64];
	struct fg_config *config;
	struct fg_loop *loop;
	struct fg_client *client;
	struct fg_log log;
	struct fg_gateway gw;
	struct front front;
	struct fg_param params[32];
	size_t param_count;
	struct fg_buf steps; /* of scene_explained() */
};

extern struct exchange_scene scene;

/* Of a suite: with a configuration of its own, or with that of the engine's tests. */
int scene_set_up_with(const char *yaml);
int scene_set_up(void);
int scene_tear_down(void);

/* The parameters of the next request; scene_with changes what scene_asks said, or says more. */
void scene_asks(const char *method, const char *target);
void scene_param(const char *name, const char *value);
void scene_with(const char *name, const char *value);

/* Decided without a front; freed by the test. */
struct fg_exchange *scene_decided(void);
/* What `faregate explain` says to it, a step a line. Until the next call. */
const char *scene_explained(void);
void scene_expect_header(struct fg_exchange *x, const char *name, const char *value);
void scene_expect_reason(const char *method, const char *target, enum fg_err reason);

/* Begun with the played front, not yet started; scene_finish after it is over. */
struct fg_exchange *scene_begin(void);
void scene_finish(void);
bool scene_body_has(const char *text);
bool scene_headers_have(const char *line);

#endif
