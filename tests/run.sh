#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests: this is what CI runs. Fast failures first.
#
#   tests/run.sh              everything
#   tests/run.sh --quick      one build, unit and end-to-end tests
#
# The builds stay in build-test/ (ignored by git), so that a second run is quicker.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
cd "$source_dir"
. deploy/packages.sh
out=$source_dir/build-test
mkdir -p "$out"
jobs=$(nproc)
summaries=$out/summaries.log
: >"$summaries"

section() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

# quietly LOG COMMAND...: the output only when it fails.
quietly() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null && return
	tail -n 60 "$log"
	echo "FAILED: $*"
	# Again, since only the last lines may be seen, and make goes on with others for a while.
	grep -nE '(error|undefined reference|No rule to make).*|^(FAIL|ERROR): |^[a-z]+: .*findings?$' "$log" | head -n 20
	exit 1
}

# run_suite NAME COMMAND...: a CUnit program; its summary is kept for the end.
run_suite() {
	local name=$1 log=$out/$1.log status=0
	shift
	"$@" >"$log" 2>&1 </dev/null || status=$?
	if [ $status -ne 0 ] || ! grep -q 'Run Summary' "$log"; then
		# It ends with what failed and, end to end, what was logged meanwhile (tests/support/run_suites.h).
		tail -n 80 "$log"
		echo "FAILED: $name (exit status $status)"
		# What the program could not say itself: a sanitizer's report is long, and who dies says no more.
		grep -m 5 -E 'runtime error|ERROR: [A-Z]|assertion failed' "$log" || true
		grep -q 'Run Summary' "$log" || grep -E '^(Suite| +Test): ' "$log" | tail -n 2
		exit 1
	fi
	{ echo "$name:"; sed -n '/Run Summary/,/asserts/p' "$log"; } | tee -a "$summaries"
}

build() { # FOLDER CONFIGURE-OPTION...
	local folder=$out/$1
	shift
	mkdir -p "$folder"
	cd "$folder"
	[ -f Makefile ] || quietly configure.log "$source_dir/configure" --enable-werror "$@"
	quietly make.log make -j"$jobs" all
	quietly make-check.log make -j"$jobs" check TESTS=
	cd "$source_dir"
}

section packages
# shellcheck disable=SC2086 # a list
need_packages $BUILD_PACKAGES lighttpd lighttpd-mod-openssl apache2 libapache2-mod-fcgid redis-server nghttp2-server curl openssl \
	iproute2 procps valgrind xz-utils mandoc systemd debhelper dpkg-dev

section 'build, with every warning an error'
quietly "$out/autogen.log" ./autogen.sh
build plain

section 'unit tests, tests about the code, fuzz corpora'
quietly "$out/check.log" make -C "$out/plain" check VERBOSE=1 \
	TESTS='tests/fuzz/replay.sh tests/lint/lint.sh tests/lint/systemd.sh'
run_suite unit "$out/plain/tests/unit/unit"

section 'build with AddressSanitizer and UndefinedBehaviorSanitizer'
build sanitized --enable-asan --enable-ubsan
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
run_suite unit-sanitized "$out/sanitized/tests/unit/unit"

section 'end-to-end tests: lighttpd and Apache, sanitized'
run_suite e2e-sanitized "$out/sanitized/tests/e2e/e2e"

if [ "${1:-}" != --quick ]; then
	section 'end-to-end tests, as users build it'
	run_suite e2e "$out/plain/tests/e2e/e2e"

	section 'valgrind'
	# A whole pool runs in it among the end-to-end tests (the suite valgrind), of this build. Not the suites that race a
	# clock, since valgrind runs one thread at a time (log_sink: a reader in a loop starves the writer), nor those that wait
	# for real servers; the sanitizers cover them.
	# shellcheck disable=SC2046 # a list
	run_suite unit-valgrind valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite,indirect \
		--error-exitcode=99 --suppressions=tests/support/valgrind.supp "$out/plain/tests/unit/unit" \
		$(sed -n 's/^FG_SUITE(\(.*\))$/\1/p' tests/unit/suites.h | grep -vE '^(log_sink|redis_.*|limit_store)$')

	section 'the demonstration'
	FAREGATE_BUILD=$out/plain deploy/demo.sh --check

	section 'the Debian package'
	# Built with nocheck, as all of this checks already; looked at unpacked, so that nothing of this machine changes.
	quietly "$out/deb.log" env DEB_BUILD_OPTIONS=nocheck make -C "$out/plain" deb
	rm -rf "$out/deb" && dpkg-deb -x "$out"/plain/faregate_*.deb "$out/deb"
	"$out/deb/usr/bin/faregate" check -c "$out/deb/etc/faregate/faregate.yaml"

	section 'make distcheck'
	quietly "$out/distcheck.log" make -C "$out/plain" distcheck VERBOSE=1
fi

section 'all passed'
cat "$summaries"
# CUnit's own block, summed over all programs, is what a reader of the last lines looks for.
awk '/^ *(suites|tests|asserts) / { for (i = 2; i <= 6; i++) if ($i != "n/a") sum[$1, i] += $i }
	function row(name, n) { printf "%20s %6d %6d %6s %6d %8s\n", name, sum[name, 2], sum[name, 3],
		name == "suites" ? "n/a" : sum[name, 4], sum[name, 5], name == "asserts" ? "n/a" : sum[name, 6] + 0 }
	END { print "\nRun Summary:    Type  Total    Ran Passed Failed Inactive"; row("suites"); row("tests"); row("asserts") }' "$summaries"
