#!/bin/sh
# Replays every corpus with its target (libFuzzer does the same when it is given files and no time).
set -e
for target in config htpasswd idempotency jwks origin params response_headers token uri; do
	echo "$target:"
	set -- "${srcdir:-.}/tests/fuzz/corpus/$target"/*
	"./tests/fuzz/fuzz_$target" "$@"
done
