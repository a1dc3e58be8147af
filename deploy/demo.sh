#!/usr/bin/env bash
# Shows the main job on this machine: lighttpd, a pool of Faregate, Redis, two small services, all on loopback.
#
#   deploy/demo.sh           until Ctrl-C
#   deploy/demo.sh --check   asks what a user would, says whether the answers are right, and leaves
#
# Installs what is missing, builds in build/, keeps everything else in a temporary folder that goes when it ends.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
build_dir=${FAREGATE_BUILD:-$source_dir/build}
mode=${1:-}
case $mode in '' | --check) ;; *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;; esac

. "$source_dir/deploy/packages.sh"
# shellcheck disable=SC2086 # a list
need_packages $BUILD_PACKAGES lighttpd redis-server openssl curl

build() {
	[ -x "$source_dir/configure" ] || "$source_dir/autogen.sh"
	mkdir -p "$build_dir"
	cd "$build_dir"
	[ -f Makefile ] || "$source_dir/configure"
	make -j"$(nproc)" all tests/support/service
}
echo "building in $build_dir ..."
log=$(mktemp)
if ! (build) >"$log" 2>&1; then
	tail -n 40 "$log" >&2
	rm -f "$log"
	echo 'the build failed' >&2
	exit 1
fi
rm -f "$log"

folder=$(mktemp -d)
pids=()
cleanup() {
	trap - EXIT INT TERM
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# until_true SECONDS WHAT COMMAND...: waits for a condition, not for a time.
until_true() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ $SECONDS -ge $deadline ]; then
			echo "$what did not come up; its log:" >&2
			cat "$folder"/*.log >&2
			exit 1
		fi
		read -rt 0.05 <> <(:) || true
	done
}

start_service() { # NAME: sets the variable port_NAME
	"$build_dir/tests/support/service" --port 0 --name "$1" >"$folder/$1.port" 2>"$folder/service-$1.log" &
	pids+=($!)
	until_true 5 "service $1" grep -q port "$folder/$1.port"
	printf -v "port_$1" '%s' "$(awk '{print $2}' "$folder/$1.port")"
}
start_service A
service_A_pid=${pids[-1]}
start_service B

redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --dir "$folder" --logfile "$folder/redis.log" \
	>/dev/null 2>&1 &
pids+=($!)
until_true 5 Redis test -S "$folder/redis.sock"

cat >"$folder/faregate.yaml" <<YAML
version: 1
listen: {address: "unix:$folder/faregate.sock", mode: 0666}
pid-file: $folder/faregate.pid
workers: 2
store: redis+unix://$folder/redis.sock
log: {access: {path: $folder/access.log, format: json}}
services:
  a: http://127.0.0.1:$port_A
  b: http://127.0.0.1:$port_B
auth:
  idp:
    type: jwt
    issuer: https://idp.example.com/
    audience: demo
    algorithms: HS256
    keys: file:$folder/secret
    forward: {X-User: sub}
  partners: {type: api-key, keys: store, forward: {X-Plan: plan}}
limits:
  per-caller: {rate: 5/1m, by: consumer, overrides: {claim:plan: {gold: 100/1m}}}
routes:
  service-a: {path: /serviceA/*, service: a, strip-prefix: /serviceA, auth: none}
  service-b: {path: /serviceB/*, service: b, strip-prefix: /serviceB, auth: none}
  members: {path: /members/*, service: b, strip-prefix: /members, auth: [idp, partners], limits: per-caller}
YAML
faregate() { local command=$1; shift; "$build_dir/fcgi-app/faregate" "$command" -c "$folder/faregate.yaml" "$@"; }

# A ticket as an identity provider makes it: HS256 (RFC 7515), good for an hour.
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
make_token() { # SUBJECT
	local text

	text=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url).$(printf \
		'{"iss":"https://idp.example.com/","aud":"demo","sub":"%s","exp":%d}' "$1" $(($(date +%s) + 3600)) | base64url)
	printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -hmac "$(cat "$folder/secret")" -binary | base64url)"
}
openssl rand -hex 32 >"$folder/secret"
token=$(make_token ann)

chmod 755 "$folder"
faregate check
"$build_dir/fcgi-app/faregate" run -c "$folder/faregate.yaml" 2>"$folder/faregate.log" &
pids+=($!)
until_true 5 'the pool' faregate status
key=$("$build_dir/fcgi-app/faregate" key new -c "$folder/faregate.yaml" --meta plan=gold acme 2>>"$folder/faregate.log")
until_true 5 'the socket' test -S "$folder/faregate.sock"

# lighttpd cannot say which port it was given: a free one is asked for, and another if somebody was faster.
for attempt in 1 2 3 4 5; do
	port=$((20000 + (RANDOM % 20000)))
	cat >"$folder/lighttpd.conf" <<CONF
server.modules = ("mod_fastcgi")
server.bind = "127.0.0.1"
server.port = $port
server.document-root = "$folder"
server.errorlog = "$folder/lighttpd.log"
var.faregate_mount = "/"
var.faregate_socket = "$folder/faregate.sock"
include "$source_dir/deploy/lighttpd/faregate-socket.conf"
CONF
	lighttpd -D -f "$folder/lighttpd.conf" 2>>"$folder/lighttpd.log" &
	lighttpd_pid=$!
	while kill -0 $lighttpd_pid 2>/dev/null && ! curl -so /dev/null "http://127.0.0.1:$port/"; do :; done
	kill -0 $lighttpd_pid 2>/dev/null && break
	[ "$attempt" != 5 ] || { cat "$folder/lighttpd.log" >&2; exit 1; }
done
pids+=("$lighttpd_pid")
url=http://127.0.0.1:$port

if [ "$mode" != --check ]; then
	cat <<TEXT

Faregate runs behind lighttpd at $url. Try:

  curl -i $url/serviceA/hello
  curl -i $url/serviceB/echo?page=2 -H 'Content-Type: application/json' -d '{"item": 7}'
  curl -i $url/nowhere

With a ticket; the sixth time within a minute is one too many, on however many machines:
  curl -i $url/members/hello -H 'Authorization: Bearer $token'
With an API key, whose owner may more; and without either:
  curl -i $url/members/hello -H 'X-API-Key: $key'
  curl -i $url/members/hello

What it decides, without sending anything:
  $build_dir/fcgi-app/faregate explain -c $folder/faregate.yaml -H 'X-API-Key: $key' GET /members/hello
Metrics: curl $url/_faregate/metrics      Log: tail -f $folder/access.log
Stop service A with "kill $service_A_pid" and ask again: A answers 502, B goes on.

Ctrl-C ends it all.
TEXT
	wait "$lighttpd_pid"
	exit 1
fi

failed=0
expect() { # WHAT EXPECTED GOT
	case $3 in
	*"$2"*) echo "ok      $1" ;;
	*) echo "FAILED  $1: expected \"$2\", got: $3"; failed=1 ;;
	esac
}
get() { curl -s -m 10 -w '\n%{http_code}' "$@"; }
expect 'A answers' '"A"' "$(get "$url/serviceA/hello")"
expect 'B answers' '"B"' "$(get "$url/serviceB/hello")"
expect 'the prefix is stripped' '"/echo?y=1"' "$(get "$url/serviceA/echo?y=1")"
expect 'a JSON body arrives' 'item' "$(get "$url/serviceB/echo" -H 'Content-Type: application/json' -d '{"item": 7}')"
expect 'no such route' 'urn:faregate:route_not_found' "$(get "$url/nowhere")"
expect 'no ticket' 'urn:faregate:token_missing' "$(get "$url/members/hello")"
expect 'a good ticket' '"x-user","ann"' "$(get "$url/members/echo" -H "Authorization: Bearer $token" -H 'X-User: eve' | tr '[:upper:]' '[:lower:]')"
expect 'a bad ticket' 'urn:faregate:token_signature_invalid' "$(get "$url/members/hello" -H "Authorization: Bearer ${token%?????}AAAAA")"
for i in 2 3 4 5; do get "$url/members/hello" -H "Authorization: Bearer $token" >/dev/null; done
expect 'one too many' 'urn:faregate:limit_exceeded' "$(get "$url/members/hello" -H "Authorization: Bearer $token")"
expect 'a key of one who may more' '"B"' "$(get "$url/members/hello" -H "X-API-Key: $key")"
expect 'metrics' 'faregate_requests_total{route="service-a"' "$(get "$url/_faregate/metrics")"
kill "$service_A_pid"
wait "$service_A_pid" 2>/dev/null || true
expect 'A is gone' 'urn:faregate:service_unreachable' "$(get "$url/serviceA/hello")"
expect 'B goes on' '"B"' "$(get "$url/serviceB/hello")"
exit $failed
