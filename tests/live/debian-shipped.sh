#!/bin/bash
# long
# limit: 3000
# Binaries that Debian has shipped, stripped: each is rebuilt and proven, gets a package that verifies against it, and some are patched while
# they run: memcached, redis with the fix of its newer version for CVE-2026-25243, and a program with libxml2 and that for CVE-2025-9714.
# Prints a table. Needs root (build dependencies), the archives, and half an hour.
# HP_DEBIAN_DIR: keep the build folders there, which makes the second run short. HP_DEBIAN: which packages (all: a dozen, an hour).
. tests/lib/sh
. tests/lib/live
need apt-get
need dpkg-buildpackage
need python3
can_trace
[ "$(id -u)" -eq 0 ] || skip "root is needed to install build dependencies"
dirs=${HP_DEBIAN_DIR:-$W}
: "${HP_DEBIAN:=memcached redis libxml2 giflib cjson yajl}"
[ "$HP_DEBIAN" != all ] || HP_DEBIAN='memcached redis libxml2 giflib cjson yajl expat xz-utils lua5.4 dnsmasq rsync nginx'
"$hpbuild" keygen --no-passphrase -o "$W/key" >/dev/null 2>&1
HPBUILD_TRUST=$W/key.pub
export HPBUILD_TRUST

# NAME VERSION MODULE: the fix is tests/live/debian/NAME.patch. Of redis, libxml2 and xz-utils there is a newer version, and the fix is from
# that one; the others are up to date and get a small change of ours.
lib=usr/lib/x86_64-linux-gnu
packages() {
	cat <<END
memcached 1.6.18-1 usr/bin/memcached
redis 5:7.0.15-1~deb12u7 usr/bin/redis-check-rdb
libxml2 2.9.14+dfsg-1.3~deb12u4 $lib/libxml2.so.2.9.14
giflib 5.2.1-2.5+deb12u1 $lib/libgif.so.7.2.0
cjson 1.7.15-1+deb12u4 $lib/libcjson.so.1.7.15
yajl 2.1.0-3+deb12u2 $lib/libyajl.so.2.1.0
expat 2.5.0-1+deb12u2 ${lib#usr/}/libexpat.so.1.8.10
xz-utils 5.4.1-1+deb12u1 ${lib#usr/}/liblzma.so.5.4.1
lua5.4 5.4.4-3+deb12u1 usr/bin/lua5.4
dnsmasq 2.90-4~deb12u2 dnsmasq-base:usr/sbin/dnsmasq
rsync 3.2.7-1+deb12u6 usr/bin/rsync
nginx 1.22.1-9+deb12u9 usr/sbin/nginx
END
}

# The shipped file of a module.
shipped() { # NAME MODULE
	case $2 in
	*:*) echo "$dirs/$1/shipped/${2%%:*}/${2#*:}" ;;
	*) echo "$dirs/$1/shipped/"*/"$2" ;;
	esac
}

cat >"$W/row.py" <<'END'
import json, re, sys
name, version, answer, messages = sys.argv[1:]
with open(answer) as f:
    a = json.load(f)
with open(messages) as f:
    text = f.read()
module = re.search(r"^.*'(\S+)' of (\S+), build ID \S+: the rebuild has (.*)\n.*proof: (\d+) of (\d+) functions", text, re.M)
same = "equal" if "same build ID" in module[3] else "other, same bytes" if "same" in module[3] else "differs"
replaced = ", ".join(f["name"] for f in a["replaced"])
print("%-10s %-24s %-18s %5s/%-5s %6d  %s" % (name, version, same, module[4], module[5], a["package_size"], replaced))
END

build() { # NAME VERSION MODULE
	"$hpbuild" build --json --debian-source "$1=$2" --dir "$dirs/$1" --patch "$TOP/tests/live/debian/$1.patch" --install-build-deps --module "$3" \
		--key "$W/key.key" -o "$W/$1.hpk" >"$W/$1.json" 2>"$W/$1.err" || fail "$1: $(tail -n 5 "$W/$1.err" "$W/$1.json")"
	readelf -S "$(shipped "$1" "$3")" | grep -q '\.symtab' && fail "the shipped $1 is not stripped"
	"$hpbuild" verify --baseline "$(shipped "$1" "$3")" "$W/$1.hpk" >"$W/out" || fail "$1: does not verify"
	python3 "$W/row.py" "$1" "$2" "$W/$1.json" "$W/$1.err"
}

apply_to() { # NAME PID
	"$hpbuild" apply --pid "$2" "$W/$1.hpk" >"$W/out" 2>&1 || fail "$1: $(cat "$W/out")"
}

cat >"$W/memcached.py" <<'END'
import socket, sys, time
for _ in range(200):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.05)
s.sendall(b"verbosity 99\r\n")
print(s.recv(200).decode().strip())
END
live_memcached() {
	start "$W/memcached.log" "$1" -u root -s "$W/socket"
	ask() {
		python3 "$W/memcached.py" "$W/socket" >"$W/answer"
		expect_text "$W/answer" "$1"
	}
	ask '^OK$'
	apply_to memcached "$pid"
	ask '^CLIENT_ERROR verbosity level is too high$'
	"$hpbuild" revert --pid "$pid" >"$W/out"
	ask '^OK$'
}

# A dump of the newer version's tests: a zipmap with a length of four bytes in five.
cat >"$W/redis.py" <<'END'
import socket, sys, time
for _ in range(200):
    try:
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.05)
dump = bytes.fromhex("0911 01fe0400000001 00ff00040076616c31ff 0900f9d5a4f77d003f1b".replace(" ", ""))
s.sendall(b"DEL k\r\n")
s.recv(100)
s.sendall(b"*4\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$1\r\n0\r\n$%d\r\n%s\r\n" % (len(dump), dump))
print(s.recv(200).decode().strip())
END
live_redis() {
	cp "$1" "$W/redis-server" # it is one program, which looks at its name
	start "$W/redis.log" "$W/redis-server" --port 0 --unixsocket "$W/redis.socket" --save '' --appendonly no --sanitize-dump-payload no
	ask() {
		python3 "$W/redis.py" "$W/redis.socket" >"$W/answer"
		expect_text "$W/answer" "$1"
	}
	ask '^.OK$'
	apply_to redis "$pid"
	ask '^-ERR Bad data format$'
	"$hpbuild" revert --pid "$pid" >"$W/out"
	ask '^.OK$'
}

# XPath evaluation that enters itself through a function of the application.
live_libxml2() {
	"$CC" -O1 -o "$W/xpath" tests/live/xpath.c -I/usr/include/libxml2 -I"$dirs/libxml2/src/include" \
		-I"$dirs/libxml2/src/builddir/main/include" "$1"
	ulimit -s 1000000
	LD_LIBRARY_PATH=${1%/*} start "$W/xpath.out" "$W/xpath"
	wait_line "$W/xpath.out" '^depth 20000$' 30
	apply_to libxml2 "$pid"
	wait_line "$W/xpath.out" '^depth [0-9]{1,4}$' 30
}

printf '%-10s %-24s %-18s %11s %6s  %s\n' package version 'build ID' proven bytes replaced
for name in $HP_DEBIAN; do
	read -r version module <<END
$(packages | sed -n "s/^$name //p")
END
	build "$name" "$version" "$module"
	if declare -F "live_$name" >/dev/null; then
		"live_$name" "$(shipped "$name" "$module")"
		echo "           patched while it ran"
	fi
done
