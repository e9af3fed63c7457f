#!/bin/sh
# limit: 400
# Output files are the old ones or the new ones: killed at every system call that opens, writes, syncs, renames or closes; each of
# these failing; a limit on file sizes; a full file system.
. tests/lib/sh
. tests/lib/real-package
need strace gcc
strace -o "$W/trace" true 2>/dev/null || skip 'ptrace not permitted'
unset HPBUILD_TRUST
export ASAN_OPTIONS=detect_leaks=0:exitcode=99
make_objects "$W"
cd "$W"
for k in a b; do "$hpbuild" keygen --no-passphrase -o $k >/dev/null; done
pack_objects . unsigned.hpk
calls='openat write fsync fchmod rename renameat2 close unlink mkdir'
tried=0

# Each job works in the fresh folder `d` and has the files old/FILE (before; may be absent) and new/FILE (after).
job() { # NAME FILE COMMAND...
	name=$1 file=$2
	shift 2
	rm -rf old new && mkdir old new
	prepare old && prepare new
	(cd new && "$@" >/dev/null 2>&1) || fail "$name fails undisturbed"
	! cmp -s "old/$file" "new/$file" || fail "$name changes nothing"
	fresh
	(cd d && strace -f -qq -o ../trace -e trace="$(echo $calls | tr ' ' ,)" "$@" >/dev/null 2>&1) || fail "$name under strace"
	for call in $calls; do
		cnt=$(grep -c "^[0-9]* *$call(" trace || :)
		n=0
		while [ "$n" -lt "$cnt" ]; do
			n=$((n + 1))
			for how in signal=KILL error=ENOSPC error=EIO; do
				case $call:$how in
				close:error*) continue ;; # the kernel has closed it all the same
				openat:error*) [ "$n" -gt $((cnt - 6)) ] || continue ;; # the dynamic linker's are not ours
				esac
				disturb "$name" "$file" "$call" "$how" "$n" "$@"
			done
		done
	done
}

fresh() {
	rm -rf d && mkdir d && prepare d
}

disturb() { # NAME FILE CALL HOW N COMMAND...
	dis_name=$1 dis_file=$2 dis_call=$3 dis_how=$4 dis_n=$5
	shift 5
	fresh
	dis_status=0
	{ (cd d && strace -f -qq -o ../trace2 -e trace="$dis_call" -e inject="$dis_call:$dis_how:when=$dis_n" "$@" >/dev/null 2>&1) || dis_status=$?; } 2>/dev/null
	tried=$((tried + 1))
	whole "$dis_name, $dis_call $dis_n $dis_how" "$dis_file"
	[ $dis_status -ne 0 ] || cmp -s "d/$dis_file" "new/$dis_file" || fail "$dis_name, $dis_call $dis_n $dis_how: status 0, yet nothing done"
	# Only a kill may leave a temporary file behind.
	case $dis_how in error*) [ -z "$(find d -name '*.tmp')" ] || [ "$dis_call" = unlink ] || fail "$dis_name, $dis_call $dis_n $dis_how: a temporary file is left" ;; esac
}

whole() { # WHAT FILE
	if [ -e "d/$2" ]; then
		cmp -s "d/$2" "new/$2" || { [ -e "old/$2" ] && cmp -s "d/$2" "old/$2"; } || fail "$1: $2 is neither the old nor the new one"
	else
		[ ! -e "old/$2" ] || fail "$1: $2 is gone"
	fi
}

prepare() { cp unsigned.hpk "$1/p.hpk"; }
job sign p.hpk "$hpbuild" sign -q --key "$W/a.key" p.hpk
prepare() { cp unsigned.hpk "$1/p.hpk" && rm -f "$1/p.sig"; }
job minisig p.sig "$hpbuild" sign -q --key "$W/a.key" --minisig p.sig p.hpk
prepare() { mkdir "$1/ring" && cp a.pub "$1/ring/a.pub"; }
job revoke ring/revoked.keys "$hpbuild" key revoke -q --keyring ring "$W/b.pub"
job trust "ring/$(sed -n '1s/.* //p' b.pub).pub" "$hpbuild" key trust -q --keyring ring "$W/b.pub"
prepare() { ln -s "$W/orig" "$W/patched" "$W/prog" "$1/" && echo old >"$1/o.hpk"; }
job pack o.hpk "$hpbuild" pack -q -j 1 --original orig --patched patched --baseline prog -o o.hpk
echo "$tried times disturbed: always the old file or the new one"

# A pair of keys: both files or none that is in the way of a second try, and never a readable secret.
rm -rf d && mkdir d
for call in openat write fsync fchmod renameat2 rename; do
	n=1
	while [ $n -le 12 ]; do
		rm -rf d && mkdir d
		(cd d && strace -f -qq -o ../trace2 -e trace=$call -e inject=$call:error=ENOSPC:when=$n "$hpbuild" keygen --no-passphrase -o k >/dev/null 2>&1) && s=0 || s=$?
		case $s in
		0) [ -e d/k.key ] && [ -e d/k.pub ] || fail "keygen, $call $n: status 0 without both keys" ;;
		*) [ ! -e d/k.pub ] || [ -e d/k.key ] || fail "keygen, $call $n: a public key without its secret" ;;
		esac
		[ -z "$(find d -type f -perm /077 ! -name '*.pub' ! -name '*.tmp')" ] || fail "keygen, $call $n: the secret key can be read by others"
		n=$((n + 1))
	done
done

# File size limit: of one block of 512 bytes less than the package needs, with and without the signal.
blocks=$((($(stat -c %s unsigned.hpk) + 71) / 1024))
for trap in '' 'trap "" XFSZ;'; do
	cp unsigned.hpk lim.hpk
	s=0
	bash -c "$trap ulimit -f $blocks; exec \"\$@\"" sh "$hpbuild" sign -q --key a.key lim.hpk 2>err || s=$?
	[ $s -ne 0 ] || fail 'signed in spite of the limit'
	cmp lim.hpk unsigned.hpk || fail 'the limit damaged the package'
done

# A full file system.
cat >full.sh <<'END2'
set -e
mkdir -p small
mount -t tmpfs -o size=64k tmpfs small
cp unsigned.hpk small/p.hpk
cat /dev/zero >small/fill 2>/dev/null || :
s=0
"$1" sign -q --key a.key small/p.hpk 2>err || s=$?
cat err
echo "status $s"
cmp small/p.hpk unsigned.hpk
[ -z "$(find small -name '*.tmp')" ]
rm small/fill
"$1" sign -q --key a.key small/p.hpk
! cmp -s small/p.hpk unsigned.hpk
umount small
END2
if unshare -m true 2>/dev/null; then
	unshare -m sh full.sh "$hpbuild" >out 2>&1 || fail "full file system: $(cat out)"
	expect_text out 'No space left on device'
	expect_text out '^status 1$'
else
	echo 'no mount namespace: a full file system was not tried'
fi
