# Tests about the code itself, and about the unit.
TESTS += tests/lint/lint.sh tests/lint/systemd.sh
EXTRA_DIST += tests/lint/lint.sh tests/lint/systemd.sh
