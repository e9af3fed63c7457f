#!/bin/bash
# long
# limit: 1500
# Binaries that Debian has shipped, stripped, and running: memcached with a fix of a command, and a program with the shipped libxml2 and
# its fix for CVE-2025-9714 from the newer version. Needs root (build dependencies), the archives, and a quarter of an hour.
# HP_DEBIAN_DIR: keep the build folders there, which makes the second run short.
. tests/lib/sh
. tests/lib/live
need apt-get
need dpkg-buildpackage
need python3
can_trace
[ "$(id -u)" -eq 0 ] || skip "root is needed to install build dependencies"
dirs=${HP_DEBIAN_DIR:-$W}
"$hpbuild" keygen --no-passphrase -o "$W/key" >/dev/null 2>&1
HPBUILD_TRUST=$W/key.pub
export HPBUILD_TRUST

# build NAME VERSION PATCH OPTIONS...
build() {
	name=$1 version=$2 patch=$3
	shift 3
	"$hpbuild" build --debian-source "$name=$version" --dir "$dirs/$name" --patch "$patch" --install-build-deps --key "$W/key.key" "$@" \
		-o "$W/$name.hpk" >"$W/$name.out" 2>"$W/$name.err" || fail "$name: $(tail -n 5 "$W/$name.err")"
	grep -E "build ID|proof:" "$W/$name.err"
	cat "$W/$name.out"
}

cat >"$W/memcached.patch" <<'EOF'
--- a/proto_text.c
+++ b/proto_text.c
@@ -2174,7 +2174,11 @@
         out_string(c, "CLIENT_ERROR bad command line format");
         return;
     }
-    settings.verbose = level > MAX_VERBOSITY_LEVEL ? MAX_VERBOSITY_LEVEL : level;
+    if (level > MAX_VERBOSITY_LEVEL) {
+        out_string(c, "CLIENT_ERROR verbosity level is too high");
+        return;
+    }
+    settings.verbose = level;
     out_string(c, "OK");
     return;
 }
EOF
build memcached 1.6.18-1 "$W/memcached.patch"
shipped=$dirs/memcached/shipped/memcached/usr/bin/memcached
readelf -S "$shipped" | grep -q '\.symtab' && fail "the shipped memcached is not stripped"
"$hpbuild" verify --baseline "$shipped" "$W/memcached.hpk" >"$W/out"
cat >"$W/ask.py" <<'EOF'
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
EOF
start "$W/memcached.log" "$shipped" -u root -s "$W/socket"
ask() {
	python3 "$W/ask.py" "$W/socket" >"$W/answer"
	expect_text "$W/answer" "$1"
}
ask '^OK$'
"$hpbuild" apply --pid "$pid" "$W/memcached.hpk"
ask '^CLIENT_ERROR verbosity level is too high$'
"$hpbuild" revert --pid "$pid"
ask '^OK$'

# The recursion that CVE-2025-9714 is about: XPath evaluation that enters itself through a function of the application.
cp tests/live/libxml2-CVE-2025-9714.patch "$W/libxml2.patch"
build libxml2 '2.9.14+dfsg-1.3~deb12u4' "$W/libxml2.patch" --module usr/lib/x86_64-linux-gnu/libxml2.so.2.9.14
lib=$dirs/libxml2/shipped/libxml2/usr/lib/x86_64-linux-gnu
"$hpbuild" verify --baseline "$lib/libxml2.so.2.9.14" "$W/libxml2.hpk" >"$W/out"
"$CC" -O1 -o "$W/xpath" tests/live/xpath.c -I/usr/include/libxml2 -I"$dirs/libxml2/src/include" \
	-I"$dirs/libxml2/src/builddir/main/include" "$lib/libxml2.so.2.9.14"
ulimit -s 1000000
LD_LIBRARY_PATH=$lib start "$W/xpath.out" "$W/xpath"
wait_line "$W/xpath.out" '^depth 20000$' 30
"$hpbuild" apply --pid "$pid" "$W/libxml2.hpk"
wait_line "$W/xpath.out" '^depth [0-9]{1,4}$' 30
