#!/usr/bin/env bash
# Tests about the code itself. Each check prints FILE:LINE: what is wrong; any such line fails the test.
# Called by `make check` with srcdir set and the build folder as the current one.
set -uo pipefail
LC_ALL=C
build=$PWD
cd "${srcdir:-.}" || exit 99
found=$(mktemp)
trap 'rm -f "$found"' EXIT

sources() { find "$@" -name '*.[ch]' | sort; }
wrong() { WHAT=$1 awk '{ print ENVIRON["WHAT"] ": " $0 }' >> "$found"; }

# ---- who may include whom: a folder sees itself and folders below it (lib/README.md)
below_core="base conf loop dns client redis token http router stats service limit idempotency keys"
declare -A may=(
	[base]="base" [conf]="base conf" [loop]="base loop" [dns]="base loop dns" [client]="base loop dns client" [token]="base loop token"
	[redis]="base loop redis"
	[http]="base http" [router]="base http router" [stats]="base stats" [service]="base stats service"
	[limit]="base redis token limit" [idempotency]="base conf redis http idempotency" [keys]="base token keys"
	[core]="$below_core core"
	[filter]="$below_core core filter"
)
for folder in lib/*/; do
	[ -n "${may[$(basename "$folder")]:-}" ] || echo "$folder" | wrong "a folder without a place"
done
for folder in "${!may[@]}"; do
	allowed=${may[$folder]// /|}
	sources "lib/$folder" | xargs -r grep -HnE '^#include "[a-z_-]+/' |
		grep -vE "#include \"($allowed)/" | wrong "$folder must not include"
done
# A filter never sees another filter.
for filter in $(sed -n 's/^\tX(\([a-z_]*\)).*/\1/p' lib/filter/filter_list.h); do
	for other in $(sed -n 's/^\tX(\([a-z_]*\)).*/\1/p' lib/filter/filter_list.h); do
		[ "$filter" = "$other" ] || grep -HnE "^#include \"filter/$other\.h\"" "lib/filter/$filter.c" |
			wrong "a filter sees no other"
	done
done

# ---- each third-party header in one place, and only in .c files
third() { # HEADER PLACE
	sources lib fcgi-app | xargs grep -HnE "^#include <$1>" | grep -vE "^$2:" | wrong "<$1> belongs to $2"
}
third 'curl/[a-z]*\.h' 'lib/client/[a-z_]*\.c'
third '(hiredis/)?(hiredis|hiredis_ssl|async|read|sds|alloc)\.h' 'lib/redis/[a-z_]*\.c'
third 'ares\.h' 'lib/dns/[a-z_]*\.c'
third 'yaml\.h' 'lib/conf/[a-z_]*\.c'
third 'ev\.h' 'lib/loop/[a-z_]*\.c'
third '(fcgiapp|fcgi_config|fastcgi|fcgi_stdio|fcgios)\.h' 'fcgi-app/fcgi\.c'
third '(jwt|jansson|crypt)\.h' 'lib/token/[a-z_0-9]*\.c'
third 'openssl/[a-z_0-9]*\.h' 'lib/(token/[a-z_0-9]*|client/(reuse|salvage)|redis/tls)\.c'
third 'pcre2\.h' 'lib/router/[a-z_]*\.c'

# ---- functions that are not used: unbounded, blocking, not reentrant, or with a better one here
banned='strcpy|strcat|stpcpy|sprintf|vsprintf|gets|scanf|sscanf|fscanf|atoi|atol|atoll|atof|strtok|strtok_r|system|popen'
banned+='|alloca|tmpnam|mktemp|gethostbyname|ctime|asctime|localtime|gmtime|strerror_l|usleep|sleep|rand|srand|bcopy|index'
sources lib fcgi-app | xargs grep -HnE "(^|[^A-Za-z0-9_>.])($banned)[[:space:]]*\(" |
	grep -vE ':[[:space:]]*(/?\*|//)' | wrong "banned function"
sources tests | xargs grep -HnE "(^|[^A-Za-z0-9_])(sleep|usleep|nanosleep)[[:space:]]*\(" |
	wrong "a test waits for a condition, not for time"

# ---- nothing half done, nothing that only looks done
sources lib fcgi-app tests | xargs grep -HnwE 'TODO|FIXME|XXX' | wrong "unfinished"
sources lib fcgi-app tests | xargs grep -HnE '^[[:space:]]*#[[:space:]]*if[[:space:]]+0' | wrong "dead code"
sources lib fcgi-app tests | xargs grep -HnE '[[:space:]]+$' | wrong "trailing space"
sources lib fcgi-app tests | xargs grep -HnE '^    +[^ ]' | grep -vE ':[0-9]+:    [^ ]' | wrong "indented with spaces"
sources lib fcgi-app tests | xargs awk '
	{ line = $0; n = 0; quoted = split(line, part, "\"")
	  for (i = 2; i <= quoted; i += 2) if (length(part[i]) > 60) next # a message is not broken for its length
	  for (i = 1; i <= length(line); i++) n = substr(line, i, 1) == "\t" ? n + 8 - n % 8 : n + 1
	  if (n > 145) printf "%s:%d: %d columns\n", FILENAME, FNR, n }' | wrong "line too long"

# ---- a file says first what it answers for
for file in $(sources lib fcgi-app); do
	head -c 2 "$file" | grep -q '^/\*' || echo "$file:1" | wrong "does not begin with what it is for"
done

# ---- every filter has its code and its page
for filter in $(sed -n 's/^\tX(\([a-z_]*\)).*/\1/p' lib/filter/filter_list.h); do
	[ -f "lib/filter/$filter.c" ] || echo "lib/filter/$filter.c" | wrong "filter without code"
	[ -f "lib/filter/$filter.md" ] || echo "lib/filter/$filter.md" | wrong "filter without a page"
done

# ---- and so has every way to find out who is calling
for authenticator in $(sed -n '/^#define FG_AUTHENTICATOR_LIST/,/^$/s/^\tX([A-Z_]*, \([a-z_]*\),.*/\1/p' lib/filter/authenticator.h); do
	for file in "lib/filter/auth_$authenticator.c" "lib/filter/auth_$authenticator.md"; do
		[ -f "$file" ] || echo "$file" | wrong "authenticator without it"
	done
	grep -q "auth_$authenticator\.md" README.md || echo "README.md" | wrong "does not name auth_$authenticator.md"
done

# ---- every test file is built and run
for file in tests/unit/*_test.c tests/e2e/*_test.c; do
	dir=$(dirname "$file") name=$(basename "$file" _test.c)
	grep -q "^FG_SUITE($name)$" "$dir/suites.h" || echo "$file" | wrong "not in suites.h"
	grep -q "$file" "$dir/local.mk" || echo "$file" | wrong "not in local.mk"
done

# ---- no mutable global outside fcgi-app/: what the library's objects have in writable sections. Tables of pointers lie
# in .data.rel.ro; names of the instrumentation's own begin with two underscores or a dot.
if [ -f "$build/lib/libfaregate.a" ]; then
	nm -A -f sysv "$build/lib/libfaregate.a" 2>/dev/null |
		awk -F'|' '{ section = $NF; gsub(/ /, "", section); name = $1; sub(/ *$/, "", name); sub(/.*:/, "", name)
			if (section ~ /^\.(data|bss|tdata|tbss)/ && section !~ /^\.data\.rel\.ro/ && name !~ /^(__|\.)/ && $4 ~ /OBJECT|TLS/)
				print $1 }' | tr -s ' ' |
		grep -vE ':libfaregate_a-str\.o:(is_)?drawn' | # the key of the string hash, drawn once a process
		wrong "mutable global"
fi

# ---- length: told, and refused where it is beyond any reason
sources lib fcgi-app tests | xargs wc -l | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }' | wrong "file too long"
sources lib fcgi-app | xargs awk '
	FNR == 1 { start = 0 }
	/^[a-z_][a-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name) }
	/^\{/ { start = FNR }
	/^\}/ && start { if (FNR - start > 80) printf "%s:%d: %s: %d lines\n", FILENAME, start, name, FNR - start; start = 0 }
' | wrong "function too long"

sources lib fcgi-app | xargs awk '
	FNR == 1 { start = 0; files++ }
	/^\{/ { start = FNR }
	/^\}/ && start { n[count++] = FNR - start - 1; start = 0 }
	END { for (i = 0; i < count; i++) { sum += n[i]; if (n[i] > 40) long++ }
	      printf "lint: %d files, %d lines, %d functions of %.0f lines on average, %d over 40\n", files, NR, count, sum / count, long }'
if [ -s "$found" ]; then
	cat "$found"
	echo "lint: $(wc -l < "$found") findings"
	exit 1
fi
echo "lint: nothing found"
