#!/bin/sh
# `hpbuild build --debian-source` on a source package made here: fetched by a stand-in for apt-get, rebuilt by the real dpkg-buildpackage,
# compared with the stripped module that was "shipped", packed; a second fix in the same folder compiles little. The real archives
# are in live/debian-shipped.
. tests/lib/sh
need dpkg-buildpackage dpkg-deb make patch
dpkg-query -W build-essential >/dev/null 2>&1 || skip "build-essential is not installed" # dpkg-buildpackage asks for it
[ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || skip "the keyring of Debian's archive is not installed"

# make_source VERSION COMMAND: the source package and the binary package that is shipped; COMMAND is one more line of the rule that links.
make_source() {
	mkdir -p "$W/tiny-$1/debian/source" "$W/repo-$1"
	cd "$W/tiny-$1"
	cat >lib.c <<'END'
int tiny_limit(int v) { return v > 100 ? 100 : v; }
END
	cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int tiny_limit(int v);
int main(int argc, char **argv) { return printf("%d\n", tiny_limit(atoi(argc > 1 ? argv[1] : "7"))) < 0; }
END
	cat >Makefile <<'END'
CFLAGS = -g -O2 -ffile-prefix-map=$(CURDIR)=.
tiny: main.o lib.o
	$(CC) $(CFLAGS) -Wl,--build-id -o $@ $^
END
	[ -z "$2" ] || printf '\t%s\n' "$2" >>Makefile
	cat >debian/rules <<'END'
#!/usr/bin/make -f
p = debian/tiny
d = debian/tiny-dbgsym
build build-arch:
	$(MAKE)
clean:
	rm -rf *.o tiny $p $d debian/files
binary-arch: build-arch
	mkdir -p $p/usr/bin $p/DEBIAN
	strip -o $p/usr/bin/tiny tiny
	dpkg-gencontrol -ptiny -P$p
	dpkg-deb --root-owner-group -b $p ..
	mkdir -p $d/DEBIAN
	sed 's/^Package: tiny/&-dbgsym/' $p/DEBIAN/control >$d/DEBIAN/control
	f=$$(readelf -n tiny | sed -n 's|.*Build ID: \(..\)|$d/usr/lib/debug/.build-id/\1/|p').debug && \
		mkdir -p $${f%/*} && objcopy --only-keep-debug tiny $$f
	dpkg-deb --root-owner-group -b $d ..
binary: binary-arch
END
	chmod +x debian/rules
	echo '1.0' >debian/source/format
	printf 'Source: tiny\nMaintainer: x <x@example.org>\nStandards-Version: 4.6.2\n\nPackage: tiny\nArchitecture: any\nDescription: x\n' >debian/control
	printf 'tiny (%s) unstable; urgency=low\n\n  * x\n\n -- x <x@example.org>  Tue, 24 Nov 2026 00:00:00 +0000\n' "$1" >debian/changelog
	(cd .. && dpkg-source -b "tiny-$1" && mv tiny_"$1".dsc tiny_"$1".tar.* "repo-$1") >"$W/log" 2>&1 || fail "dpkg-source: $(cat "$W/log")"
	dpkg-buildpackage -B -uc -us -d >"$W/log" 2>&1 || fail "dpkg-buildpackage: $(tail "$W/log")"
	mv ../tiny_"$1"_*.deb "../repo-$1"
	cd "$TOP"
}

mkdir "$W/bin"
cat >"$W/bin/apt-get" <<'END'
#!/bin/sh
for arg; do
	case $arg in
	indextargets) echo 'target Debian|http://archive.example.org/debian|stable|main' ;;
	source | download) verb=$arg ;;
	tiny=*) [ "$verb" = source ] && cp "$REPO-${arg#*=}"/*.dsc "$REPO-${arg#*=}"/*.tar.* . || cp "$REPO-${arg#*=}"/tiny_*.deb . ;;
	esac
done
END
# Not the compiler of the archive's builds, and must not be used.
printf '#!/bin/sh\nexit 1\n' >"$W/bin/cc"
chmod +x "$W/bin/apt-get" "$W/bin/cc"
REPO=$W/repo
export REPO
build() { PATH=$W/bin:$PATH "$hpbuild" build "$@"; }

fix() { # VERSION NUMBER: with the limit NUMBER; messages in $W/err
	printf -- '--- a/lib.c\n+++ b/lib.c\n@@ -1 +1 @@\n-%s100 ? 100%s\n+%s%d ? %d%s\n' 'int tiny_limit(int v) { return v > ' ' : v; }' \
		'int tiny_limit(int v) { return v > ' "$2" "$2" ' : v; }' >"$W/fix.patch"
	build --debian-source "tiny=$1" --dir "$W/dir-$1" --patch "$W/fix.patch" --key "$W/key.key" -o "$W/fix.hpk" >"$W/out" 2>"$W/err" ||
		fail "tiny $1, fix $2: $(cat "$W/err")"
	expect_text "$W/err" "'usr/bin/tiny' of tiny, build ID [0-9a-f]{40}: the rebuild has the same build ID"
	expect_text "$W/err" 'proof: 2 of 2 functions of 2 objects'
	"$hpbuild" verify --trust "$W/key.pub" --baseline "$W/dir-$1/shipped/tiny/usr/bin/tiny" "$W/fix.hpk" >"$W/out" || fail "verify fix $2"
	expect_text "$W/dir-$1/src/lib.c" '100 : v' # the source is as it was
}

"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/out" 2>&1
make_source 1 ''
fix 1 50
expect_text "$W/err" 'original build'
fix 1 20
expect_no_text "$W/err" 'original build|building all'

# Nothing that the patch changes is in a shipped module.
printf -- '--- a/main.c\n+++ b/main.c\n@@ -1,3 +1,4 @@\n+/* only words */\n #include <stdio.h>\n #include <stdlib.h>\n int tiny_limit(int v);\n' >"$W/words.patch"
expect_exit 3 build --debian-source tiny=1 --dir "$W/dir-1" --patch "$W/words.patch" -o "$W/no.hpk" >"$W/out" 2>"$W/err"
[ ! -e "$W/no.hpk" ] || fail 'a package without content'
# The folder of another version.
expect_exit 2 build --debian-source tiny=2 --dir "$W/dir-1" --patch "$W/fix.patch" -o "$W/no.hpk" >"$W/out" 2>"$W/err"
expect_text "$W/err" 'another package or version'

# A tree that cannot be built twice, not even after its own clean (giflib is one): unpacked again for the second build.
make_source 2 'ln -s tiny tiny-link'
fix 2 50
expect_text "$W/err" 'the short second build failed; building all'
fix 2 20
expect_no_text "$W/err" 'original build'
