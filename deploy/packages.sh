# Sourced by demo.sh and tests/run.sh: installs Debian packages that are missing, and starts none of their services.

# What building takes.
BUILD_PACKAGES="autoconf automake gcc libc6-dev make pkg-config libc-ares-dev libcurl4-openssl-dev libev-dev libfcgi-dev libhiredis-dev
	libjansson-dev libjemalloc-dev libjwt-dev libpcre2-dev libssl-dev libyaml-dev libcunit1-dev"

# need_packages NAME...
need_packages() {
	local missing='' name sudo='' policy=/usr/sbin/policy-rc.d made=''

	for name in "$@"; do
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $name"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		sudo=$(command -v sudo) || { echo "please install, as root: apt-get install$missing" >&2; return 1; }
	fi
	echo "installing:$missing" >&2
	# A package must not start a web server on this machine because somebody runs a test here.
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null && $sudo chmod +x "$policy" && made=yes
	fi
	# shellcheck disable=SC2086 # a list
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o=Dpkg::Use-Pty=0 install -y --no-install-recommends $missing \
		</dev/null >/dev/null 2>&1 || {
		$sudo apt-get -qq update </dev/null >/dev/null 2>&1
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o=Dpkg::Use-Pty=0 install -y --no-install-recommends \
			$missing </dev/null >&2
	}
	local status=$?
	[ -z "$made" ] || $sudo rm -f "$policy"
	return $status
}
