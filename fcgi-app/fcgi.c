/* libfcgi behind a pipe for what it reads and behind the front's promises for what it writes. */
#include "fcgi-app/fcgi.h"

#include <errno.h>
#include <fcgi_config.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"

struct fg_fcgi {
	int feed[2]; /* what is written to [1], libfcgi reads from [0] */
};

struct fg_fcgi_request {
	FCGX_Request lib;
	unsigned char *fresh; /* where the first byte of the answer goes in libfcgi's buffer */
	size_t put;           /* bytes since then */
};

static void
open_feed(struct fg_fcgi *fcgi)
{
	if (pipe2(fcgi->feed, O_CLOEXEC) < 0 || fcntl(fcgi->feed[1], F_SETPIPE_SZ, FG_MAX_PARAMS_BYTES * 2) < 0 ||
	    fcntl(fcgi->feed[1], F_SETFL, O_NONBLOCK) < 0) {
		fprintf(stderr, "faregate: no pipe for FastCGI parameters can be made: %s\n", strerror(errno));
		exit(3);
	}
}

struct fg_fcgi *
fg_fcgi_new(void)
{
	struct fg_fcgi *fcgi = calloc(1, sizeof(*fcgi));

	FG_ASSERT(fcgi != NULL);
	FG_ASSERT(FCGX_Init() == 0);
	open_feed(fcgi);
	return fcgi;
}

void
fg_fcgi_free(struct fg_fcgi *fcgi)
{
	close(fcgi->feed[0]);
	close(fcgi->feed[1]);
	free(fcgi);
}

struct fg_fcgi_request *
fg_fcgi_accept(struct fg_fcgi *fcgi, struct fg_str head, int fd)
{
	struct fg_fcgi_request *request = calloc(1, sizeof(*request));

	FG_ASSERT(request != NULL);
	FG_ASSERT(write(fcgi->feed[1], head.p, head.len) == (ssize_t)head.len);
	FG_ASSERT(FCGX_InitRequest(&request->lib, -1, FCGI_FAIL_ACCEPT_ON_INTR) == 0);
	request->lib.ipcFd = fcgi->feed[0];
	request->lib.keepConnection = 1; /* what it finishes before the first request must not close the pipe */
	if (FCGX_Accept_r(&request->lib) < 0) {
		/* It has closed its descriptor, which was the pipe's, and may have left bytes in it. */
		close(fcgi->feed[1]);
		open_feed(fcgi);
		free(request);
		return NULL;
	}
	request->lib.ipcFd = fd;
	/* The reader and its 8 KB are done with: the body is read by the front. */
	FCGX_FreeStream(&request->lib.in);
	request->fresh = request->lib.out->wrNext;
	return request;
}

struct fg_fcgi_request *
fg_fcgi_accept_bare(struct fg_fcgi *fcgi, unsigned id, int fd)
{
	const unsigned char hi = (unsigned char)(id >> 8), lo = (unsigned char)id;
	const unsigned char head[] = {
	    1, 1, hi, lo, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, /* FCGI_BEGIN_REQUEST: responder, FCGI_KEEP_CONN */
	    1, 4, hi, lo, 0, 0, 0, 0,                         /* FCGI_PARAMS, empty */
	};

	return fg_fcgi_accept(fcgi, (struct fg_str){(const char *)head, sizeof(head)}, fd);
}

size_t
fg_fcgi_params(const struct fg_fcgi_request *request, struct fg_param *params, size_t max)
{
	size_t count = 0;

	for (char **envp = request->lib.envp; *envp != NULL && count < max; envp++) {
		struct fg_str text = fg_str_from(*envp);
		size_t equals = fg_str_find(text, '=');

		params[count++] = (struct fg_param){
		    .name = fg_str_slice(text, 0, equals),
		    .value = fg_str_slice(text, equals + 1, text.len),
		};
	}
	return count;
}

bool
fg_fcgi_put(struct fg_fcgi_request *request, struct fg_str bytes)
{
	request->put += bytes.len;
	return FCGX_PutStr(bytes.p, (int)bytes.len, request->lib.out) >= 0;
}

bool
fg_fcgi_recall(struct fg_fcgi_request *request)
{
	/* libfcgi writes at a flush, or when its buffer is full; the next byte then goes elsewhere than after put ones. */
	if (request->lib.out->wrNext != request->fresh + request->put)
		return false;
	request->lib.out->wrNext = request->fresh;
	request->put = 0;
	return true;
}

bool
fg_fcgi_flush(struct fg_fcgi_request *request)
{
	return FCGX_FFlush(request->lib.out) >= 0;
}

bool
fg_fcgi_end(struct fg_fcgi_request *request)
{
	bool ok;

	/* In this order both streams' ends and FCGI_END_REQUEST leave in one write. */
	FCGX_FClose(request->lib.err);
	ok = FCGX_FClose(request->lib.out) == 0;
	fg_fcgi_discard(request);
	return ok;
}

void
fg_fcgi_discard(struct fg_fcgi_request *request)
{
	if (request == NULL)
		return;
	request->lib.ipcFd = -1;
	FCGX_Free(&request->lib, 0);
	free(request);
}
