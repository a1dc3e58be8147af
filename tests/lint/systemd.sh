#!/usr/bin/env bash
# The unit, as systemd understands it and as it judges it; no systemd has to run for that. Called by `make check` with
# srcdir set and the build folder as the current one.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo 'systemd-analyze is not installed'; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unit=$folder/faregate.service

# As built, but for the program, which is not installed yet.
make -s deploy/systemd/faregate.service
sed "s,^\(Exec[A-Za-z]*\)=[^ ]*,\1=$PWD/fcgi-app/faregate," deploy/systemd/faregate.service >"$unit"
systemd-analyze verify --man=no "$unit" 2>&1 | tee "$folder/verify"
[ ! -s "$folder/verify" ] || exit 1

# 0 is no exposure, 100 is none of its means used. What is left is the network, and the group of the web server.
systemd-analyze security --offline=yes --no-pager --threshold=20 "$unit" >"$folder/security" ||
	{ cat "$folder/security"; exit 1; }
tail -n 1 "$folder/security"

# A pool gives its socket the group that `listen` says: fchown() and its like have to be left to it.
[ "$(sed -n 's/^SystemCallFilter=//p' "$unit" | tail -n 1)" = @chown ]

# The user that the unit runs as is the one that is made.
user=$(sed -n 's/^User=//p' "$unit")
grep -q "^u $user " "$srcdir/deploy/systemd/faregate.sysusers"
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers --dry-run --inline "$(grep '^u ' "$srcdir/deploy/systemd/faregate.sysusers")" >/dev/null
fi
