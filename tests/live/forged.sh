#!/bin/sh
# A process that forges records of a package that a cumulative one is to replace: many, and with fewer entries than the package has;
# and one with very many entries. It only makes a mess of itself: hpbuild says what it did, and neither crashes nor hangs.
. tests/lib/sh
. tests/lib/live
can_trace
build_tools
cat >"$W/forger.c" <<'C'
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
int answer(void);
static void forge(unsigned cnt) {
	char line[400], name[64] = "";
	unsigned char *rec = NULL;
	unsigned long start, head = 88, tables, total, pkg;
	unsigned targets, entries, vars;
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), f)) {
		char *p = strstr(line, "/memfd:hpbuild:");
		if (p != NULL && sscanf(line, "%lx", &start) == 1 && sscanf(p, "/memfd:%63s", name) == 1)
			rec = (unsigned char *)start;
	}
	fclose(f);
	memcpy(&total, rec + 16, 8);
	memcpy(&targets, rec + 72, 4);
	memcpy(&entries, rec + 76, 4);
	memcpy(&vars, rec + 80, 4);
	tables = head + targets * 32ul;
	pkg = total - tables - entries * 40ul - vars * 16ul;
	for (unsigned i = 0; i < cnt; i++) {
		int fd = memfd_create(name, 0);
		unsigned char *p;
		unsigned long len = tables + pkg;
		if (ftruncate(fd, (off_t)len) < 0) return;
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		close(fd);
		memcpy(p, rec, tables);
		memcpy(p + tables, rec + total - pkg, pkg);
		memcpy(p + 16, &len, 8);
		memcpy(p + 24, &tables, 8);
		memset(p + 76, 0, 8);
	}
}
/* One of an unknown package with very many entries in a module that is not there. */
static void forge_big(unsigned cnt) {
	unsigned long len = 88 + 32 + cnt * 40ul, tables = len, va = 0x7f0000000000;
	unsigned one = 1, two = 2, applied = 4;
	int fd = memfd_create("hpbuild:00000000000000000000000000000000", 0);
	unsigned char *p;
	if (ftruncate(fd, (off_t)len) < 0) return;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	memcpy(p, "HPRECORD", 8);
	memcpy(p + 8, &two, 4);
	memcpy(p + 12, &applied, 4);
	memcpy(p + 16, &len, 8);
	memcpy(p + 24, &tables, 8);
	memcpy(p + 72, &one, 4);
	memcpy(p + 76, &cnt, 4);
	for (unsigned i = 0; i < cnt; i++, va += 16)
		memcpy(p + 120 + i * 40ul, &va, 8);
}
int main(void) {
	unsigned cnt;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (scanf("%u", &cnt) == 1) {
		if (cnt > 1000) forge_big(cnt);
		else forge(cnt);
		printf("forged %u, answer %d\n", cnt, answer());
	}
	return 0;
}
C
"$CC" -O2 -D_GNU_SOURCE -Wl,--build-id -o "$W/forger" "$W/forger.c" tests/live/answer.c
make_fix "$W/one.hpk" "$W/forger" answer 11
MKFIX_CUMULATIVE=1 make_fix "$W/two.hpk" "$W/forger" answer 22
mkfifo "$W/in"
# shellcheck disable=SC2016
start "$W/got" sh -c 'exec "$0" <"$1"' "$W/forger" "$W/in"
exec 3>"$W/in"
wait_line "$W/got" '^ready' 20
echo 300000 >&3
wait_line "$W/got" '^forged 300000, answer 1$' 20
timeout 60 "$hpbuild" apply --pid "$pid" "$W/one.hpk" >"$W/out" 2>&1 || fail "$(cat "$W/out")"
echo 40 >&3
wait_line "$W/got" '^forged 40, answer 11$' 20
r=0
"$hpbuild" apply --pid "$pid" "$W/two.hpk" >"$W/out" 2>&1 || r=$?
case $r in 0 | 9 | 10) ;; *) fail "exit status $r: $(tail -n 3 "$W/out")" ;; esac
echo 0 >&3
wait_line "$W/got" '^forged 0, answer [12]' 20
