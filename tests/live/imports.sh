#!/bin/sh
# Where new imports can be bound and where not: opened libraries, namespaces, auditors, missing symbols, lists that lie. A refusal names
# its cause, ends with 10 and leaves the process as it was.
. tests/lib/sh
. tests/lib/live
. tests/lib/swap
can_trace
swap_init

# The host opens a library by the wish of its first argument and asks it for answers.
cat >"$W/host.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *storm(void *lib) {
	for (;;) {
		void *h = dlopen(lib, RTLD_NOW);
		usleep(3000);
		dlclose(h);
		usleep(3000);
	}
	return NULL;
}
int main(int argc, char **argv) {
	pthread_t t;
	char line[200], what[100];
	long (*ask)(long) = NULL, n;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "storm") == 0) { pthread_create(&t, NULL, storm, argv[i + 1]); continue; }
		int flags = RTLD_NOW | (strstr(argv[i], "global") ? RTLD_GLOBAL : RTLD_LOCAL) | (strstr(argv[i], "deep") ? RTLD_DEEPBIND : 0);
		void *h = strstr(argv[i], "space") ? dlmopen(LM_ID_NEWLM, argv[i + 1], flags) : dlopen(argv[i + 1], flags);
		if (h == NULL) { printf("%s\n", dlerror()); return 1; }
		if (dlsym(h, "ask") != NULL)
			ask = (long (*)(long))dlsym(h, "ask");
	}
	puts("ready");
	while (fgets(line, sizeof(line), stdin) != NULL && sscanf(line, "%99s %ld", what, &n) == 2) {
		if (strcmp(what, "ask") == 0) printf("ask %ld = %ld\n", n, ask(n));
		if (strcmp(what, "lie") == 0) { /* in its list of modules */
			struct link_map *m = _r_debug.r_map;
			if (n == 1) m->l_next->l_next->l_next = m; /* a ring */
			if (n == 2) m->l_next->l_ld = (void *)16;
			if (n == 3) m->l_next->l_next = (void *)8;
			for (ElfW(Dyn) *d = _DYNAMIC; n == 4 && d->d_tag != DT_NULL; d++)
				if (d->d_tag == DT_DEBUG) ((struct r_debug *)d->d_un.d_ptr)->r_state = RT_ADD;
			if (n == 5) m->l_name = (char *)16;
			for (char **e = environ; n == 6 && *e != NULL; e++) memset(*e, ' ', strlen(*e)); /* how was it started? */
			printf("lied %ld\n", n);
		}
	}
	return 0;
}
C
cat >"$W/plug.c" <<'C'
long base_value(long), fresh_value(long);
__attribute__((noipa)) long ask(long n) {
#ifdef FIX
	return fresh_value(n) + base_value(n);
#else
	return base_value(n);
#endif
}
C
echo 'long base_value(long n) { return n + 1; } long fresh_value(long n) { return n * 100; }' >"$W/dep.c"
echo 'long fresh_value(long n) { return n * 7000; }' >"$W/rival.c"
echo 'long base_value(long n) { return n + 1; }' >"$W/old.c"
echo 'long base_value(long n) { return n + 1; } long fresh_value(long n) { return n * 7000 + 10; }' >"$W/both.c"
cat >"$W/audit.c" <<'C'
unsigned la_version(unsigned v) { return v; }
C
cd "$W"
mkdir orig fixed less
gcc -g -O2 -fPIC -c plug.c -o orig/plug.o
gcc -g -O2 -fPIC -DFIX -c plug.c -o fixed/plug.o
gcc -shared -fPIC -Wl,-soname,libdep.so -o libdep.so dep.c
gcc -shared -fPIC -Wl,-soname,libdep.so -o less/libdep.so old.c
gcc -shared -fPIC -Wl,-soname,librival.so -o librival.so rival.c
gcc -shared -fPIC -o libboth.so both.c
gcc -shared -fPIC -Wl,-z,interpose -o libinter.so both.c
gcc -shared -fPIC -Wl,-f,libboth.so -o libaux.so old.c
gcc -shared -fPIC -o audit.so audit.c
echo 'long bystander(long n) { return n; }' >bystander.c
gcc -shared -fPIC -o libbystander.so bystander.c
gcc -shared -Wl,--build-id -Wl,-rpath,"$W" -o plug.so orig/plug.o -L. -ldep
gcc -shared -Wl,--build-id -Wl,-rpath,"$W" -o fixed.so fixed/plug.o -L. -ldep
gcc -shared -Wl,--build-id -o bare.so orig/plug.o
gcc -O1 -g -o host host.c
gcc -O1 -g -rdynamic -o host-rival host.c rival.c
gcc -O1 -g -o host-linked host.c -Wl,-rpath,"$W" -Wl,--no-as-needed -L. -ldep
cd "$OLDPWD"
make_pkg() { # MODULE OUT ARGS...
	mp_module=$1 mp_out=$2
	shift 2
	"$hpbuild" pack --original "$W/orig" --patched "$W/fixed" --baseline "$mp_module" "$@" -o "$mp_out" >"$W/pack.out" 2>"$W/pack.err" &&
		"$hpbuild" sign -k "$W/key.key" "$mp_out" >/dev/null 2>&1
}
make_pkg "$W/plug.so" "$W/fix.hpk" || fail "$(cat "$W/pack.err")"
"$hpbuild" inspect "$W/fix.hpk" >"$W/out"
expect_text "$W/out" '^    import fresh_value$'

begin() { # PROGRAM ARGS...
	rm -f "$W/pipe" "$W/got"
	mkfifo "$W/pipe"
	# shellcheck disable=SC2016
	start "$W/got" env ${ENV:-A=b} sh -c 'p=$1; shift; exec "$@" <"$p"' sh "$W/pipe" "$@"
	exec 3>"$W/pipe"
	wait_line "$W/got" '^ready' 20
}
answers_to() { # N WANT
	echo "ask $1" >&3
	wait_line "$W/got" "^ask $1 = $2\$" 20
}
end() {
	exec 3>&-
	wait_gone "$pid" 20
}
bound() { # WANT PROGRAM ARGS...: applied twice, reverted in between
	b_want=$1
	shift
	begin "$@"
	answers_to 3 4
	"$hpbuild" apply --dry-run --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$*: $(cat "$W/out")"
	expect_text "$W/out" '^1 import can be bound$'
	for b_i in 1 2; do
		"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$*: $(cat "$W/out")"
		expect_text "$W/out" '^1 import bound$'
		answers_to "3$b_i" "$(eval "echo \$((${b_want} + 3$b_i + 1))" | sed 's/^$/?/')"
		"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$*: $(cat "$W/out")"
		answers_to "4$b_i" "$((40 + b_i + 1))"
	done
	end
}
refused_live() { # STATUS WORDS PROGRAM ARGS...
	rl_status=$1 rl_words=$2
	shift 2
	begin "$@"
	answers_to 3 4
	expect_exit "$rl_status" "$hpbuild" apply --timeout 300 --pid "$pid" "${PKG:-$W/fix.hpk}" >"$W/out" 2>&1
	expect_text "$W/out" "$rl_words"
	! grep -q memfd:hpbuild "/proc/$pid/maps" || fail "a record was left"
	answers_to 5 6
	end
}

# What the module needs itself, from a scope that only it has.
bound '3$b_i * 100' "$W/host" local "$W/plug.so"
bound '3$b_i * 100' "$W/host" global "$W/plug.so"
bound '3$b_i * 100' "$W/host-linked" local "$W/plug.so"
# By hand: the kernel takes the dynamic linker for the program.
ld=$(sed -n 's|.* \(/.*/ld-linux[^ ]*\)$|\1|p' /proc/self/maps | head -n 1)
bound '3$b_i * 100' "$ld" "$W/host" local "$W/plug.so"
bound '3$b_i * 100' "$ld" "$W/host-linked" local "$W/plug.so"
bound '3$b_i * 7000 + 10' "$ld" --preload "$W/libboth.so" "$W/host-linked" local "$W/plug.so"
refused_live 10 'has an auditor' "$ld" --audit "$W/audit.so" "$W/host" local "$W/plug.so"
# The preload comes first, unless with RTLD_DEEPBIND; a slot of the module tells, if it has one that matters.
ENV="LD_PRELOAD=$W/libboth.so" bound '3$b_i * 7000 + 10' "$W/host-linked" local "$W/plug.so"
ENV="LD_PRELOAD=$W/libboth.so" refused_live 10 'was opened with RTLD_DEEPBIND' "$W/host-linked" deep "$W/plug.so"
ENV="LD_PRELOAD=$W/librival.so" refused_live 10 "'fresh_value' cannot be bound: .*RTLD_DEEPBIND" "$W/host-linked" local "$W/plug.so"
ENV="LD_BIND_NOW=1" bound '3$b_i * 100' "$W/host-linked" local "$W/plug.so"
# The fixed build agrees.
begin "$W/host" local "$W/fixed.so"
answers_to 3 304
end
ENV="LD_PRELOAD=$W/librival.so" begin "$W/host-linked" local "$W/fixed.so"
answers_to 3 21004
end

# Two candidates, and no way to know which comes first.
refused_live 10 "'fresh_value' cannot be bound: module '.*' defines it, and another" "$W/host" global "$W/librival.so" local "$W/plug.so"
refused_live 10 "'fresh_value' cannot be bound: .*RTLD_DEEPBIND" "$W/host-rival" local "$W/plug.so"
refused_live 10 "'fresh_value' cannot be bound: .*RTLD_DEEPBIND" "$W/host-rival" deep "$W/plug.so"
# Another namespace; an auditor.
refused_live 10 "not in the dynamic linker's first list" "$W/host" space "$W/plug.so"
ENV="LD_AUDIT=$W/audit.so" refused_live 10 'auditor .LD_AUDIT' "$W/host" local "$W/plug.so"
ENV="LD_AUDIT=$W/audit.so" begin "$W/host" local "$W/plug.so"
echo 'lie 6' >&3
wait_line "$W/got" '^lied 6' 20
expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1
expect_text "$W/out" 'auditor .a module with la_version'
answers_to 3 4
end
# Rules of its own.
ENV="LD_DYNAMIC_WEAK=1" refused_live 10 'LD_DYNAMIC_WEAK' "$W/host" local "$W/plug.so"
ENV="LD_PRELOAD=$W/libinter.so" refused_live 10 'libinter.so. is a filter or interposer' "$W/host" local "$W/plug.so"
ENV="LD_LIBRARY_PATH=$W LD_PRELOAD=$W/libaux.so" refused_live 10 'libaux.so. is a filter or interposer' "$W/host" local "$W/plug.so"
refused_live 10 'is loaded twice' "$W/host" local "$W/plug.so" space "$W/plug.so"
# The library that runs is older than the one that the package was made with.
ENV="LD_LIBRARY_PATH=$W/less" refused_live 10 "import 'fresh_value': no module in the scope of 'plug.so' defines it" "$W/host" local \
	"$W/plug.so"

# Lies in the list of modules, and a list that is being changed.
for lie in 1 2 3 5; do
	begin "$W/host" local "$W/plug.so"
	echo "lie $lie" >&3
	wait_line "$W/got" "^lied $lie" 20
	expect_exit 10 "$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1
	expect_text "$W/out" 'new imports cannot be bound'
	answers_to 3 4
	exec 3>&-
	kill -KILL "$pid"
done
begin "$W/host" local "$W/plug.so"
echo 'lie 4' >&3
wait_line "$W/got" '^lied 4' 20
expect_exit 9 "$hpbuild" apply --timeout 200 --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1
expect_text "$W/out" 'keeps loading or unloading libraries'
answers_to 3 4
end

# Started with the package: bound before the first instruction of the program, preloads included.
cat >"$W/user.c" <<'C'
#include <stdio.h>
long ask(long);
static long early;
__attribute__((constructor)) static void init(void) { early = ask(3); }
int main(void) { printf("%ld %ld\n", early, ask(3)); return 0; }
C
gcc -O1 -o "$W/user" "$W/user.c" "$W/plug.so" -Wl,-rpath,"$W"
"$hpbuild" run --package "$W/fix.hpk" -- "$W/user" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
expect_text "$W/out" '^304 304$'
case $B in
*-san*) ;; # sanitizers want to be loaded first
*)
	LD_PRELOAD=$W/libboth.so "$hpbuild" run --package "$W/fix.hpk" -- "$W/user" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
	expect_text "$W/out" '^21014 21014$'
	;;
esac
LD_LIBRARY_PATH=$W/less expect_exit 10 "$hpbuild" run --package "$W/fix.hpk" -- "$W/user" >"$W/out" 2>&1
expect_text "$W/out" "import 'fresh_value': no module in the scope"

# Libraries come and go while it is looked up.
begin "$W/host" local "$W/plug.so" storm "$W/libbystander.so"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	"$hpbuild" apply --pid "$pid" "$W/fix.hpk" >"$W/out" 2>&1 || fail "$i: $(cat "$W/out")"
	"$hpbuild" revert --pid "$pid" >"$W/out" 2>&1 || fail "$i: $(cat "$W/out")"
done
answers_to 3 4
end
