#!/bin/sh
# `hpbuild build --debian-source` when the fix is in several shipped modules of one package: a program, its library, and a program that
# was linked with the library's objects. One --module is a package for it, several are one package; none is a question.
. tests/lib/sh
need dpkg-buildpackage dpkg-deb make patch
dpkg-query -W build-essential >/dev/null 2>&1 || skip "build-essential is not installed" # dpkg-buildpackage asks for it
[ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || skip "the keyring of Debian's archive is not installed"

mkdir -p "$W/duo-1/debian/source" "$W/repo" "$W/bin"
cd "$W/duo-1"
cat >lib.c <<'END'
int duo_limit(int v)
{
	unsigned sum = 17;
	for (int i = 0; i < v; i++)
		sum = sum * 33 ^ (unsigned)i * 5;
	return sum > 100 ? 100 : (int)sum;
}
END
cat >main.c <<'END'
int duo_limit(int v);
__attribute__((noinline)) static int step(int v)
{
	int sum = 3;
	for (int i = 1; i < v; i++)
		sum = sum * 77 + (i ^ 1234) + duo_limit(i);
	return sum + 5;
}
int main(int argc, char **argv) { (void)argv; return step(argc) * 2; }
END
cat >stat.c <<'END'
int duo_limit(int v);
int main(int argc, char **argv) { (void)argv; return duo_limit(argc) ^ 1; }
END
cat >Makefile <<'END'
CFLAGS = -g -O2 -fPIC -ffile-prefix-map=$(CURDIR)=.
all: duo duostat
libduo.so: lib.o
	$(CC) $(CFLAGS) -shared -Wl,--build-id -o $@ $^
duo: main.o libduo.so
	$(CC) $(CFLAGS) -Wl,--build-id -o $@ $^
duostat: stat.o lib.o
	$(CC) $(CFLAGS) -Wl,--build-id -o $@ $^
END
cat >debian/rules <<'END'
#!/usr/bin/make -f
p = debian/duo
build build-arch:
	$(MAKE)
clean:
	rm -rf *.o *.so duo duostat $p debian/files
binary-arch: build-arch
	mkdir -p $p/usr/bin $p/usr/lib $p/DEBIAN
	strip -o $p/usr/bin/duo duo
	strip -o $p/usr/bin/duostat duostat
	strip -o $p/usr/lib/libduo.so libduo.so
	dpkg-gencontrol -pduo -P$p
	dpkg-deb --root-owner-group -b $p ..
binary: binary-arch
END
chmod +x debian/rules
echo '1.0' >debian/source/format
printf 'Source: duo\nMaintainer: x <x@example.org>\nStandards-Version: 4.6.2\n\nPackage: duo\nArchitecture: any\nDescription: x\n' >debian/control
printf 'duo (1) unstable; urgency=low\n\n  * x\n\n -- x <x@example.org>  Tue, 24 Nov 2026 00:00:00 +0000\n' >debian/changelog
(cd .. && dpkg-source -b duo-1 && mv duo_1.dsc duo_1.tar.* repo) >"$W/log" 2>&1 || fail "dpkg-source: $(cat "$W/log")"
dpkg-buildpackage -B -uc -us -d >"$W/log" 2>&1 || fail "dpkg-buildpackage: $(tail "$W/log")"
mv ../duo_1_*.deb ../repo
cd "$TOP"
cat >"$W/bin/apt-get" <<'END'
#!/bin/sh
for arg; do
	case $arg in
	indextargets) echo 'target Debian|http://archive.example.org/debian|stable|main' ;;
	source | download) verb=$arg ;;
	duo=*) [ "$verb" = source ] && cp "$REPO"/*.dsc "$REPO"/*.tar.* . || cp "$REPO"/duo_*.deb . ;;
	esac
done
END
chmod +x "$W/bin/apt-get"
REPO=$W/repo PATH=$W/bin:$PATH
export REPO PATH
cat >"$W/fix.patch" <<'END'
--- a/lib.c
+++ b/lib.c
@@ -3,5 +3,5 @@
 	unsigned sum = 17;
 	for (int i = 0; i < v; i++)
 		sum = sum * 33 ^ (unsigned)i * 5;
-	return sum > 100 ? 100 : (int)sum;
+	return sum > 50 ? 50 : (int)sum;
 }
--- a/main.c
+++ b/main.c
@@ -5,5 +5,5 @@
 	for (int i = 1; i < v; i++)
 		sum = sum * 77 + (i ^ 1234) + duo_limit(i);
-	return sum + 5;
+	return sum + 6;
 }
 int main(int argc, char **argv) { (void)argv; return step(argc) * 2; }
END

"$hpbuild" keygen --no-passphrase -o "$W/key" >"$W/out" 2>&1
build() {
	"$hpbuild" build --debian-source duo=1 --dir "$W/dir" --patch "$W/fix.patch" --key "$W/key.key" -o "$W/fix.hpk" "$@" >"$W/out" 2>"$W/err"
}
expect_exit 2 build
expect_text "$W/err" 'the changed objects are in 3 modules \(listed above\): choose with --module; several make one package'
expect_text "$W/err" "'usr/lib/libduo.so' of duo, build ID"
[ ! -e "$W/fix.hpk" ] || fail 'a package was written'
expect_exit 2 build --module usr/bin/nothing
expect_text "$W/err" "no shipped module is called 'usr/bin/nothing'"

build --module usr/bin/duo --module /usr/lib/libduo.so || fail "two modules: $(cat "$W/err")"
expect_text "$W/err" '2 of 2 changed objects are in them'
shipped=$W/dir/shipped/duo/usr
"$hpbuild" verify --trust "$W/key.pub" --baseline "$shipped/bin/duo" --baseline "$shipped/lib/libduo.so" "$W/fix.hpk" >"$W/out"
expect_no_text "$W/out" 'NOT checked'
"$hpbuild" inspect --trust "$W/key.pub" "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '^baseline  *duo 1$'
[ "$(grep -c '^target' "$W/out")" -eq 2 ] || fail "targets: $(cat "$W/out")"

build --module usr/bin/duostat || fail "one module: $(cat "$W/err")"
"$hpbuild" verify --trust "$W/key.pub" --baseline "$shipped/bin/duostat" "$W/fix.hpk" >"$W/out"
sed -i '1,9d' "$W/fix.patch" # main.c alone
expect_exit 5 build --module usr/bin/duo --module usr/bin/duostat
expect_text "$W/err" "none of the changed objects is part of 'usr/bin/duostat'"
build || fail "the one module that it is in: $(cat "$W/err")"
"$hpbuild" verify --trust "$W/key.pub" --baseline "$shipped/bin/duo" "$W/fix.hpk" >"$W/out"
