# Sourced by bench.sh: lighttpd and Faregate, 64 connections, 80 bytes: forwarding alone, and with policies. Requests are of 10,000
# users in turn; no limit refuses any, and none may be decided without its store. A ticket is compared with the same one that
# nobody looks at: a header of 600 bytes more has its price, whoever forwards it.
policy_connections=64
users=10000
keys=${BENCH_KEYS:-100000}

# Tickets that carry what those of a common identity provider do; the service is told who it is.
policy_of() { # ALG MORE
	echo "{type: jwt, issuer: 'https://idp.example.com/realms/shop', audience: [orders-api], algorithms: [$1], \
keys: 'file:$folder/$1.jwks', forward: {X-Subject: sub}$2}"
}
policies_config() { # STORE
	local alg
	echo "store: $1"
	echo "auth:"
	for alg in HS256 RS256 ES256; do
		echo "  $alg: $(policy_of $alg '')"
		echo "  $alg-verified: $(policy_of $alg ', cache: "off"')"
	done
	cat <<'YAML'
defaults: {auth: none}
limits:
  user: {rate: 10000/30d, by: header:X-User, on-store-failure: deny}
  path: {rate: 10000/30d, by: [header:X-User, path], on-store-failure: deny}
  method: {rate: 10000/30d, by: [header:X-User, method], on-store-failure: deny}
  day: {rate: 10000000/1d, by: header:X-User, algorithm: fixed-window, on-store-failure: deny}
  ip: {rate: 10000000/1m, by: ip, algorithm: sliding-window, on-store-failure: deny}
  keys: {rate: 1000/30d, by: header:X-User, on-store-failure: deny}
routes:
  forwarding: {path: /forwarding, service: s, rewrite: /bytes/80}
  one: {path: /one, service: s, rewrite: /bytes/80, limits: user}
  five: {path: /five, service: s, rewrite: /bytes/80, limits: [user, path, method, day, ip]}
  keys: {path: /keys, service: s, rewrite: /bytes/80, limits: keys}
  both: {path: /both, service: s, rewrite: /bytes/80, auth: RS256, limits: user}
YAML
	for alg in HS256 RS256 ES256; do
		echo "  $alg: {path: /$alg, service: s, rewrite: /bytes/80, auth: $alg}"
		echo "  $alg-verified: {path: /$alg-verified, service: s, rewrite: /bytes/80, auth: $alg-verified}"
	done
}

for alg in HS256 RS256 ES256; do
	"$build_dir/tests/bench/bench_token" $alg write "$folder/$alg"
done
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no --dir "$folder" >"$folder/redis.log" &
pids+=($!); redis=$!
until redis-cli -s "$folder/redis.sock" ping >/dev/null 2>&1; do is_alive $redis "$folder/redis.log"; done
# A machine that is busy must not turn into a store that has failed.
policies_config "{url: 'redis+unix://$folder/redis.sock', deadline: 2s}" >"$folder/policies"
start_pool shared <"$folder/policies"
shared_pool=$pool
policies_config memory >"$folder/policies"
start_pool alone <"$folder/policies"
alone_pool=$pool
start_lighttpd_with policies-shared shared
shared_lighttpd=$lighttpd shared_url=$url
start_lighttpd_with policies-alone alone
alone_lighttpd=$lighttpd alone_url=$url
wait_for "$shared_url/one" $shared_lighttpd "$folder/policies-shared.err"
wait_for "$alone_url/one" $alone_lighttpd "$folder/policies-alone.err"

# Leaves wrk's words in $folder/wrk.
load_policy() { # SECONDS URL TICKET_FILE USERS [FIRST]
	local ticket=()
	[ -z "$3" ] || ticket=(-H "Authorization: Bearer $(cat "$3")")
	wrk -t1 -c$policy_connections -d"$1" --timeout 10 --latency "${ticket[@]}" -s "$source_dir/tests/bench/users.lua" "$2" -- \
		"$4" "${5:-0}" >"$folder/wrk"
}

# One line: name, requests/s, p50 and p99 in ms, CPU us a request of lighttpd, the pool and Redis, errors, requests.
measure_policy() { # NAME STORE(shared|alone) ROUTE [ALG]
	local pool_name=$2_pool lighttpd_name=$2_lighttpd url_name=$2_url before after
	before="$(cpu "${!lighttpd_name}") $(cpu "${!pool_name}") $(cpu "$redis")"
	load_policy "$seconds" "${!url_name}/$3" "${4:+$folder/$4.token}" $users
	after="$(cpu "${!lighttpd_name}") $(cpu "${!pool_name}") $(cpu "$redis")"
	awk -v name="$1" -v body=80 -v before="$before" -v after="$after" "$wrk_awk"'
		END {
			split(before, b); split(after, a)
			us = n > 0 ? 1 / 1000 / n : 0
			print name, rate, p50, p99, (a[1] - b[1]) * us, (a[2] - b[2]) * us, (a[3] - b[3]) * us, errors + 0, n + 0
		}' "$folder/wrk" >>"$folder/policy-rounds"
}

# Each row is compared with the row of forwarding before it.
summarise_policies() {
	awk -v conn=$policy_connections -v json="$folder/policies.json" "$median_awk"'
		!($1 in rounds) { names[++count] = $1 }
		{
			rounds[$1]++
			for (i = 2; i <= 7; i++) value[$1, i, rounds[$1]] = $i + 0
			errors[$1] += $8; requests[$1] += $9
		}
		END {
			for (r = 1; r <= count; r++) {
				is_base = names[r] ~ /^forwarding/
				for (i = 2; i <= 7; i++) {
					m[i] = median(names[r], i)
					if (is_base) base[i] = m[i]
				}
				name = names[r]
				gsub("_", " ", name)
				printf "%-28s %9.0f %8.3f %8.3f %6d | %8.1f %8.1f %8.1f", name, m[2], m[3], m[4], errors[names[r]], m[5], m[6], m[7]
				if (!is_base)
					printf " | %+8.3f %+8.3f %+8.1f %+8.1f", m[3] - base[3], m[4] - base[4], m[6] - base[6], m[7] - base[7]
				printf "\n"
				printf ",\n{\"policy\": \"%s\", \"connections\": %d, \"body\": 80, \"requests_per_second\": %.1f, \"p50_ms\": %.3f, " \
				    "\"p99_ms\": %.3f, \"errors\": %d, \"requests\": %d, \"cpu_us\": {\"server\": %.2f, \"faregate\": %.2f, " \
				    "\"redis\": %.2f}, \"added\": {\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"faregate_us\": %.2f, \"redis_us\": %.2f}}",
				    name, conn, m[2], m[3], m[4], errors[names[r]], requests[names[r]], m[5], m[6], m[7], m[3] - base[3],
				    m[4] - base[4], m[6] - base[6], m[7] - base[7] >>json
			}
		}' "$folder/policy-rounds"
}

# Each user is a key, and asks once.
measure_keys() {
	local from made=0
	ask_redis() { redis-cli -s "$folder/redis.sock" "$@"; }
	used() { ask_redis info memory | awk -F: '/^used_memory:/ {print $2 + 0}'; }
	ask_redis flushall >/dev/null
	from=$(used)
	while [ "$made" -lt "$keys" ]; do
		load_policy 2 "$shared_url/keys" '' "$keys" "$made"
		if grep -q Non-2xx "$folder/wrk"; then cat "$folder/wrk" >&2; exit 1; fi
		made=$(ask_redis dbsize)
	done
	key_bytes=$((($(used) - from) / made))
	printf 'Memory a key of a limit in Redis, of %d: %d bytes\n' "$made" "$key_bytes"
}

# Warm: connections, the script, the tickets.
for route in one five; do
	load_policy 1 "$shared_url/$route" '' $users
	load_policy 1 "$alone_url/$route" '' $users
done
: >"$folder/policy-rounds"
printf '\nPolicies, lighttpd with Faregate, %d connections; CPU in us a request; at the right what is added to the forwarding above\n' \
	$policy_connections
printf '%-28s %9s %8s %8s %6s | %8s %8s %8s | %8s %8s %8s %8s\n' '' req/s 'p50 ms' 'p99 ms' errors lighttpd Faregate Redis \
	'p50 ms' 'p99 ms' Faregate Redis
for ((round = 0; round < rounds; round++)); do
	measure_policy forwarding shared forwarding
	measure_policy +_one_limit,_Redis shared one
	measure_policy +_five_limits,_Redis shared five
	measure_policy +_one_limit,_memory alone one
	for alg in HS256 ES256 RS256; do
		measure_policy forwarding,_${alg}_unread shared forwarding $alg
		measure_policy +_${alg}_ticket shared $alg $alg
		measure_policy +_${alg}_ticket,_no_cache shared $alg-verified $alg
	done
	measure_policy +_RS256_ticket,_one_limit shared both RS256
done
summarise_policies
measure_keys
