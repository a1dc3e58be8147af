/*
 * The command line: what each command takes, says and ends with, where no pool runs. (With one: pool_test.c and
 * supervisor_test.c.)
 */
#include <sys/stat.h>
#include <unistd.h>

#include "e2e/e2e.h"

static struct bed bed;

static int
init(void)
{
	bed_open(&bed);
	return 0;
}

static int
cleanup(void)
{
	return !bed_close(&bed);
}

static void
write_config(void)
{
	bed_write_config(&bed,
	    "services: {a: http://127.0.0.1:4000}\n"
	    "routes:\n"
	    "  orders: {path: /orders/*, service: a, host: [api.example.com, \"*.example.org\"], strip-prefix: /orders}\n"
	    "  versioned: {path: /orders/*, service: a, headers: {X-Api-Version: \"2\"}, rewrite: \"/v2/{rest}\"}\n"
	    "  user: {path: \"/users/{id}\", methods: [GET, PUT], service: a, request: {headers: {set: {X-User: \"{path:id}\"}}}}\n"
	    "  fixed: {path: /fixed, respond: {status: 200, body: x}}\n");
}

enum { MOST_WORDS = 8 };

/* The words behind the program's name, NULL at the end. Its output (both streams) has text in it, and that is its status. */
static bool
says(const char *const *words, int status, const char *text)
{
	const char *argv[MOST_WORDS + 2] = {bed_program()};
	char *out;
	int ended;
	bool right;

	for (size_t i = 0; i < MOST_WORDS && words[i] != NULL; i++)
		argv[i + 1] = words[i];
	ended = bed_run(&bed, &out, argv);
	right = ended == status && strstr(out, text) != NULL;
	if (!right)
		fprintf(stderr, "e2e: faregate %s %s: status %d, not %d, or not \"%s\" in:\n%s\n", words[0] == NULL ? "" : words[0],
		    words[0] == NULL || words[1] == NULL ? "" : words[1], ended, status, text, out);
	free(out);
	return right;
}

#define SAYS(status, text, ...) CU_ASSERT(says((const char *const[MOST_WORDS]){__VA_ARGS__}, (status), (text)))

static void
help_and_usage(void)
{
	static const char *const commands[] = {"run", "check", "routes", "explain", "reload", "stop", "status", "version"};
	char expected[64];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(expected, sizeof(expected), "Usage: faregate %s", commands[i]);
		SAYS(0, expected, commands[i], "--help");
		SAYS(0, expected, commands[i], "-h");
		snprintf(expected, sizeof(expected), "faregate %s: option not understood: --nonsense; try", commands[i]);
		SAYS(2, expected, commands[i], "--nonsense");
		snprintf(expected, sizeof(expected), "faregate %s: option not understood: -z; try", commands[i]);
		SAYS(2, expected, commands[i], "-z");
		snprintf(expected, sizeof(expected), "faregate %s: what is \"three\"?", commands[i]);
		SAYS(2, expected, commands[i], strcmp(commands[i], "explain") == 0 ? "GET" : "three",
		    strcmp(commands[i], "explain") == 0 ? "/" : NULL, strcmp(commands[i], "explain") == 0 ? "three" : NULL);
	}
	SAYS(2, "faregate check: -c takes a value", "check", "-c");
	SAYS(0, "Usage: faregate token", "token", "--help");
	SAYS(2, "TOKEN is missing", "token");
	SAYS(2, "faregate token: what is \"two\"?", "token", "one", "two");
	SAYS(2, "option not understood: --nonsense", "token", "--nonsense", "x");
	SAYS(0, "Usage: faregate revoke", "revoke", "--help");
	SAYS(2, "--jti, --sub or --all is missing", "revoke");
	SAYS(2, "--issuer is missing", "revoke", "--all");
	SAYS(2, "one of --jti, --sub and --all", "revoke", "--jti", "a", "--sub", "b");
	SAYS(2, "is not a time", "revoke", "--sub", "b", "--before", "yesterday");
	SAYS(2, "is not a duration", "revoke", "--sub", "b", "--for", "40d");
	SAYS(2, "option not understood: --nonsense", "revoke", "--nonsense");
	SAYS(2, "faregate run: --config takes a value", "run", "--config");
	SAYS(2, "faregate explain: -H takes a value", "explain", "-H");
	SAYS(2, "URL is missing", "explain", "GET");
	SAYS(2, "is not a header", "explain", "-H", "nonsense", "GET", "/");
	SAYS(2, "\"nobody\" is not an address", "explain", "--ip", "nobody", "GET", "/");
	SAYS(2, "there is no command \"nonsense\"", "nonsense");
	SAYS(2, "Usage: faregate COMMAND", NULL);
	SAYS(0, "Usage: faregate COMMAND", "--help");
	SAYS(0, "faregate ", "--version");
	SAYS(0, "{\"version\":\"", "version", "--json");
}

static void
whose_fault_it_is(void)
{
	char pipe_path[BED_PATH_BYTES];

	write_config();
	SAYS(0, "ok: ", "check");
	SAYS(0, "{\"ok\":true,", "check", "--json");
	SAYS(0, "\"$schema\"", "check", "--schema");
	SAYS(3, "/nonexistent:1:1: cannot be read: No such file or directory", "check", "-c", "/nonexistent");
	SAYS(3, "\"path\":\"\",\"message\":\"cannot be read", "check", "--json", "-c", "/nonexistent");
	SAYS(3, "cannot be read", "run", "-c", "/nonexistent");
	SAYS(3, "cannot be read", "explain", "-c", "/nonexistent", "GET", "/");
	SAYS(3, "no pool runs", "status");
	SAYS(3, "{\"pid\":0}", "status", "--json");
	SAYS(3, "no pool runs", "stop");
	SAYS(3, "no pool runs", "reload");
	/* A pid file alone is no pool, whatever stands in it. */
	bed_write(&bed, "faregate.pid", "%d\n", (int)getpid());
	SAYS(3, "no pool runs", "stop");
	SAYS(3, "no pool runs", "status");
	bed_write(&bed, "faregate.yaml", "version: 1\nroutes: {a: {path: /a, methods: [GTE], servise: b}}\nworker: 2\n");
	SAYS(1, "faregate.yaml:2:34: routes.a.methods[0]: \"GTE\" is not a method; did you mean GET?", "check");
	SAYS(1, "faregate.yaml:2:40: routes.a: unknown key \"servise\"; did you mean service?", "check");
	SAYS(1, "faregate.yaml:3:1: unknown key \"worker\"; did you mean workers?", "check");
	SAYS(1, "{\"ok\":false,\"errors\":[{\"file\":", "check", "--json");
	SAYS(1, "did you mean GET?", "run");
	SAYS(1, "did you mean GET?", "routes");
	SAYS(1, "did you mean GET?", "reload");
	/* A pool would wait for it again at each reload. */
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", bed.dir);
	CU_ASSERT(mkfifo(pipe_path, 0600) == 0);
	SAYS(3, "it is a named pipe, not a file", "run", "-c", pipe_path);
	SAYS(3, "it is a named pipe, not a file", "reload", "-c", pipe_path);
	SAYS(1, "the file is empty", "check", "-c", "/dev/stdin");
	bed_write(&bed, "faregate.yaml", "version: 1\nlisten: \"unix:/nonexistent/fg.sock\"\npid-file: %s/p\n", bed.dir);
	SAYS(3, "its folder does not exist", "run");
	bed_write(&bed, "faregate.yaml", "version: 1\nlisten: \"unix:%s/s\"\npid-file: /nonexistent/p\n", bed.dir);
	SAYS(3, "the pid file cannot be written", "run");
}

static void
what_a_request_would_meet(void)
{
	write_config();
	SAYS(0, "taken       orders (/orders/*)", "explain", "GET", "http://api.example.com/orders/7");
	SAYS(0, "forward     to: a as GET /7?x=1", "explain", "GET", "http://api.example.com/orders/7?x=1");
	SAYS(0, "not         versioned (/orders/*): header X-Api-Version", "explain", "GET", "http://x.example.org/orders/7");
	SAYS(0, "to: a as GET /v2/7", "explain", "-H", "X-Api-Version: 2", "GET", "/orders/7");
	SAYS(0, "X-User: 7", "explain", "PUT", "/users/7");
	SAYS(0, "X-Forwarded-Port: 443", "explain", "GET", "https://localhost/users/7");
	SAYS(1, "not         user (/users/{id}): method", "explain", "POST", "/users/7");
	SAYS(1, "method_not_allowed: 405", "explain", "POST", "/users/7");
	SAYS(1, "route_not_found: 404", "explain", "GET", "/orders/7");
	SAYS(1, "path_ambiguous: 400", "explain", "GET", "/users/..%2f7");
	SAYS(0, "respond     answer: 200", "explain", "GET", "/fixed");
	SAYS(0, "admin       page: metrics", "explain", "GET", "/_faregate/metrics");
	SAYS(1, "admin_forbidden: 403", "explain", "--ip", "192.0.2.1", "GET", "/_faregate/metrics");
	SAYS(0, "\"route\":\"user\",\"reason\":\"forwarded\"", "explain", "--json", "GET", "/users/7");
	SAYS(0, "/orders/* X-Api-Version:2", "routes");
	SAYS(0, "{\"route\":\"user\",\"methods\":[\"GET\",\"HEAD\",\"PUT\"],\"hosts\":[],\"match\":\"/users/{id}\",\"to\":\"a\","
	        "\"policies\":[\"request\"]}", "routes", "--json");
}

/* Example A.1 of RFC 7515, with its key: valid until 2011. */
#define RFC_TOKEN "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb" \
	"S9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

static void
a_token_is_judged_offline(void)
{
	bed_write(&bed, "rfc.jwk", "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcg"
	    "UuTwjAzZr1Z9CAow\"}");
	bed_write_config(&bed,
	    "services: {a: http://127.0.0.1:4000}\n"
	    "auth:\n"
	    "  joe: {type: jwt, issuer: joe, audience: any, algorithms: HS256, keys: file:rfc.jwk, consumer: iss}\n"
	    "  far: {type: jwt, issuer: joe, audience: any, algorithms: RS256, keys: https://192.0.2.1/keys}\n"
	    "routes: {a: {path: /a, service: a, auth: joe}, far: {path: /far, service: a, auth: far}}\n");
	SAYS(1, "\"iss\":\"joe\"", "token", RFC_TOKEN);
	SAYS(1, "exp        2011-03-22T18:43:00.000Z", "token", RFC_TOKEN);
	SAYS(1, "joe        token_expired", "token", "Bearer " RFC_TOKEN);
	SAYS(1, "far        keys_unavailable", "token", RFC_TOKEN);
	SAYS(1, "give them: --keys far=FILE", "token", RFC_TOKEN);
	SAYS(2, "there is no jwt policy of that name", "token", "--keys", "near=/dev/null", RFC_TOKEN);
	SAYS(2, "is not POLICY=FILE", "token", "--keys", "joe", RFC_TOKEN);
	SAYS(1, "joe        token_malformed", "token", "nonsense");
	SAYS(1, "auth        refused: joe: token_expired", "explain", "-H", "Authorization: Bearer " RFC_TOKEN, "GET", "/a");
	SAYS(1, "auth        absent: joe: token_missing", "explain", "GET", "/a");
	SAYS(1, "auth        unavailable: far: keys_unavailable", "explain", "-H", "Authorization: Bearer " RFC_TOKEN, "GET", "/far");
}

void
suite_command(void)
{
	CU_pSuite suite = add_suite("the command line", init, cleanup);

	ADD_SCENE(suite, help_and_usage);
	ADD_SCENE(suite, a_token_is_judged_offline);
	ADD_SCENE(suite, whose_fault_it_is);
	ADD_SCENE(suite, what_a_request_would_meet);
}
