#!/bin/sh
# Makes ./configure from configure.ac. Needed in a checkout only; a release tarball brings its own.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all
