#!/usr/bin/env bash
# What Faregate costs, in two tables and JSON; all rows of a table interleaved in one run, on one machine, before the same small
# service. servers: the bare web server's proxy, and the same web server with Faregate (servers.sh). policies: forwarding alone,
# with tickets, and with limits; then what a key of a limit takes in Redis (policies.sh).
#
#   --tables=policies  or BENCH_TABLES: one of them alone ("servers policies")
#   BENCH_SECONDS=3    for each measurement
#   BENCH_ROUNDS=3     a round is one measurement of each row in turn
#   BENCH_QUICK=1      one round of a second each, 64 connections, small bodies, 10,000 keys
#   BENCH_CONNECTIONS="1 64 512"  BENCH_BODIES="80 10240 1048576"  of the servers (the policies: 64 and 80)
#   BENCH_KEYS=100000  in Redis, to measure what one takes
#
# Each number of a row is the median of its rounds, by itself; errors are summed. The load generator shares the machine; its own
# time is not in the tables. Run in the build folder (make bench does).
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$PWD
tables=${BENCH_TABLES:-servers policies}
for word in "$@"; do
	case $word in
	--tables=*) tables=${word#--tables=} ;;
	*) echo "usage: bench.sh [--tables=servers|policies]" >&2; exit 2 ;;
	esac
done
for word in ${tables//,/ }; do
	case $word in
	servers | policies) ;;
	*) echo "bench.sh: there is no table \"$word\", but servers and policies" >&2; exit 2 ;;
	esac
done
if [ -n "${BENCH_QUICK:-}" ]; then
	: "${BENCH_SECONDS:=1}" "${BENCH_ROUNDS:=1}" "${BENCH_CONNECTIONS:=64}" "${BENCH_BODIES:=80}" "${BENCH_KEYS:=10000}"
fi
seconds=${BENCH_SECONDS:-3}
rounds=${BENCH_ROUNDS:-3}
results=$build_dir/tests/bench/results
PATH=$PATH:/usr/sbin
. "$source_dir/deploy/packages.sh"
need_packages lighttpd apache2 wrk curl redis-server
mkdir -p "$results"
ulimit -n 8192 2>/dev/null || true

folder=$(mktemp -d)
chmod 755 "$folder"
pids=()
cleanup() {
	trap - EXIT
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Below those that the kernel gives to connections.
port=$((20000 + RANDOM % 10000))
next_port() { port=$((port + 1)); }
is_alive() { kill -0 "$1" 2>/dev/null || { cat "$2" >&2; exit 1; }; }
wait_for() { # URL PID LOG
	until curl -sfo /dev/null "$1"; do is_alive "$2" "$3"; done
	is_alive "$2" "$3"
}

"$build_dir/tests/support/service" --port 0 --name bench >"$folder/service.port" 2>"$folder/service.log" &
pids+=($!); service=$!
until grep -qs port "$folder/service.port"; do is_alive $service "$folder/service.log"; done
service_port=$(awk '{print $2}' "$folder/service.port")

# The rest of the configuration comes by standard input. Sets pool.
start_pool() { # NAME
	{ cat <<YAML
version: 1
listen: {address: "unix:$folder/$1.sock", mode: 0666}
pid-file: $folder/$1.pid
workers: 2
log: {access: "off", level: error}
services: {s: "http://127.0.0.1:$service_port"}
YAML
	cat; } >"$folder/$1.yaml"
	"$build_dir/fcgi-app/faregate" run -c "$folder/$1.yaml" 2>"$folder/$1.log" &
	pool=$!
	pids+=("$pool")
	until [ -S "$folder/$1.sock" ]; do is_alive $pool "$folder/$1.log"; done
}

# The same for lighttpd. Sets lighttpd and url.
start_lighttpd() { # NAME
	next_port
	{ cat <<CONF
server.bind = "127.0.0.1"
server.port = $port
server.document-root = "$folder"
server.errorlog = "$folder/$1.log"
server.max-keep-alive-requests = 100000000
server.max-connections = 2048
server.max-fds = 8192
CONF
	cat; } >"$folder/$1.conf"
	lighttpd -D -f "$folder/$1.conf" 2>"$folder/$1.err" &
	lighttpd=$! url=http://127.0.0.1:$port
	pids+=("$lighttpd")
}
start_lighttpd_with() { # NAME POOL_NAME
	start_lighttpd "$1" <<CONF
server.modules = ("mod_fastcgi")
var.faregate_mount = "/"
var.faregate_socket = "$folder/$2.sock"
include "$source_dir/deploy/lighttpd/faregate-socket.conf"
CONF
}

# CPU time of a process, its threads and its children, in nanoseconds.
cpu() { cat $(printf '/proc/%s/task/*/schedstat ' "$1" $(pgrep -P "$1")) 2>/dev/null | awk '{s += $1} END {printf "%.0f\n", s}'; }

# For awk programs: what wrk says (rate, p50, p99, errors, n of them all, bytes_read); a median.
wrk_awk='
	function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t ~ /m$/ ? t * 60000 : t * 1000 }
	function bytes(t) { return t * (t ~ /GB$/ ? 2 ^ 30 : t ~ /MB$/ ? 2 ^ 20 : t ~ /KB$/ ? 1024 : 1) }
	/requests in/ { n = $1; bytes_read = bytes($5); if (body >= 65536) n = bytes_read / body; rate = n / $4 }
	$1 == "50%" { p50 = ms($2) }
	$1 == "99%" { p99 = ms($2) }
	/Socket errors/ { errors += $4 + $6 + $8 + $10 }
	/Non-2xx/ { errors += $NF }'
median_awk='
	function median(name, column,   v, k, i, x, swap) {
		k = rounds[name]
		for (i = 1; i <= k; i++) v[i] = value[name, column, i]
		for (i = 2; i <= k; i++)
			for (x = i; x > 1 && v[x - 1] > v[x]; x--) { swap = v[x]; v[x] = v[x - 1]; v[x - 1] = swap }
		return k % 2 ? v[(k + 1) / 2] : (v[k / 2] + v[k / 2 + 1]) / 2
	}'

: >"$folder/servers.json"
: >"$folder/policies.json"
key_bytes=null
printf '%d rounds of %d s, medians; load of the machine before: %s\n' "$rounds" "$seconds" "$(cut -d' ' -f1-3 /proc/loadavg)"
for word in ${tables//,/ }; do
	. "$source_dir/tests/bench/$word.sh"
done

json=$results/bench-$(date +%Y%m%d-%H%M%S).json
{
	printf '{"date": "%s", "cores": %d, "kernel": "%s", "rounds": %d, "seconds": %d, "lighttpd": "%s", "apache": "%s", ' \
		"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(nproc)" "$(uname -r)" "$rounds" "$seconds" \
		"$(lighttpd -v | sed -n '1s,^lighttpd/\([^ ]*\).*,\1,p')" \
		"$(apache2 -v | sed -n '1s,.*Apache/\([^ ]*\).*,\1,p')"
	printf '"redis": "%s", ' "$(redis-server --version | sed 's,.*v=\([^ ]*\).*,\1,')"
	# The first row has nothing before it.
	printf '"results": [%s\n],\n"policies": [%s\n],\n"bytes_a_key_in_redis": %s}\n' \
		"$(sed 1d "$folder/servers.json")" "$(sed 1d "$folder/policies.json")" "$key_bytes"
} >"$json"
echo "JSON: $json"
