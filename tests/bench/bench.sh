#!/usr/bin/env bash
# Side by side, interleaved in one run: the bare web server's proxy, and the same web server with Faregate, to the same
# small service. Throughput, latency, CPU time a request of each process, peak memory of a worker; a table, and JSON.
#
#   BENCH_SECONDS=5   for each measurement      BENCH_CONNECTIONS="1 64 512"      BENCH_BODIES="80 10240 1048576"
#
# Run in the build folder (make bench does).
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$PWD
seconds=${BENCH_SECONDS:-5}
connections=${BENCH_CONNECTIONS:-1 64 512}
bodies=${BENCH_BODIES:-80 10240 1048576}
results=$build_dir/tests/bench/results
. "$source_dir/deploy/packages.sh"
need_packages lighttpd apache2 wrk curl
mkdir -p "$results"

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

port=$((20000 + RANDOM % 20000))
next_port() { port=$((port + 1)); }
wait_for() { # URL PID LOG
	until curl -sfo /dev/null "$1"; do
		kill -0 "$2" 2>/dev/null || { cat "$3" >&2; exit 1; }
	done
}

"$build_dir/tests/support/service" --port 0 --name bench >"$folder/service.port" &
pids+=($!); service=$!
until grep -q port "$folder/service.port"; do kill -0 $service; done
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
until [ -S "$folder/fg.sock" ]; do kill -0 $pool; done

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
ticks() { cat /proc/"$1"/stat $(pgrep -P "$1" | sed 's,.*,/proc/&/stat,') 2>/dev/null | awk '{s += $14 + $15} END {print s}'; }
hz=$(getconf CLK_TCK)

# Warm: connections to the service, tables of the kernel.
for url in "$lighttpd_url" "$lighttpd_fg_url" "$apache_url" "$apache_fg_url"; do
	wrk -t1 -c64 -d1 "$url/bytes/80" >/dev/null
done

json=$results/bench-$(date +%Y%m%d-%H%M%S).json
echo '[' >"$json"
first=1
printf '%-18s %5s %8s %10s %6s %9s %9s %7s | %s\n' server conn body req/s ratio p50 p99 errors 'CPU us a request: server, Faregate, service'
measure() { # NAME URL SERVER_PID BODY CONNECTIONS BASE
	local a b c out="$folder/wrk" requests rps errors p50 p99 ratio cpu
	a=$(ticks "$3") b=$(ticks $pool) c=$(ticks $service)
	wrk -t1 -c"$5" -d"$seconds" --timeout 10 --latency "$2/bytes/$4" >"$out"
	requests=$(awk '/requests in/ {print $1}' "$out")
	rps=$(awk '/^Requests\/sec/ {print $2}' "$out")
	p50=$(awk '$1 == "50%" {print $2}' "$out") p99=$(awk '$1 == "99%" {print $2}' "$out")
	errors=$(awk '/Socket errors/ {gsub(",", ""); e += $4 + $6 + $8 + $10} /Non-2xx/ {e += $NF} END {print e + 0}' "$out")
	cpu=$(echo "$(ticks "$3") $a $(ticks $pool) $b $(ticks $c_pid) $c" | awk -v n="$requests" -v hz="$hz" \
		'{u = 1e6 / hz / n; printf "%.1f %.1f %.1f", ($1 - $2) * u, ($3 - $4) * u, ($5 - $6) * u}')
	ratio=$(awk -v a="$rps" -v b="${6:-$rps}" 'BEGIN {printf "%.2f", a / b}')
	printf '%-18s %5s %8s %10s %6s %9s %9s %7s | %s\n' "$1" "$5" "$4" "$rps" "$ratio" "$p50" "$p99" "$errors" "$cpu"
	[ $first = 1 ] || echo ',' >>"$json"
	first=0
	set -- "$1" "$5" "$4" $cpu
	echo "{\"server\": \"$1\", \"connections\": $2, \"body\": $3, \"requests_per_second\": $rps, \"ratio\": $ratio," \
		"\"p50\": \"$p50\", \"p99\": \"$p99\", \"errors\": $errors, \"requests\": $requests," \
		"\"cpu_us\": {\"server\": $4, \"faregate\": $5, \"service\": $6}}" >>"$json"
	last=$rps
}
c_pid=$service
for body in $bodies; do
	for n in $connections; do
		measure lighttpd "$lighttpd_url" $lighttpd "$body" "$n" ''
		base=$last
		measure lighttpd+faregate "$lighttpd_fg_url" $lighttpd_fg "$body" "$n" "$base"
		measure apache "$apache_url" $apache "$body" "$n" ''
		base=$last
		measure apache+faregate "$apache_fg_url" $apache_fg "$body" "$n" "$base"
	done
done
peak=0
for worker in $(pgrep -P $pool); do
	kb=$(awk '/VmHWM/ {print $2}' /proc/"$worker"/status)
	[ "$kb" -le $peak ] || peak=$kb
done
echo "peak memory of a worker: $peak kB"
echo ",{\"worker_peak_kb\": $peak}]" >>"$json"
echo "JSON: $json"
