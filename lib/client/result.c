/* How a call ended: what libcurl says of it, and what it means for a gateway. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "client/client_internal.h"

/* All of the response was there, as far as its length tells. */
static bool
is_response_whole(const struct fg_call *call)
{
	return call->head.state == FG_HEAD_AT_BODY && call->head.has_length && call->received == call->head.length;
}

static enum fg_err
recv_error(const struct fg_call *call)
{
	long system_error = 0;

	(void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &system_error);
	/* libcurl says the same of a broken chunk as of a broken connection; but then no system call failed. */
	if (call->head.chunked && call->head.state == FG_HEAD_AT_BODY && !call->endpoint->tls && system_error == 0)
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	return FG_ERR_SERVICE_CLOSED;
}

enum fg_err
fg_call_result(const struct fg_call *call, int code)
{
	if (call->is_complete)
		return FG_OK;
	/* The service answered and closed without waiting for the rest of the body: its right. */
	if ((code == CURLE_SEND_ERROR || call->err == FG_ERR_SERVICE_CLOSED) && is_response_whole(call))
		return FG_OK;
	if (call->err != FG_OK)
		return call->err;
	switch ((CURLcode)code) {
	case CURLE_OK:
		/* A connection that is closed in the middle of the head is no error to libcurl. */
		return call->head.state == FG_HEAD_AT_BODY ? FG_OK : FG_ERR_SERVICE_CLOSED;
	case CURLE_COULDNT_RESOLVE_HOST:
		return FG_ERR_SERVICE_NAME_UNRESOLVED;
	case CURLE_COULDNT_CONNECT:
		return call->lacks_descriptor ? FG_ERR_OVERLOADED : FG_ERR_SERVICE_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT:
		return FG_ERR_SERVICE_CONNECT_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_SHUTDOWN_FAILED:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_USE_SSL_FAILED:
		return FG_ERR_SERVICE_TLS_FAILED;
	case CURLE_UNSUPPORTED_PROTOCOL: /* not HTTP, or HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
		return FG_ERR_SERVICE_RESPONSE_INVALID;
	case CURLE_OUT_OF_MEMORY:
#if LIBCURL_VERSION_NUM >= 0x080600
	case CURLE_TOO_LARGE:
#endif
		/* That is how libcurl says that a header line has no end. */
		return call->sent ? FG_ERR_SERVICE_HEADERS_TOO_LARGE : FG_ERR_INTERNAL;
	case CURLE_RECV_ERROR:
		return recv_error(call);
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2_STREAM:
		return FG_ERR_SERVICE_CLOSED;
	default:
		return FG_ERR_INTERNAL;
	}
}

struct fg_str
fg_connect_error_text(int connect_error, char room[FG_CONNECT_ERROR_BYTES])
{
	if (connect_error == 0)
		return FG_STR_NONE;
	snprintf(room, FG_CONNECT_ERROR_BYTES, "connect: %s", strerror(connect_error));
	return fg_str_from(room);
}
