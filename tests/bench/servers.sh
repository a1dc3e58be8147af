# Sourced by bench.sh: each web server's own proxy, and the same web server with Faregate. Throughput, latency, CPU time a request
# of each process, peak memory of a worker. Requests for bodies of 64 KB and more are counted by the bytes that arrived: with many
# connections most would be half way when the time is over, their work done and not counted.
connections=${BENCH_CONNECTIONS:-1 64 512}
bodies=${BENCH_BODIES:-80 10240 1048576}

start_pool fg <<'YAML'
routes: {all: {path: /*, service: s}}
YAML
start_lighttpd lighttpd <<CONF
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => $service_port)))
server.stream-response-body = 2
CONF
lighttpd_bare=$lighttpd lighttpd_url=$url
start_lighttpd_with lighttpd-fg fg
lighttpd_fg=$lighttpd lighttpd_fg_url=$url

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

wait_for "$lighttpd_url/" $lighttpd_bare "$folder/lighttpd.err"
wait_for "$lighttpd_fg_url/" $lighttpd_fg "$folder/lighttpd-fg.err"
wait_for "$apache_url/" $apache "$folder/apache.err"
wait_for "$apache_fg_url/" $apache_fg "$folder/apache-fg.err"

all_cpu() { echo "$(cpu "$1") $(cpu $pool) $(cpu $service)"; } # SERVER_PID
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
	before=$(all_cpu "$3")
	wrk -t1 -c"$5" -d"$seconds" --timeout 10 --latency "$2/bytes/$4" >"$folder/wrk"
	awk -v name="$1" -v body="$4" -v before="$before" -v after="$(all_cpu "$3")" -v peak="$(peak)" "$wrk_awk"'
		END {
			split(before, b); split(after, a)
			us = n > 0 ? 1 / 1000 / n : 0
			print name, rate, p50, p99, (a[1] - b[1]) * us, (a[2] - b[2]) * us, (a[3] - b[3]) * us, errors + 0, n + 0, peak
		}' "$folder/wrk" >>"$folder/rounds"
}

# The rows of all rounds so far, bare servers first; each is compared with the bare one before it.
summarise() { # BODY CONNECTIONS
	awk -v body="$1" -v conn="$2" -v json="$folder/servers.json" "$median_awk"'
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

printf '\nWeb servers; ratios to the bare one above, CPU in us a request\n'
printf '%-18s %4s %8s %9s %5s %9s %9s %5s %6s | %8s %8s %8s %9s %5s %9s\n' '' conn body req/s ratio 'p50 ms' 'p99 ms' \
	ratio errors 'server' 'Faregate' 'service' 'CPU us' ratio 'peak kB'
for body in $bodies; do
	for n in $connections; do
		: >"$folder/rounds"
		for ((round = 0; round < rounds; round++)); do
			measure lighttpd "$lighttpd_url" $lighttpd_bare "$body" "$n"
			measure lighttpd+faregate "$lighttpd_fg_url" $lighttpd_fg "$body" "$n"
			measure apache "$apache_url" $apache "$body" "$n"
			measure apache+faregate "$apache_fg_url" $apache_fg "$body" "$n"
		done
		summarise "$body" "$n"
	done
done
