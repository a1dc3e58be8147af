/*
 * Web servers in front: a small configuration around the files of deploy/, which are what is tested.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/bed.h"

static const struct {
	const char *name;
	const char *snippet;
	bool apache;
} kinds[] = {
    [FRONT_LIGHTTPD] = {"lighttpd", "lighttpd/faregate-socket.conf", false},
    [FRONT_LIGHTTPD_TCP] = {"lighttpd-tcp", "lighttpd/faregate-tcp.conf", false},
    [FRONT_LIGHTTPD_SPAWN] = {"lighttpd-spawn", "lighttpd/faregate-spawn.conf", false},
    [FRONT_LIGHTTPD_CGI] = {"lighttpd-cgi", "lighttpd/faregate-cgi.conf", false},
    [FRONT_APACHE] = {"apache", "apache/faregate-proxy.conf", true},
    [FRONT_APACHE_TCP] = {"apache-tcp", "apache/faregate-proxy.conf", true},
    [FRONT_APACHE_FCGID] = {"apache-fcgid", "apache/faregate-fcgid.conf", true},
    [FRONT_APACHE_CGI] = {"apache-cgi", "apache/faregate-cgi.conf", true},
};

static void
write_lighttpd(const struct bed *bed, const struct front *front, const char *mount, const char *extra)
{
	char name[48];

	snprintf(name, sizeof(name), "%s.conf", front->name);
	bed_write(bed, name,
	    "server.document-root = \"%s/empty\"\n"
	    "server.bind = \"127.0.0.1\"\n"
	    "server.port = %d\n"
	    "server.pid-file = \"%s/%s.pid\"\n"
	    "server.errorlog = \"%s/%s-error.log\"\n"
	    "server.upload-dirs = ( \"%s\" )\n"
	    "server.max-keep-alive-requests = 1000000\n"
	    "server.max-connections = 2048\n"
	    "server.max-fds = 8192\n"
	    "server.feature-flags += ( \"server.graceful-shutdown-timeout\" => 1 )\n"
	    "server.modules = ( \"mod_fastcgi\", \"mod_cgi\", \"mod_alias\", \"mod_setenv\" )\n"
	    "%s\n"
	    "var.faregate_mount   = \"%s\"\n"
	    "var.faregate_socket  = \"%s\"\n"
	    "var.faregate_host    = \"127.0.0.1\"\n"
	    "var.faregate_port    = %d\n"
	    "var.faregate_program = \"%s\"\n"
	    "var.faregate_config  = \"%s\"\n"
	    "var.faregate_workers = 2\n"
	    "include \"%s/deploy/%s\"\n",
	    bed->dir, front->port, bed->dir, front->name, bed->dir, front->name, bed->dir, extra == NULL ? "" : extra,
	    mount, front->kind == FRONT_LIGHTTPD_SPAWN ? "spawned.sock" : bed->socket, bed->tcp_port, bed_program(),
	    bed->config, FG_TEST_SRCDIR, kinds[front->kind].snippet);
}

/* Apache starts it as another user, who may have no way into the build folder. */
static const char *
reachable_program(const struct bed *bed)
{
	static char path[BED_PATH_BYTES];
	char *out;

	snprintf(path, sizeof(path), "%s/faregate", bed->dir);
	if (access(path, X_OK) == 0)
		return path;
	if (bed_run(bed, &out, (const char *[]){"cp", bed_program(), path, NULL}) != 0)
		bed_give_up("cp: %s", out);
	free(out);
	if (access(path, X_OK) != 0)
		bed_give_up("%s cannot be run", path);
	return path;
}

static void
write_apache(const struct bed *bed, const struct front *front, const char *mount, const char *extra)
{
	char name[48], target[BED_PATH_BYTES + 32], modules[2048] = "";
	static const char *const names[] = {"mpm_event", "authz_core", "proxy", "proxy_fcgi", "alias", "env", "cgid", "ssl"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		snprintf(modules + strlen(modules), sizeof(modules) - strlen(modules),
		    "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", names[i], names[i]);
	if (front->kind == FRONT_APACHE_FCGID)
		snprintf(modules + strlen(modules), sizeof(modules) - strlen(modules),
		    "LoadModule fcgid_module /usr/lib/apache2/modules/mod_fcgid.so\nFcgidIPCDir %s/%s-ipc\n"
		    "FcgidProcessTableFile %s/%s-shm\n",
		    bed->dir, front->name, bed->dir, front->name);
	if (front->kind == FRONT_APACHE_TCP)
		snprintf(target, sizeof(target), "fcgi://127.0.0.1:%d", bed->tcp_port);
	else
		snprintf(target, sizeof(target), "unix:%s|fcgi://faregate", bed->socket);
	snprintf(name, sizeof(name), "%s.conf", front->name);
	bed_write(bed, name,
	    "ServerRoot \"%s\"\nDefaultRuntimeDir \"%s\"\nPidFile \"%s/%s.pid\"\nErrorLog \"%s/%s-error.log\"\n"
	    "LogLevel warn\nServerName localhost\nMutex file:%s default\n%s%sScriptSock %s/%s-cgid.sock\n"
	    "StartServers 2\nServerLimit 4\nThreadLimit 256\nThreadsPerChild 256\nMaxRequestWorkers 1024\n"
	    /* By itself it ends the second process after a second, and with it connections that scenes have open. */
	    "MinSpareThreads 1\nMaxSpareThreads 1024\n"
	    "MaxKeepAliveRequests 0\nGracefulShutdownTimeout 1\n"
	    "Listen 127.0.0.1:%d\n"
	    "<VirtualHost *:%d>\n"
	    "\tDefine FAREGATE_MOUNT %s\n"
	    "\tDefine FAREGATE_TARGET \"%s\"\n"
	    "\tDefine FAREGATE_PROGRAM %s\n"
	    "\tDefine FAREGATE_CONFIG %s\n"
	    "%s\n"
	    "\tInclude %s/deploy/%s\n"
	    "</VirtualHost>\n",
	    bed->dir, bed->dir, bed->dir, front->name, bed->dir, front->name, bed->dir,
	    getuid() == 0 ? "User www-data\nGroup www-data\n" : "", modules, bed->dir, front->name, front->port,
	    front->port, mount, target, reachable_program(bed), bed->config, extra == NULL ? "" : extra, FG_TEST_SRCDIR,
	    kinds[front->kind].snippet);
}

static bool
port_accepts(void *arg)
{
	const struct front *front = arg;
	struct sockaddr_in addr = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)front->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool accepts = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	close(fd);
	return accepts;
}

const struct front *
bed_start_front(struct bed *bed, enum front_kind kind, const char *mount, const char *extra)
{
	struct front *front = &bed->fronts[bed->front_count];
	char path[BED_PATH_BYTES + 64];

	if (bed->front_count == BED_MAX_FRONTS)
		bed_give_up("too many web servers in one bed");
	bed->front_count++;
	*front = (struct front){kind, kinds[kind].name, bed_free_port()};
	snprintf(path, sizeof(path), "%s/empty", bed->dir);
	mkdir(path, 0755);
	if (kinds[kind].apache)
		write_apache(bed, front, mount, extra);
	else
		write_lighttpd(bed, front, mount, extra);
	snprintf(path, sizeof(path), "%s/%s.conf", bed->dir, front->name);
	if (kinds[kind].apache)
		bed_start(bed, front->name, (const char *[]){"apache2", "-DFOREGROUND", "-f", path, NULL});
	else
		/* TERM while it closes a connection makes its exit status 1; INT has it finish that. */
		bed_start(bed, front->name, (const char *[]){"lighttpd", "-D", "-f", path, NULL})->stop_signal = SIGINT;
	if (!bed_wait(port_accepts, front)) {
		char *log = bed_read(bed, front->name), *error;

		snprintf(path, sizeof(path), "%s.log", front->name);
		free(log);
		log = bed_read(bed, path);
		snprintf(path, sizeof(path), "%s-error.log", front->name);
		error = bed_read(bed, path);
		bed_give_up("%s does not serve:\n%s%s", front->name, log, error);
	}
	return front;
}
