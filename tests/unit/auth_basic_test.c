/* lib/filter/auth_basic: what is sent, what it is checked against, what is kept of it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/identity.h"
#include "loop/offload.h"
#include "filter/authenticator.h"
#include "unit/config_load.h"
#include "unit/exchange_scene.h"

static char file_path[] = "/tmp/fg-htpasswd-XXXXXX";

/* joe: secret; ann: pä:ss */
static const char users[] =
    "# staff\n"
    "joe:$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2\n"
    "ann:$6$rounds=1000$saltsal2$wuN88c0Nm1EchNW/T4kJfRj95ePnGBNIQm9EfuEN0g47U/K3vJ6KtWN50HNQx."
    "Y9D0MxPEabj7GcMnCGFZjKt/\n";

static const char yaml[] =
    "version: 1\n"
    "log: {access: {path: \"off\"}}\n"
    "services: {a: 'http://127.0.0.1:9'}\n"
    "consumers: {joe: {group: admins}}\n"
    "auth:\n"
    "  staff: {type: basic, users: 'file:%s', realm: staff only, forward: {X-Group: group}}\n"
    "  fresh: {type: basic, users: 'file:%s', cache: 0}\n"
    "routes:\n"
    "  a: {path: /a, service: a, auth: staff}\n"
    "  b: {path: /b, service: a, auth: fresh}\n";

static int
set_up(void)
{
	char text[2048];
	int fd, status;

	snprintf(file_path, sizeof(file_path), "/tmp/fg-htpasswd-XXXXXX");
	fd = mkstemp(file_path);
	if (fd < 0 || write(fd, users, sizeof(users) - 1) != (ssize_t)sizeof(users) - 1)
		return 1;
	close(fd);
	snprintf(text, sizeof(text), yaml, file_path, file_path);
	status = scene_set_up_with(text);
	unlink(file_path);
	return status;
}

static void
asks_as(const char *target, const char *credentials)
{
	scene_asks("GET", target);
	if (credentials != NULL)
		scene_with("HTTP_AUTHORIZATION", credentials);
}

static void
expect(const char *credentials, enum fg_err reason)
{
	struct fg_exchange *x;

	asks_as("/a", credentials);
	x = scene_decided();
	if (x->reason != reason)
		fprintf(stderr, "%s: %s\n", credentials, fg_err_token(x->reason));
	CU_ASSERT_EQUAL(x->reason, reason);
	if (reason != FG_OK)
		ASSERT_STR(fg_headers_find(&x->resp.headers, FG_STR("WWW-Authenticate"))->value,
		    "Basic realm=\"staff only\", charset=\"UTF-8\"");
	fg_exchange_free(x);
}

static void
each_password_is_judged(void)
{
	for (int i = 0; i < 2; i++) { /* from the file, then from what was kept */
		expect("Basic am9lOnNlY3JldA==", FG_OK);              /* joe:secret */
		expect("basic  am9lOnNlY3JldA", FG_OK);               /* the padding says nothing */
		expect("Basic YW5uOnDDpDpzcw==", FG_OK);              /* ann:pä:ss */
		expect("Basic am9lOlNlY3JldA==", FG_ERR_PASSWORD_WRONG); /* joe:Secret */
		expect("Basic am9lOg==", FG_ERR_PASSWORD_WRONG);      /* joe: */
		expect("Basic bm9ib2R5OnNlY3JldA==", FG_ERR_PASSWORD_WRONG); /* nobody:secret */
	}
}

static void
what_is_no_pair_is_refused(void)
{
	expect(NULL, FG_ERR_PASSWORD_MISSING);
	expect("Basic ", FG_ERR_PASSWORD_MISSING);
	expect("Bearer am9lOnNlY3JldA==", FG_ERR_PASSWORD_MISSING);
	expect("Basic am9l", FG_ERR_PASSWORD_WRONG);             /* joe */
	expect("Basic OnNlY3JldA==", FG_ERR_PASSWORD_WRONG);     /* :secret */
	expect("Basic am9lOnNlY3JldA===", FG_ERR_PASSWORD_WRONG);
	expect("Basic am9l OnNlY3JldA==", FG_ERR_PASSWORD_WRONG);
	expect("Basic _-8=", FG_ERR_PASSWORD_WRONG);             /* the other alphabet */
	expect("Basic agAKOng=", FG_ERR_PASSWORD_WRONG);         /* a user with a NUL and a line's end */
	expect("Basic !!!!", FG_ERR_PASSWORD_WRONG);
}

static void
the_service_learns_who_and_not_how(void)
{
	struct fg_exchange *x;

	asks_as("/a", "Basic am9lOnNlY3JldA==");
	scene_with("HTTP_X_GROUP", "root");
	x = scene_decided();
	CU_ASSERT_EQUAL_FATAL(x->reason, FG_OK);
	ASSERT_STR(x->identity->consumer, "joe");
	scene_expect_header(x, "X-Group", "admins");
	scene_expect_header(x, "Authorization", NULL);
	fg_exchange_free(x);
}

static void
the_client_leaves_while_a_password_is_checked(void)
{
	struct fg_exchange *x;

	asks_as("/b", "Basic am9lOnNlY3JldA==");
	x = scene_begin();
	fg_exchange_start(x);
	CU_ASSERT_EQUAL_FATAL(x->state, FG_X_SUSPENDED);
	fg_exchange_on_client_gone(x);
	for (int i = 0; i < 3; i++)
		fg_loop_turn(scene.loop, false);
	scene_finish();
}

/* More than may wait: one is told so at once. The threads go on meanwhile, so nobody knows which it will be. */
static void
a_full_queue_is_said(void)
{
	enum { MOST = 50 * FG_MAX_PASSWORD_CHECKS };
	static struct fg_exchange *x[MOST];
	int count = 0, refused = 0, waiting = 0;

	while (count < MOST && refused == 0) {
		asks_as("/b", "Basic am9lOnNlY3JldA==");
		x[count] = fg_exchange_new_offline(&scene.gw, scene.params, scene.param_count, NULL);
		fg_exchange_decide(x[count]);
		waiting += x[count]->state == FG_X_SUSPENDED;
		refused += x[count]->reason == FG_ERR_OVERLOADED;
		count++;
	}
	CU_ASSERT_EQUAL(refused + waiting, count);
	CU_ASSERT(waiting >= FG_MAX_PASSWORD_CHECKS);
	CU_ASSERT_EQUAL(refused, 1);
	for (int i = 0; i < count; i++) {
		while (x[i]->state == FG_X_SUSPENDED)
			fg_loop_turn(scene.loop, true);
		CU_ASSERT(x[i]->reason == FG_OK || x[i]->reason == FG_ERR_OVERLOADED);
		fg_exchange_free(x[i]);
	}
}

static void
what_cannot_be_meant_is_refused(void)
{
	config_write("users", "joe:secret\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: basic}}\n", "f:2:8: auth.a: users is missing\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: basic, users: users}}\n", "f:2:32: auth.a.users: expected file:PATH, found \"users\"\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: basic, users: 'file:none'}}\n",
	    "f:2:32: auth.a.users: \"none\" cannot be read: No such file or directory\n");
	config_write("users", "# nobody\n");
	EXPECT_ERRORS("version: 1\nauth: {a: {type: basic, users: 'file:users'}}\n", "f:2:32: auth.a.users: users: no user in it\n");
	unlink(config_path("users"));
}

void
suite_auth_basic(void)
{
	CU_pSuite suite = CU_add_suite("auth_basic", set_up, scene_tear_down);

	ADD_TEST(suite, each_password_is_judged);
	ADD_TEST(suite, what_is_no_pair_is_refused);
	ADD_TEST(suite, the_service_learns_who_and_not_how);
	ADD_TEST(suite, the_client_leaves_while_a_password_is_checked);
	ADD_TEST(suite, a_full_queue_is_said);
	suite = CU_add_suite("auth_basic_config", config_folder_make, config_folder_remove);
	ADD_TEST(suite, what_cannot_be_meant_is_refused);
}
