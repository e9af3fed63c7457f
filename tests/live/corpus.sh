#!/bin/bash
# long
# limit: 900
# Real fixes (HP_SHARED/corpus) on living processes: each target shows the flaw, is patched, answers as the fixed build does, and shows
# the flaw again after revert, in one process. The modules are stripped; what the answers must be, the two builds say.
. tests/lib/sh
. tests/lib/live
need zstd python3 objdump openssl
can_trace
corpus=${HP_SHARED:-../shared}/corpus/cases
[ -d "$corpus" ] || skip "no corpus at $corpus"
"$hpbuild" keygen --no-passphrase -o "$W/key" >/dev/null 2>&1
HPBUILD_TRUST=$W/key.pub
export HPBUILD_TRUST
net=$TOP/tests/live/corpus-net.py
answer=

# Each target: start_NAME FOLDER starts it from the modules in FOLDER (its process id in $pid), ask_NAME puts one line into $answer.

start_lib() { # a program of ours; the libraries get the names by which the loader looks for them
	local so name libs=()
	for so in "$1"/lib*.so*; do
		[ ! -L "$so" ] || continue
		libs+=("$so")
		name=$(readelf -d "$so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
		[ -e "$1/$name" ] || ln -s "${so##*/}" "$1/$name"
	done
	"$CC" -O1 -DCASE_"$package" -o "$1/program" tests/live/corpus-lib.c "${libs[@]}"
	coproc TARGET { LD_LIBRARY_PATH=$1 exec "$1/program" 2>&1 9>&-; }
	pid=$TARGET_PID
}
ask_lib() {
	echo >&"${TARGET[1]}"
	IFS= read -r -t 20 answer <&"${TARGET[0]}" || fail "$package does not answer"
}

# CVE-2022-33099: an error message leaves one more slot of Lua's stack in use than it needs, which its handler then lacks.
start_lua() {
	cat >"$W/deep.lua" <<'END'
local function deeper(n) depth = n; return 1 + deeper(n + 1) end
local function handler() pcall(deeper, 1); return depth end
for _ in io.lines() do -- twice, since a frame takes several slots
	local _, one = xpcall(function(...) local x; return x.field end, handler)
	local _, two = xpcall(function(...) local x; return x.field end, handler, 1)
	print("the handlers go " .. one .. " and " .. two .. " calls deep")
	io.flush()
end
END
	coproc TARGET { exec "$1/hplua" "$W/deep.lua" 2>&1 9>&-; }
	pid=$TARGET_PID
}
ask_lua() { ask_lib; }

start_redis() {
	start "$W/redis.log" "$1/redis-server" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --daemonize no
}
ask_redis() { answer=$(python3 "$net" redis-ask "$port"); }

# The answer over TCP comes from a child of the server, which inherits the fix; before, it takes all the memory that it may have.
start_dnsmasq() {
	local upstream
	upstream=$(python3 "$net" port)
	start "$W/upstream.log" python3 "$net" dns-serve "$upstream"
	wait_line "$W/upstream.log" '^ready' 20
	start "$W/dnsmasq.log" bash -c "ulimit -v 200000 && exec '$1/dnsmasq' -k --conf-file=/dev/null -p $port --no-resolv --no-hosts \
		--server=127.0.0.1#$upstream --cache-rr=MX --listen-address=127.0.0.1 --bind-interfaces --user=root --pid-file= --log-facility=-"
}
ask_dnsmasq() { answer=$(python3 "$net" dns-ask "$port"); }

# The receiver is a child of the daemon.
start_rsync() {
	mkdir -p "$W/up"
	printf 'use chroot = no\nuid = %s\ngid = %s\n[up]\npath = %s\nread only = no\n' "$(id -u)" "$(id -g)" "$W/up" >"$W/rsyncd.conf"
	[ -x "$W/sender" ] || python3 "$net" rsync-sender "$W/$case/unstripped/rsync" "$W/sender"
	head -c 40000 /dev/urandom >"$W/file"
	start "$W/rsync.log" "$1/rsync" --daemon --no-detach --config="$W/rsyncd.conf" --port="$port" --address=127.0.0.1 --log-file=/dev/null
}
ask_rsync() {
	rm -f "$W/up/file"
	for _ in $(seq 100); do
		"$W/sender" --whole-file "$W/file" "rsync://127.0.0.1:$port/up/" >"$W/sent" 2>&1 || :
		grep -q 'failed to connect' "$W/sent" || break
		sleep 0.1
	done
	answer=$(sed -n '1p' "$W/sent")
	cmp -s "$W/file" "$W/up/file" && answer='the long token is taken'
	:
}

# A session of one server is resumed with another.
start_nginx() {
	[ -e "$W/k.pem" ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout "$W/k.pem" -out "$W/c.pem" -days 30 -subj /CN=one.example 2>"$W/log"
	cat >"$W/nginx.conf" <<END
daemon off;
master_process off;
error_log stderr notice;
pid $W/nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path $W/t1;
	proxy_temp_path $W/t2;
	fastcgi_temp_path $W/t3;
	uwsgi_temp_path $W/t4;
	scgi_temp_path $W/t5;
	ssl_certificate $W/c.pem;
	ssl_certificate_key $W/k.pem;
	ssl_client_certificate $W/c.pem;
	ssl_verify_client optional;
	ssl_protocols TLSv1.3;
	server { listen 127.0.0.1:$port ssl; server_name one.example; return 200 one; }
	server { listen 127.0.0.1:$port ssl; server_name two.example; return 200 two; }
}
END
	start "$W/nginx.log" "$1/nginx" -p "$W" -c "$W/nginx.conf"
	python3 -c 'import socket, sys, time
for _ in range(200):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.05)' "$port"
}
ask_server() { # NAME OPTIONS
	printf 'GET / HTTP/1.0\r\nHost: %s.example\r\n\r\n' "$1" | timeout 20 openssl s_client -connect "127.0.0.1:$port" -servername "$1.example" \
		-ign_eof "${@:2}" 2>&1
}
ask_nginx() {
	ask_server one -sess_out "$W/session" >"$W/log" || :
	answer=$(ask_server two -sess_in "$W/session" | grep -a -o '^Reused\|alert access denied' | head -n 1)
}

stop() {
	kill "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
}

# What a build answers, in $answer.
answer_of() { # KIND FOLDER
	port=$(python3 "$net" port)
	"start_$1" "$2"
	kill_at_end "$pid"
	"ask_$1"
	stop
	[ -n "$answer" ] || fail "$case: no answer"
}

pack() { # MODULE OPTIONS
	"$hpbuild" pack --original "$W/$case/orig" --patched "$W/$case/patched" --baseline "$W/$case/orig/_bin/$1" -o "$W/$case.hpk" \
		"${@:2}" >"$W/out" 2>"$W/err"
}

cases=0
live() { # CASE MODULE KIND
	case=$1 package=${1%%-CVE*}
	local module=$2 kind=$3 vulnerable fixed side so
	[ -d "$corpus/$case" ] || return 0
	mkdir "$W/$case"
	zstd -dcq --long=27 "$corpus/$case/objects.tar.zst" | tar -x -C "$W/$case"
	cp -r "$W/$case/orig/_bin" "$W/$case/unstripped"
	for side in orig patched; do
		for so in "$W/$case/$side/_bin"/*; do strip "$so"; done
	done
	pack "$module" || {
		# A name that the baseline did not use before may be one of its own functions, as long as its symbols are not seen.
		expect_text "$W/err" 'give the --debug-file'
		pack "$module" --debug-file "$W/$case/unstripped/$module" || fail "$case: $(cat "$W/err")"
	}
	"$hpbuild" sign --key "$W/key.key" "$W/$case.hpk" >"$W/out" 2>&1
	answer_of "$kind" "$W/$case/orig/_bin"
	vulnerable=$answer
	answer_of "$kind" "$W/$case/patched/_bin"
	fixed=$answer
	[ "$vulnerable" != "$fixed" ] || fail "$case: both builds answer '$fixed'"

	port=$(python3 "$net" port)
	"start_$kind" "$W/$case/orig/_bin"
	kill_at_end "$pid"
	"ask_$kind"
	[ "$answer" = "$vulnerable" ] || fail "$case: '$answer' before, expected '$vulnerable'"
	"$hpbuild" apply --timeout 20000 --pid "$pid" "$W/$case.hpk" >"$W/out" 2>&1 || fail "$case: $(cat "$W/out")"
	"ask_$kind"
	[ "$answer" = "$fixed" ] || fail "$case: '$answer' with the fix, expected '$fixed'"
	"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out" 2>&1 || fail "$case: $(cat "$W/out")"
	"ask_$kind"
	[ "$answer" = "$vulnerable" ] || fail "$case: '$answer' after revert, expected '$vulnerable'"
	stop
	printf '%-24s %s -> %s\n' "$case" "$vulnerable" "$fixed"
	cases=$((cases + 1))
}

live cjson-CVE-2025-57052 libcjson_utils.so.1.7.15 lib
live expat-CVE-2024-45490 libexpat.so.1 lib
live giflib-CVE-2026-23868 libgif.so lib
live libxml2-CVE-2025-49794 libxml2.so.2 lib
live yajl-CVE-2022-24795 libyajl.so.2 lib
live lua5.4-CVE-2022-33099 hplua lua
live redis-CVE-2025-32023 redis-server redis
live dnsmasq-CVE-2026-5172 dnsmasq dnsmasq
live rsync-token-harden rsync rsync
live nginx-CVE-2025-23419 nginx nginx
[ "$cases" -gt 0 ] || skip "no case of the corpus has a target here"
