/* Each client is a thread with one connection, opened anew when it was closed. */
#include "e2e/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "e2e/http.h"

enum { MAX_CLIENTS = 64 };

struct load {
	const struct front *front;
	const char *target;
	_Atomic unsigned good, failed;
	_Atomic int last_status;
	_Atomic bool stopping;
	pthread_t threads[MAX_CLIENTS];
	size_t count;
};

static void *
run_client(void *arg)
{
	struct load *load = arg;
	struct http_conn conn = {.fd = -1};

	while (!atomic_load(&load->stopping)) {
		const struct http_reply *reply;

		if (conn.fd < 0)
			http_open(&conn, load->front, NULL);
		http_send_head(&conn, "GET", load->target, NULL, -1);
		reply = http_read(&conn);
		if (reply->status == 200 && reply->complete) {
			atomic_fetch_add(&load->good, 1);
		} else {
			atomic_fetch_add(&load->failed, 1);
			atomic_store(&load->last_status, reply->status);
		}
		if (!reply->complete || conn.eof || http_header(reply, "Connection") != NULL)
			http_close(&conn);
		http_forget_all();
	}
	http_close(&conn);
	return NULL;
}

struct load *
load_start(const struct front *front, const char *target, size_t clients)
{
	struct load *load = calloc(1, sizeof(*load));

	load->front = front;
	load->target = target;
	for (load->count = 0; load->count < clients && load->count < MAX_CLIENTS; load->count++)
		if (pthread_create(&load->threads[load->count], NULL, run_client, load) != 0)
			bed_give_up("no thread for a client");
	return load;
}

unsigned
load_good(const struct load *load)
{
	return atomic_load(&load->good);
}

struct target_count {
	const struct load *load;
	unsigned good, failed;
};

static bool
has_reached(void *arg)
{
	const struct target_count *target = arg;

	return load_good(target->load) >= target->good && atomic_load(&target->load->failed) >= target->failed;
}

bool
load_wait_more(const struct load *load, unsigned n)
{
	struct target_count target = {load, load_good(load) + n, 0};

	return bed_wait(has_reached, &target);
}

bool
load_wait_failed(const struct load *load, unsigned n)
{
	struct target_count target = {load, 0, n};

	return bed_wait(has_reached, &target);
}

struct load_result
load_stop(struct load *load)
{
	struct load_result result;

	atomic_store(&load->stopping, true);
	for (size_t i = 0; i < load->count; i++)
		pthread_join(load->threads[i], NULL);
	result = (struct load_result){
	    atomic_load(&load->good), atomic_load(&load->failed), atomic_load(&load->last_status)};
	free(load);
	return result;
}
