EXTRA_DIST += tests/run.sh tests/support/valgrind.supp deploy/demo.sh deploy/packages.sh
include tests/support/local.mk
include tests/unit/local.mk
include tests/e2e/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/lint/local.mk
