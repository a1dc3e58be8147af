/* fcgi-app/sockets.c and pidfile.c: what a pool opens and locks before it serves. */
#include <config.h> /* _GNU_SOURCE */

#include "fcgi-app/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "core/config.h"
#include "fcgi-app/notify.h"
#include "fcgi-app/pidfile.h"
#include "support/free_port.h"
#include "unit/unit.h"

struct scene {
	char dir[32], path[64];
	struct fg_buf said;
	struct fg_log log;
	struct fg_listen listen[2];
};

static void
keep_line(void *arg, struct fg_str line)
{
	fg_buf_add(arg, line);
}

static void
scene_init(struct scene *scene)
{
	*scene = (struct scene){.dir = "/tmp/faregate-sock-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scene->dir));
	snprintf(scene->path, sizeof(scene->path), "%s/fg.sock", scene->dir);
	fg_buf_init(&scene->said, 65536);
	scene->log = (struct fg_log){.level = FG_LOG_INFO, .write = keep_line, .arg = &scene->said};
	scene->listen[0] = (struct fg_listen){.is_unix = true, .path = fg_str_from(scene->path), .mode = 0620};
}

static void
scene_fini(struct scene *scene)
{
	unlink(scene->path);
	CU_ASSERT_EQUAL(rmdir(scene->dir), 0);
	fg_buf_fini(&scene->said);
}

static bool
said(const struct scene *scene, const char *text)
{
	return scene->said.len > 0 && memmem(scene->said.p, scene->said.len, text, strlen(text)) != NULL;
}

static bool
connects(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool ok;

	memcpy(address.sun_path, path, strlen(path));
	ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return ok;
}

static void
a_unix_socket_has_its_mode_and_goes_with_its_owner(void)
{
	struct fg_sockets sockets;
	struct scene scene;
	struct stat st;

	scene_init(&scene);
	CU_ASSERT_FATAL(fg_sockets_open(&sockets, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT_EQUAL(stat(scene.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0620);
	CU_ASSERT(connects(scene.path));
	CU_ASSERT((fcntl(sockets.v[0].fd, F_GETFL) & O_NONBLOCK) != 0);
	CU_ASSERT((fcntl(sockets.v[0].fd, F_GETFD) & FD_CLOEXEC) != 0);
	fg_sockets_close(&sockets);
	CU_ASSERT_EQUAL(stat(scene.path, &st), -1);
	scene_fini(&scene);
}

static void
what_a_dead_process_left_is_replaced(void)
{
	struct fg_sockets dead, sockets;
	struct scene scene;

	scene_init(&scene);
	CU_ASSERT_FATAL(fg_sockets_open(&dead, NULL, scene.listen, 1, &scene.log));
	/* Closed, its file still there: as after kill -9. */
	fg_sockets_forget(&dead, NULL);
	CU_ASSERT(!connects(scene.path));
	CU_ASSERT_FATAL(fg_sockets_open(&sockets, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(connects(scene.path));
	fg_sockets_close(&sockets);
	scene_fini(&scene);
}

static void
what_a_live_process_serves_is_not(void)
{
	struct fg_sockets mine, other;
	struct scene scene;
	FILE *file;

	scene_init(&scene);
	CU_ASSERT_FATAL(fg_sockets_open(&mine, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(!fg_sockets_open(&other, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(said(&scene, "another process serves it"));
	CU_ASSERT(connects(scene.path));
	fg_sockets_close(&mine);
	file = fopen(scene.path, "w");
	fclose(file);
	CU_ASSERT(!fg_sockets_open(&other, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(said(&scene, "a file that is no socket"));
	unlink(scene.path);
	rmdir(scene.dir);
	CU_ASSERT(!fg_sockets_open(&other, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(said(&scene, "its folder does not exist"));
	mkdir(scene.dir, 0700);
	scene.listen[0].group = FG_STR("no-such-group-here");
	CU_ASSERT(!fg_sockets_open(&other, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(said(&scene, "there is no such group"));
	scene_fini(&scene);
}

static void
the_longest_path_that_fits_an_address_serves(void)
{
	struct fg_sockets sockets;
	struct scene scene;
	char path[108];

	scene_init(&scene);
	memset(path, 'x', sizeof(path));
	memcpy(path, scene.dir, strlen(scene.dir));
	path[strlen(scene.dir)] = '/';
	path[107] = '\0';
	scene.listen[0].path = fg_str_from(path);
	CU_ASSERT_FATAL(fg_sockets_open(&sockets, NULL, scene.listen, 1, &scene.log));
	CU_ASSERT(connects(path));
	fg_sockets_close(&sockets);
	scene_fini(&scene);
}

static unsigned
free_port(void)
{
	int fd, port = bind_free_port(&fd);

	close(fd);
	return (unsigned)port;
}

static void
a_reload_keeps_opens_and_retires(void)
{
	struct fg_sockets first, second, third;
	struct scene scene;
	struct stat st;
	int fd;

	scene_init(&scene);
	CU_ASSERT_FATAL(fg_sockets_open(&first, NULL, scene.listen, 1, &scene.log));
	fd = first.v[0].fd;
	/* One more; another mode for the one that is kept. */
	scene.listen[0].mode = 0666;
	scene.listen[1] = (struct fg_listen){.host = FG_STR("127.0.0.1"), .port = free_port()};
	CU_ASSERT_FATAL(fg_sockets_open(&second, &first, scene.listen, 2, &scene.log));
	CU_ASSERT_EQUAL(second.v[0].fd, fd);
	fg_sockets_retire(&first, &second);
	CU_ASSERT_EQUAL(stat(scene.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0666);
	CU_ASSERT(connects(scene.path));
	/* Given up: what it had opened is closed, what it had kept is not. */
	CU_ASSERT_FATAL(fg_sockets_open(&third, &second, scene.listen, 1, &scene.log));
	fg_sockets_abandon(&third);
	CU_ASSERT(connects(scene.path));
	/* The unix socket goes. */
	CU_ASSERT_FATAL(fg_sockets_open(&third, &second, scene.listen + 1, 1, &scene.log));
	fg_sockets_retire(&second, &third);
	CU_ASSERT_EQUAL(stat(scene.path, &st), -1);
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
	fg_sockets_close(&third);
	scene_fini(&scene);
}

static void
a_socket_whose_file_went_is_opened_anew(void)
{
	struct fg_sockets first, second;
	struct scene scene;

	scene_init(&scene);
	CU_ASSERT_FATAL(fg_sockets_open(&first, NULL, scene.listen, 1, &scene.log));
	unlink(scene.path);
	CU_ASSERT_FATAL(fg_sockets_open(&second, &first, scene.listen, 1, &scene.log));
	fg_sockets_retire(&first, &second);
	CU_ASSERT(connects(scene.path));
	/* Somebody else's file in that place is not removed with ours. */
	unlink(scene.path);
	fclose(fopen(scene.path, "w"));
	fg_sockets_close(&second);
	CU_ASSERT_EQUAL(access(scene.path, F_OK), 0);
	scene_fini(&scene);
}

/* ---- the pid file */

static void
the_pid_file_is_one_process_s(void)
{
	struct fg_pidfile pidfile, second;
	struct scene scene;
	int status;
	pid_t pid;

	scene_init(&scene);
	CU_ASSERT_EQUAL(fg_pidfile_owner(scene.path), 0);
	CU_ASSERT_FATAL(fg_pidfile_take(&pidfile, fg_str_from(scene.path), &scene.log));
	pid = fork();
	if (pid == 0) {
		bool refused = !fg_pidfile_take(&second, fg_str_from(scene.path), &scene.log);

		/* A child that forgets it does not free its parent's lock. */
		fg_pidfile_forget(&pidfile);
		_exit(refused && said(&scene, "another pool runs") && fg_pidfile_owner(scene.path) == getppid() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	fg_pidfile_release(&pidfile);
	CU_ASSERT_EQUAL(access(scene.path, F_OK), -1);
	CU_ASSERT(!fg_pidfile_take(&pidfile, FG_STR("/nonexistent/x.pid"), &scene.log));
	scene_fini(&scene);
}

static void
a_pid_file_left_behind_owns_nothing(void)
{
	struct fg_pidfile pidfile;
	struct scene scene;
	pid_t pid;

	scene_init(&scene);
	pid = fork();
	if (pid == 0)
		_exit(fg_pidfile_take(&pidfile, fg_str_from(scene.path), &scene.log) ? 0 : 1);
	waitpid(pid, NULL, 0);
	CU_ASSERT_EQUAL(access(scene.path, F_OK), 0);
	CU_ASSERT_EQUAL(fg_pidfile_owner(scene.path), 0);
	CU_ASSERT_FATAL(fg_pidfile_take(&pidfile, fg_str_from(scene.path), &scene.log));
	fg_pidfile_release(&pidfile);
	scene_fini(&scene);
}

static void
the_statistics_lie_beside_the_pid_file(void)
{
	char *a = fg_pidfile_beside(FG_STR("/run/faregate/faregate.pid"), ".stats");
	char *b = fg_pidfile_beside(FG_STR("/run/x"), ".stats");

	CU_ASSERT_STRING_EQUAL(a, "/run/faregate/faregate.stats");
	CU_ASSERT_STRING_EQUAL(b, "/run/x.stats");
	free(a);
	free(b);
}

/* ---- the service manager */

static void
the_service_manager_is_told(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct scene scene;
	char text[128];
	ssize_t n;
	int fd;

	scene_init(&scene);
	unsetenv("NOTIFY_SOCKET");
	fg_notify("READY=1");
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	memcpy(address.sun_path, scene.path, strlen(scene.path));
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", scene.path, 1);
	fg_notify("READY=1\nSTATUS=%u workers", 3u);
	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	ASSERT_STR(((struct fg_str){text, n > 0 ? (size_t)n : 0}), "READY=1\nSTATUS=3 workers");
	close(fd);
	/* Abstract, as under some service managers. */
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	address.sun_path[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address,
				  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(scene.path))), 0);
	scene.path[0] = '@';
	setenv("NOTIFY_SOCKET", scene.path, 1);
	scene.path[0] = '/';
	fg_notify("STOPPING=1");
	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	ASSERT_STR(((struct fg_str){text, n > 0 ? (size_t)n : 0}), "STOPPING=1");
	close(fd);
	unsetenv("NOTIFY_SOCKET");
	scene_fini(&scene);
}

void
suite_sockets(void)
{
	CU_pSuite suite = CU_add_suite("sockets", NULL, NULL);

	ADD_TEST(suite, a_unix_socket_has_its_mode_and_goes_with_its_owner);
	ADD_TEST(suite, what_a_dead_process_left_is_replaced);
	ADD_TEST(suite, what_a_live_process_serves_is_not);
	ADD_TEST(suite, the_longest_path_that_fits_an_address_serves);
	ADD_TEST(suite, a_reload_keeps_opens_and_retires);
	ADD_TEST(suite, a_socket_whose_file_went_is_opened_anew);
	ADD_TEST(suite, the_pid_file_is_one_process_s);
	ADD_TEST(suite, a_pid_file_left_behind_owns_nothing);
	ADD_TEST(suite, the_statistics_lie_beside_the_pid_file);
	ADD_TEST(suite, the_service_manager_is_told);
}
