/*
 * A bed: a temporary folder with the processes of one group of scenes in it: a pool, web servers in front of it. Starts
 * them on free ports, waits until they serve, stops them, and looks at what they leave: exit statuses, sanitizer
 * reports, failed assertions, processes.
 */
#ifndef FG_E2E_BED_H
#define FG_E2E_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { BED_MAX_PROCESSES = 16, BED_MAX_FRONTS = 8, BED_PATH_BYTES = 160 };

/* How a web server reaches the gateway; each by a file of deploy/. */
enum front_kind {
	FRONT_LIGHTTPD, FRONT_LIGHTTPD_TCP, FRONT_LIGHTTPD_SPAWN, FRONT_LIGHTTPD_CGI,
	FRONT_APACHE, FRONT_APACHE_TCP, FRONT_APACHE_FCGID, FRONT_APACHE_CGI,
};

struct front {
	enum front_kind kind;
	const char *name; /* for messages: "lighttpd" */
	int port;
};

struct process {
	pid_t pid; /* 0: none */
	char name[24];
	int stop_signal;
	int exit_status; /* the one that is right; negative: it dies of that signal */
};

struct bed {
	char dir[64];
	struct process processes[BED_MAX_PROCESSES];
	size_t process_count;
	struct front fronts[BED_MAX_FRONTS];
	size_t front_count;
	char config[BED_PATH_BYTES];     /* path of the pool's configuration */
	char socket[BED_PATH_BYTES];     /* path for `listen` */
	char access_log[BED_PATH_BYTES];
	int tcp_port;                    /* for a second `listen` */
	pid_t pool;                      /* the supervisor; 0: none */
	int notify_fd;                   /* its sd_notify messages */
	bool has_failed;                 /* a scene has, and the folder is kept */
};

/* A step that the scenes cannot do without has failed: says why and ends the program (processes die with it). */
_Noreturn void bed_give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Seconds that anything may take: longer with sanitizers, and as long as a suite says that runs things in valgrind. */
int bed_patience(void);
void bed_set_patience(int seconds);
int64_t bed_now_ms(void);
/* A time zone in which it is about noon: no day, week or month of a limit ends while a scene runs. */
const char *bed_noon_zone(void);
/* True once check(arg) holds; false after bed_patience() seconds. */
bool bed_wait(bool (*check)(void *arg), void *arg);

void bed_open(struct bed *bed);
/* Stops everything, newest first. False, and says why, when something was not as it should be. Keeps the folder then. */
bool bed_close(struct bed *bed);

void bed_write(const struct bed *bed, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A file's text, NUL-terminated; the caller frees it. "" when there is none. path is absolute or within the bed. */
char *bed_read(const struct bed *bed, const char *path);
/* A port that was free a moment ago. */
int bed_free_port(void);
/* A port that refuses connections, and goes on to. */
int bed_dead_port(void);

/*
 * Starts a program in the bed, its output in NAME.log. wrap: valgrind in front of it. It dies with this process. argv
 * ends with NULL.
 */
struct process *bed_start(struct bed *bed, const char *name, const char *const *argv);
/* With that descriptor as its standard input. */
struct process *bed_start_at(struct bed *bed, const char *name, const char *const *argv, int in_fd);
/* Asks it to stop and waits; false (said) when it does not, or ends otherwise than it should. */
bool bed_stop(struct bed *bed, struct process *process);

/* Waits until it has ended by itself, or by a signal that was sent; false when it goes on. */
bool bed_wait_end(pid_t pid, int *status);

/* The program, with argv behind it, to its end; its exit status. Output (both streams) in *out, which the caller frees. */
int bed_run(const struct bed *bed, char **out, const char *const *argv);
/* Path of the program under test. */
const char *bed_program(void);

/*
 * The pool, with bed->config as it was written by bed_write_config(); returns once it says that it is ready. extra:
 * added to the command line; may be NULL. wrap: a program to run it under; may be NULL.
 */
void bed_start_pool(struct bed *bed, const char *const *wrap);
/* The head of a configuration (version, listen, log, admin), then body; its services get a minute to connect to. */
void bed_write_config(struct bed *bed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Forgets what it was told so far: a queue that is full takes nothing more. */
void bed_drain_notify(struct bed *bed);
/* Waits for a message of the pool: "READY=1", "RELOADING=1". */
bool bed_wait_notify(struct bed *bed, const char *what);
/* The next one, whole; false after the patience. */
bool bed_next_notify(struct bed *bed, char *text, size_t size);
/* Waits until the supervisor is gone by itself; its wait status, -1 when it stays. */
int bed_wait_pool_end(struct bed *bed);
/* Processes whose parent the pool is. */
size_t bed_workers(const struct bed *bed, pid_t *pids, size_t max);
/* A field of /proc/PID/status in kB; -1 when there is none. */
long bed_proc_kb(pid_t pid, const char *field);
/* The most memory that any worker has had, so far, in kB. */
long bed_largest_worker_kb(const struct bed *bed);

/*
 * A web server in front of the gateway; returns once it serves. mount: "/" or a path. extra: lines of its own
 * configuration, inside the virtual host for Apache; may be NULL.
 */
const struct front *bed_start_front(struct bed *bed, enum front_kind kind, const char *mount, const char *extra);

/* Waits until the pool has said that many lines with that text, which a thread of each worker writes; true when it said no more. */
bool bed_pool_says(const struct bed *bed, const char *text, unsigned times);
/* The access log's line of the request with that id, once it is there; the caller frees it. NULL after the patience. */
char *bed_log_line(const struct bed *bed, const char *request_id);
/* Whether that line has all of "key":"value" or "key":number. Says what it has when not. */
bool bed_log_says(const struct bed *bed, const char *request_id, const char *key, const char *value);
/* Waits until so many workers run: after a reload those of before have heard by then that they are to leave. */
bool bed_wait_running(const struct front *front, unsigned workers);
/* A counter, by its line's beginning in the metrics up to the value: `faregate_x_total{reason="y"}`. 0: not there. */
double bed_metric(const struct front *front, const char *series);

/* ---- bed_tell.c: what is said of a scene that failed */

/* It is open, or no more. */
void bed_tell_of(struct bed *bed, bool is_open);
void bed_scene_begins(void);
/* Says the last lines of the logs that were written to meanwhile, in all open beds. */
void bed_scene_failed(void);
/* The same once more, of the first that failed: at the end of all. */
void bed_tell_first_failure(void);

#endif
