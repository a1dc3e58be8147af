/*
 * Every maximum of the program. A buffer that grows names one of these; what would go over it is an answer to
 * the client (or an error of the configuration), never a truncation and never an abort.
 */
#ifndef FG_BASE_LIMITS_H
#define FG_BASE_LIMITS_H

/* ---- from the web server (FastCGI) */
#define FG_MAX_PARAMS_BYTES (128 * 1024) /* BEGIN_REQUEST to the last FCGI_PARAMS record, framing included: 431 */
#define FG_MAX_PARAMS 512                /* parameters of one request: 431 */
#define FG_MAX_TARGET_BYTES (16 * 1024)  /* REQUEST_URI: 414 */
#define FG_MAX_HEADERS 256               /* header fields, either way: 431, 502 */
#define FG_MAX_CONNECTIONS 4096          /* FastCGI connections of one worker; beyond it accepting waits */

/* ---- processes */
#define FG_MAX_WORKERS 255 /* of one configuration; while it reloads, a pool has twice as many (stats/stats.h) */

#define FG_MAX_SHARED_TARGETS 16384 /* services and targets whose state a pool shares; of others each worker has its own */

/* ---- bodies in flight, each exchange */
#define FG_BODY_BUFFER_BYTES (64 * 1024) /* request body read ahead of the service */
#define FG_WRITE_PIECE_BYTES (32 * 1024) /* written to the web server for one readiness */
#define FG_MAX_REPLAY_BYTES (64 * 1024)  /* of a request's body, kept for a retry or a mirror; a longer one is not repeated */
#define FG_MAX_MIRRORS 64                 /* copies in flight of one worker; more are left out, and counted */
#define FG_MAX_MIRROR_ANSWER_BYTES (64 * 1024) /* read to keep the connection; a longer answer is cut off */

/* ---- waiting for the client, where no service's idle-timeout says how long (microseconds) */
#define FG_CLIENT_IDLE_USEC (60 * 1000000)

/* ---- values made of request variables */
#define FG_MAX_TEMPLATE_BYTES (8 * 1024) /* one header, parameter or path rendered: as if a variable were absent; 414 */
#define FG_MAX_EDIT_BYTES (64 * 1024) /* all values that the edits of one message make: 431, 414 */

/* ---- from services */
#define FG_MAX_RESPONSE_HEAD_BYTES (64 * 1024) /* status line and headers: 502 */
#define FG_MAX_SALVAGE_BYTES (128 * 1024) /* of an answer that came while the body was sent in vain: 502 */
#define FG_MAX_INTERIM_RESPONSES 16            /* 1xx before the answer: 502 */

/* ---- names of services, each worker */
#define FG_MAX_DNS_NAMES 65536    /* that are remembered; others libcurl resolves by itself */
#define FG_MAX_DNS_ADDRESSES 32   /* of one name; more are left out */
#define FG_MAX_DNS_SERVERS 8      /* that the configuration names */

/* ---- Redis, each worker */
#define FG_MAX_REDIS_QUERIES 8192                /* in flight, answered late ones among them: store_unavailable */
#define FG_MAX_REDIS_QUERY_BYTES (640 * 1024)    /* keys and arguments of one query: store_error */
#define FG_MAX_REDIS_UNSENT_BYTES (16 * 1024 * 1024) /* waiting for one connection to take them: store_unavailable */
#define FG_MAX_REDIS_REPLY_BYTES (1024 * 1024)   /* one reply, and what was read ahead of it: store_error */
#define FG_MAX_REDIS_NODES 128                   /* of a Cluster */
#define FG_MAX_REDIS_ADDRESSES 32                /* in one URL */
#define FG_MAX_REDIS_REDIRECTS 5                 /* of one query: store_not_ready */

/* ---- tokens, keys, passwords */
#define FG_MAX_TOKEN_BYTES (16 * 1024)     /* a token: 401 */
#define FG_MAX_TOKEN_DEPTH 16              /* objects and arrays within each other, in its header or its claims: 401 */
#define FG_MAX_TOKEN_NODES 1024            /* values in its header, or in its claims: 401 */
#define FG_MAX_RSA_BITS 8192               /* a larger key is left out of its set: verifying would take too long */
#define FG_MAX_SIGNATURE_BYTES (FG_MAX_RSA_BITS / 8)
#define FG_MAX_KEY_SET_BYTES (1024 * 1024) /* text of a JWK Set or PEM file: the set is refused */
#define FG_MAX_KEY_SET_DEPTH 8
#define FG_MAX_KEY_SET_NODES 65536
#define FG_MAX_KEYS 256                    /* of one set: the set is refused */
#define FG_MAX_KEY_TRIES 8                 /* keys tried for one token: 401 */
#define FG_MAX_SECRET_BYTES 1024           /* of an HMAC key: the set is refused */
#define FG_MAX_HTPASSWD_BYTES (4 * 1024 * 1024) /* the file is refused */
#define FG_MAX_BCRYPT_COST 16              /* some seconds; the file is refused */
#define FG_MAX_SHACRYPT_ROUNDS 1000000
#define FG_MAX_PASSWORD_BYTES 1024         /* 401 */
#define FG_MAX_CERTIFICATE_BYTES (16 * 1024) /* of a client, in PEM: 401 */
#define FG_MAX_AUTH_ANSWER_BYTES (64 * 1024) /* body of an authentication service: auth_service_failed */
#define FG_MAX_API_KEY_BYTES 256           /* of a client's, whoever made it: 401 */
#define FG_MAX_API_KEYS 100000             /* in one file: it is refused */
#define FG_MAX_API_KEY_META 32             /* attributes of one */
#define FG_VERDICT_CACHE_SLOTS 4096        /* verdicts on secrets in one worker, of a kind of policy: so many of yes, and of no */
#define FG_MAX_VERDICT_BYTES (8 * 1024)    /* what is known of who shows one, in the store: store_error; in a cache: not kept */
#define FG_MAX_PASSWORD_CHECKS 64          /* that wait for a thread of a worker: overloaded */
#define FG_MAX_FETCHED_KEYS_BYTES (64 * 1024) /* of a JWK Set at a URL, and of a provider's metadata: the fetch has failed */
#define FG_MAX_KEY_SLOTS 32                /* places that keys come from, in a pool: those of a reload beside the old ones */
#define FG_MAX_KEY_WAITERS 4096            /* requests of a worker that wait for one fetch: keys_unavailable */
#define FG_MAX_REVOCATIONS (32 * 1024)     /* known to a pool at a time, a power of two; beyond it nothing is known: as if the store were gone */
#define FG_MAX_INTROSPECTIONS 256          /* questions of one policy in one worker at a time: overloaded */
#define FG_MAX_INTROSPECTION_BYTES (64 * 1024) /* of an answer: introspection_unavailable */
#define FG_MAX_AUTH_FORWARDS 32            /* headers of one policy that tell who is calling */

/* ---- limits of requests */
#define FG_MAX_LIMIT_PARTS 8          /* variables that one counts by */
#define FG_MAX_LIMIT_OVERRIDES 1000   /* of one variable; variables of one limit */
#define FG_MIN_LIMIT_KEYS 1024        /* store.memory-keys: kept in a pool's memory; beyond it the nearest to its expiry gives way */
#define FG_MAX_LIMIT_KEYS 10000000    /* at 93 bytes each */
#define FG_MAX_LIMIT_KEYS_UNUSED 4096 /* the same, of a pool that starts without any limit */

/* ---- answers kept for an Idempotency-Key */
#define FG_MAX_IDEMPOTENCY_KEY_BYTES 255   /* of a client's: 400 */
#define FG_MAX_IDEMPOTENCY_PARTS 8         /* variables that say whose it is */
#define FG_MAX_IDEMPOTENCY_REQUEST_BYTES (4 * 1024 * 1024) /* max-request: hashing it keeps the worker for some ms */
#define FG_MAX_IDEMPOTENCY_ANSWER_BYTES (512 * 1024) /* max-response; with the head it has to fit into a query of Redis */
#define FG_MAX_IDEMPOTENCY_RECORDS 16384   /* in a pool's memory; beyond it the nearest to its expiry gives way */
#define FG_MAX_IDEMPOTENCY_RECORDS_UNUSED 1024 /* the same of a pool that starts without such a policy, or with Redis */
#define FG_IDEMPOTENCY_ROOM_BYTES 1024     /* a record, for answers in a pool's memory; beyond all of it the oldest answers are gone */

/* ---- memory */
#define FG_MAX_EXCHANGE_ARENA_BYTES (8 * 1024 * 1024) /* above the sum of all bounds over it; asserted */
#define FG_MAX_LOG_LINE_BYTES (16 * 1024)
#define FG_MAX_LOG_QUEUE_BYTES (4 * 1024 * 1024) /* lines waiting for the disk; beyond it they are counted, dropped */
#define FG_MAX_OWN_BODY_BYTES (64 * 1024 * 1024) /* an answer made here (metrics of 10,000 routes) */

#define FG_MAX_STATS_CELLS 4096 /* numbers by policy, a power of two; the rest is counted together */

/* ---- configuration */
#define FG_MAX_CONFIG_BYTES (16 * 1024 * 1024) /* one file */
#define FG_MAX_CONFIG_TOTAL_BYTES (64 * 1024 * 1024) /* all files, and what the environment adds */
#define FG_MAX_CONFIG_NODES 4000000 /* names and values of all files */
#define FG_MAX_CONFIG_DEPTH 64
#define FG_MAX_CONFIG_FILES 1024
#define FG_MAX_CONFIG_ERRORS 200 /* shown; the number of the rest is said */
#define FG_MAX_CONFIG_COMPARISONS 2000000 /* of names, for "did you mean"; what is wrong beyond it is said without */
#define FG_MAX_CONFIG_ARENA_BYTES ((size_t)16 << 30) /* above what the bounds here can come to; asserted */
#define FG_MAX_ROUTES 100000
#define FG_MAX_FILTERS 16 /* kinds of policies */
#define FG_MAX_CONSUMERS 100000 /* with attributes */
#define FG_MAX_POLICIES 10000 /* of one kind, at the top of the file */
#define FG_MAX_POLICIES_OF_ROUTE 16 /* of one kind */
#define FG_MAX_PATH_CAPTURES 32 /* {segment}s of one route */
#define FG_MAX_ROUTE_PATH_BYTES 4096

/* ---- matching */
#define FG_REGEX_MATCH_LIMIT 100000 /* PCRE2 match limit: beyond it the route does not match, and that is counted */
#define FG_REGEX_DEPTH_LIMIT 1000
#define FG_REGEX_HEAP_KIB 1024 /* of one match */

#endif
