# Fuzz targets; --enable-fuzz (with CC=clang) links them with libFuzzer, make check replays their corpus.
EXTRA_DIST += tests/fuzz/corpus
if FUZZ
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif

check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_origin
tests_fuzz_fuzz_origin_SOURCES = tests/fuzz/fuzz_origin.c $(FUZZ_MAIN)
tests_fuzz_fuzz_origin_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_origin_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_htpasswd
tests_fuzz_fuzz_htpasswd_SOURCES = tests/fuzz/fuzz_htpasswd.c $(FUZZ_MAIN)
tests_fuzz_fuzz_htpasswd_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_htpasswd_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_idempotency
tests_fuzz_fuzz_idempotency_SOURCES = tests/fuzz/fuzz_idempotency.c $(FUZZ_MAIN)
tests_fuzz_fuzz_idempotency_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_idempotency_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_jwks
tests_fuzz_fuzz_jwks_SOURCES = tests/fuzz/fuzz_jwks.c $(FUZZ_MAIN)
tests_fuzz_fuzz_jwks_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_jwks_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_params
tests_fuzz_fuzz_params_SOURCES = tests/fuzz/fuzz_params.c fcgi-app/records.c $(FUZZ_MAIN)
tests_fuzz_fuzz_params_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_params_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_response_headers
tests_fuzz_fuzz_response_headers_SOURCES = tests/fuzz/fuzz_response_headers.c $(FUZZ_MAIN)
tests_fuzz_fuzz_response_headers_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_response_headers_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_token
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c $(FUZZ_MAIN)
tests_fuzz_fuzz_token_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

check_PROGRAMS += tests/fuzz/fuzz_uri
tests_fuzz_fuzz_uri_SOURCES = tests/fuzz/fuzz_uri.c $(FUZZ_MAIN)
tests_fuzz_fuzz_uri_LDADD = lib/libfaregate.a $(FG_LIBS)
tests_fuzz_fuzz_uri_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

# One test for all: each target over its own corpus.
TESTS += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/replay.sh
