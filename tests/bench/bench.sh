#!/usr/bin/env bash
# Side by side, interleaved in one run: the bare web server's proxy, and the same web server with Faregate, to the same
# small service. Throughput, latency, CPU time a request of each process, peak memory of a worker; a table, and JSON.
#
#   BENCH_SECONDS=3   for each measurement      BENCH_CONNECTIONS="1 64 512"      BENCH_BODIES="80 10240 1048576"
#   BENCH_ROUNDS=3    a round is one measurement of each of the four in turn
#   BENCH_QUICK=1     one round of a second each, small bodies, 64 connections
#
# Each number of a row is the median of its rounds, by itself; errors are summed, the peak is the highest. Requests for
# bodies of 64 KB and more are counted by the bytes that arrived: with many connections most would be half way when the time
# is over, their work done and not counted. The load generator shares the machine; its own time is not in the table. Run in
# the build folder (make bench does).
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$PWD
if [ -n "${BENCH_QUICK:-}" ]; then
	: "${BENCH_SECONDS:=1}" "${BENCH_ROUNDS:=1}" "${BENCH_CONNECTIONS:=64}" "${BENCH_BODIES:=80}"
fi
seconds=${BENCH_SECONDS:-3}
rounds=${BENCH_ROUNDS:-3}
connections=${BENCH_CONNECTIONS:-1 64 512}
bodies=${BENCH_BODIES:-80 10240 1048576}
results=$build_dir/tests/bench/results
PATH=$PATH:/usr/sbin
. "$source_dir/deploy/packages.sh"
need_packages lighttpd apache2 wrk curl
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

cat >"$folder/faregate.yaml" <<YAML
version: 1
listen: {address: "unix:$folder/fg.sock", mode: 0666}
pid-file: $folder/fg.pid
workers: 2
log: {access: "off", level: error}
services: {s: "http://127.0.0.1:$service_port"}
routes: {all: {path: /*, service: s}}
YAML
"$build_dir/fcgi-app/faregate" run -c "$folder/faregate.yaml" 2>"$folder/fg.log" &
pids+=($!); pool=$!
until [ -S "$folder/fg.sock" ]; do is_alive $pool "$folder/fg.log"; done

lighttpd_common() {
	cat <<CONF
server.bind = "127.0.0.1"
server.port = $port
server.document-root = "$folder"
server.errorlog = "$folder/$1.log"
server.max-keep-alive-requests = 100000000
server.max-connections = 2048
server.max-fds = 8192
CONF
}
next_port
{ lighttpd_common lighttpd; echo "server.modules = (\"mod_proxy\")
proxy.server = (\"\" => ((\"host\" => \"127.0.0.1\", \"port\" => $service_port)))
server.stream-response-body = 2"; } >"$folder/lighttpd.conf"
lighttpd -D -f "$folder/lighttpd.conf" 2>"$folder/lighttpd.err" &
pids+=($!); lighttpd=$! lighttpd_url=http://127.0.0.1:$port
next_port
{ lighttpd_common lighttpd-fg; echo "server.modules = (\"mod_fastcgi\")
var.faregate_mount = \"/\"
var.faregate_socket = \"$folder/fg.sock\"
include \"$source_dir/deploy/lighttpd/faregate-socket.conf\""; } >"$folder/lighttpd-fg.conf"
lighttpd -D -f "$folder/lighttpd-fg.conf" 2>"$folder/lighttpd-fg.err" &
pids+=($!); lighttpd_fg=$! lighttpd_fg_url=http://127.0.0.1:$port

apache_common() {
	local modules=/usr/lib/apache2/modules module
	echo "ServerRoot \"$folder\"
ServerName localhost
Listen 127.0.0.1:$port
PidFile $folder/$1.pid
DefaultRuntimeDir $folder
Mutex file:$folder default
ErrorLog $folder/$1.log
User www-data
Group www-data
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 1
ThreadLimit 600
ThreadsPerChild 600
MaxRequestWorkers 600"
	for module in mpm_event authz_core proxy proxy_http proxy_fcgi env; do
		echo "LoadModule ${module}_module $modules/mod_$module.so"
	done
}
next_port
{ apache_common apache; echo "<VirtualHost *:$port>
ProxyPass / http://127.0.0.1:$service_port/
</VirtualHost>"; } >"$folder/apache.conf"
apache2 -D FOREGROUND -f "$folder/apache.conf" 2>"$folder/apache.err" &
pids+=($!); apache=$! apache_url=http://127.0.0.1:$port
next_port
{ apache_common apache-fg; echo "<VirtualHost *:$port>
Define FAREGATE_MOUNT /
Define FAREGATE_TARGET \"unix:$folder/fg.sock|fcgi://faregate\"
Include $source_dir/deploy/apache/faregate-proxy.conf
</VirtualHost>"; } >"$folder/apache-fg.conf"
apache2 -D FOREGROUND -f "$folder/apache-fg.conf" 2>"$folder/apache-fg.err" &
pids+=($!); apache_fg=$! apache_fg_url=http://127.0.0.1:$port

wait_for "$lighttpd_url/" $lighttpd "$folder/lighttpd.err"
wait_for "$lighttpd_fg_url/" $lighttpd_fg "$folder/lighttpd-fg.err"
wait_for "$apache_url/" $apache "$folder/apache.err"
wait_for "$apache_fg_url/" $apache_fg "$folder/apache-fg.err"

# CPU of a process with its children, in clock ticks.
ticks() {
	cat /proc/"$1"/stat $(pgrep -P "$1" | sed 's,.*,/proc/&/stat,') 2>/dev/null | awk '{s += $14 + $15} END {print s}'
}
all_ticks() { echo "$(ticks "$1") $(ticks $pool) $(ticks $service)"; } # SERVER_PID
forget_peaks() { for worker in $(pgrep -P $pool); do echo 5 >"/proc/$worker/clear_refs"; done 2>/dev/null || true; }
peak() { for worker in $(pgrep -P $pool); do awk '/VmHWM/ {print $2}' "/proc/$worker/status"; done | sort -n | tail -1; }

# Warm: connections to the service, tables of the kernel.
for url in "$lighttpd_url" "$lighttpd_fg_url" "$apache_url" "$apache_fg_url"; do
	wrk -t1 -c64 -d1 "$url/bytes/80" >/dev/null
done

# One line: name, requests/s, p50 and p99 in ms, CPU us a request of server, Faregate and service, errors, requests, peak kB.
measure() { # NAME URL SERVER_PID BODY CONNECTIONS
	local before
	forget_peaks
	before=$(all_ticks "$3")
	wrk -t1 -c"$5" -d"$seconds" --timeout 10 --latency "$2/bytes/$4" >"$folder/wrk"
	awk -v name="$1" -v body="$4" -v hz="$(getconf CLK_TCK)" -v before="$before" -v after="$(all_ticks "$3")" -v peak="$(peak)" '
		function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t ~ /m$/ ? t * 60000 : t * 1000 }
		function bytes(t) { return t * (t ~ /GB$/ ? 2 ^ 30 : t ~ /MB$/ ? 2 ^ 20 : t ~ /KB$/ ? 1024 : 1) }
		/requests in/ { n = $1; if (body >= 65536) n = bytes($5) / body; rate = n / $4 }
		$1 == "50%" { p50 = ms($2) }
		$1 == "99%" { p99 = ms($2) }
		/Socket errors/ { errors += $4 + $6 + $8 + $10 }
		/Non-2xx/ { errors += $NF }
		END {
			split(before, b); split(after, a)
			us = n > 0 ? 1e6 / hz / n : 0
			print name, rate, p50, p99, (a[1] - b[1]) * us, (a[2] - b[2]) * us, (a[3] - b[3]) * us, errors + 0, n + 0, peak
		}' "$folder/wrk" >>"$folder/rounds"
}

# The rows of all rounds so far, bare servers first; each is compared with the bare one before it.
summarise() { # BODY CONNECTIONS
	awk -v body="$1" -v conn="$2" -v json="$folder/json" '
		function median(name, column,   v, k, i, x) {
			k = rounds[name]
			for (i = 1; i <= k; i++) v[i] = value[name, column, i]
			for (i = 2; i <= k; i++)
				for (x = i; x > 1 && v[x - 1] > v[x]; x--) { swap = v[x]; v[x] = v[x - 1]; v[x - 1] = swap }
			return k % 2 ? v[(k + 1) / 2] : (v[k / 2] + v[k / 2 + 1]) / 2
		}
		!($1 in rounds) { names[++count] = $1 }
		{
			rounds[$1]++
			for (i = 2; i <= 7; i++) value[$1, i, rounds[$1]] = $i + 0
			errors[$1] += $8; requests[$1] += $9
			if ($10 > peak[$1]) peak[$1] = $10
		}
		END {
			for (n = 1; n <= count; n++) {
				name = names[n]
				for (i = 2; i <= 7; i++) m[i] = median(name, i)
				if (name !~ /\+/) { base_rate = m[2]; base_p99 = m[4]; base_cpu = m[5] + m[6] + m[7] }
				cpu = m[5] + m[6] + m[7]
				rate = base_rate > 0 ? m[2] / base_rate : 0
				cpu_ratio = base_cpu > 0 ? cpu / base_cpu : 0
				p99 = base_p99 > 0 ? m[4] / base_p99 : 0
				kb = name ~ /\+/ ? peak[name] : 0
				printf "%-18s %4d %8d %9.0f %5.2f %9.3f %9.3f %5.2f %6d | %8.1f %8.1f %8.1f %9.1f %5.2f %9s\n", name, conn,
				    body, m[2], rate, m[3], m[4], p99, errors[name], m[5], m[6], m[7], cpu, cpu_ratio, kb ? kb : "-"
				printf ",\n{\"server\": \"%s\", \"connections\": %d, \"body\": %d, \"requests_per_second\": %.1f, " \
				    "\"ratio\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p99_ratio\": %.3f, \"errors\": %d, " \
				    "\"requests\": %d, \"cpu_us\": {\"server\": %.1f, \"faregate\": %.1f, \"service\": %.1f, " \
				    "\"ratio\": %.3f}, \"worker_peak_kb\": %s}", name, conn, body, m[2], rate, m[3], m[4], p99,
				    errors[name], requests[name], m[5], m[6], m[7], cpu_ratio, kb ? kb : "null" >>json
			}
		}' "$folder/rounds"
}

printf '%d rounds of %d s, medians; ratios to the bare server above\n' "$rounds" "$seconds"
printf '%-18s %4s %8s %9s %5s %9s %9s %5s %6s | %8s %8s %8s %9s %5s %9s\n' '' conn body req/s ratio 'p50 ms' 'p99 ms' \
	ratio errors 'server' 'Faregate' 'service' 'CPU us' ratio 'peak kB'
for body in $bodies; do
	for n in $connections; do
		: >"$folder/rounds"
		for ((round = 0; round < rounds; round++)); do
			measure lighttpd "$lighttpd_url" $lighttpd "$body" "$n"
			measure lighttpd+faregate "$lighttpd_fg_url" $lighttpd_fg "$body" "$n"
			measure apache "$apache_url" $apache "$body" "$n"
			measure apache+faregate "$apache_fg_url" $apache_fg "$body" "$n"
		done
		summarise "$body" "$n"
	done
done

json=$results/bench-$(date +%Y%m%d-%H%M%S).json
{
	printf '{"date": "%s", "cores": %d, "kernel": "%s", "rounds": %d, "seconds": %d, "lighttpd": "%s", "apache": "%s", ' \
		"$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(nproc)" "$(uname -r)" "$rounds" "$seconds" \
		"$(lighttpd -v | sed -n '1s,^lighttpd/\([^ ]*\).*,\1,p')" \
		"$(apache2 -v | sed -n '1s,.*Apache/\([^ ]*\).*,\1,p')"
	# The first row has nothing before it.
	printf '"results": [%s\n]}\n' "$(sed 1d "$folder/json")"
} >"$json"
echo "JSON: $json"
