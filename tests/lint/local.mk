# Tests about the code itself.
TESTS += tests/lint/lint.sh
EXTRA_DIST += tests/lint/lint.sh
