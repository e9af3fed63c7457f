/* The dynamic linker's list of modules in a child: read, against what the dynamic linker says of itself; lists and tables that
 * lie. */
#include "tests/unit/unit.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "applier/linkmap.h"
#include "base/cleanup.h"

enum { FORGED_LEN = 65536 };

/* A child that sleeps, and what is known of it. */
struct child {
	pid_t pid;
	struct hp_proc proc;
	struct hp_arena arena;
	struct hp_areas areas;
	struct hp_modules mods;
};

static void
begin(struct child *c)
{
	struct hp_err err = { 0 };

	*c = (struct child){ .proc = HP_PROC_INIT };
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	assert_fine(hp_proc_open(c->pid, &c->proc, &err), &err);
	assert_fine(hp_proc_maps(&c->proc, &c->arena, &c->areas, &err), &err);
	assert_fine(hp_modules_read(&c->proc, &c->areas, &c->arena, &c->mods, &err), &err);
}

static void
end(struct child *c)
{
	(void)kill(c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	hp_proc_close(&c->proc);
	hp_arena_release(&c->arena);
}

/* The names, as the dynamic linker tells this very program. */
static int
compare(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct hp_linkmap *lm = arg;

	(void)size;
	assert_true(lm->cnt > 0);
	assert_true(lm->v->mod->bias == info->dlpi_addr);
	lm->v++;
	lm->cnt--;
	return 0;
}

static void
expect_symbol(const struct hp_linkmap *lm, const char *name, const char *version)
{
	void *want = version != NULL ? dlvsym(RTLD_DEFAULT, name, version) : dlsym(RTLD_DEFAULT, name);
	struct hp_binding got;
	struct hp_err err = { 0 };
	int r = hp_linkmap_find(lm, 0, name, version, HP_DYN_BIND, &got, &err);

	if (r < 0)
		assert_fine(r, &err);
	/* dlvsym(3) is stricter than a relocation: a library without versions (the sanitizer's) does for the latter. */
	if (r > 0 && version != NULL && got.sym.version == NULL)
		return;
	assert_int_equal(r, want != NULL);
	if (r > 0 && !got.ifunc)
		assert_true(got.va == (uint64_t)(uintptr_t)want);
}

static void
test_real(void **state)
{
	static const char *const names[] = { "malloc", "free", "environ", "strlen", "cmocka_print_error", "main", "_r_debug",
		                             "__no_such_symbol", "_DYNAMIC", "elf_begin", "json_object" };
	struct hp_err err = { 0 };
	struct hp_linkmap lm, walk;
	struct child c;

	(void)state;
	begin(&c);
	assert_fine(hp_linkmap_read(&c.proc, &c.mods, &c.arena, &lm, &err), &err);
	assert_true(hp_linkmap_same(&lm));
	walk = lm;
	(void)dl_iterate_phdr(compare, &walk);
	assert_int_equal(walk.cnt, 0);
	assert_true(lm.startup_cnt + 1 >= lm.cnt); /* all but the vDSO */
	assert_fine(hp_linkmap_check(&lm, 0, &err), &err);
	for (uint32_t i = 1; i < lm.cnt; i++)
		if (!lm.v[i].aside)
			assert_fine(hp_linkmap_check(&lm, i, &err), &err);
	for (size_t i = 0; i < CNT(names); i++)
		expect_symbol(&lm, names[i], NULL);
	expect_symbol(&lm, "memcpy", "GLIBC_2.2.5");
	expect_symbol(&lm, "memcpy", "GLIBC_2.14");
	expect_symbol(&lm, "memcpy", "GLIBC_2.99");
	expect_symbol(&lm, "realpath", "GLIBC_2.2.5");
	expect_symbol(&lm, "realpath", "GLIBC_2.3");
	end(&c);
}

/* Whatever it says, reading ends, and soon. */
static void
try(const struct child *c)
{
	HP_AUTO(hp_arena) struct hp_arena arena = { 0 };
	struct hp_linkmap lm;
	struct hp_binding got;
	uint64_t began = hp_now_ns();
	int r = hp_linkmap_read(&c->proc, &c->mods, &arena, &lm, NULL);

	assert_true(r == 0 || r == HP_E_UNPATCHABLE || r == HP_E_BUSY || r == HP_E_NOMEM);
	for (uint32_t i = 0; r == 0 && i < lm.cnt; i++) {
		int f = hp_linkmap_find(&lm, i, "malloc", i % 2 ? "GLIBC_2.2.5" : NULL, HP_DYN_BIND, &got, NULL);

		assert_true(f <= 1);
		(void)!hp_linkmap_check(&lm, i, NULL);
	}
	assert_true(hp_now_ns() - began < 20000000000u);
}

/* A list made of the true entries, in memory that can be changed: then words of it are. */
static void
test_forged_list(void **state)
{
	struct rnd rnd = rnd_start("forged list");
	uint8_t *forged = mmap(NULL, FORGED_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *copy;
	size_t used = 64;
	struct child c;
	ElfW(Dyn) *dyn = _DYNAMIC;
	uint64_t word;

	(void)state;
	assert_true(forged != MAP_FAILED);
	memcpy(forged, &_r_debug, sizeof(_r_debug));
	((struct r_debug *)(void *)forged)->r_map = (struct link_map *)(void *)(forged + used);
	for (const struct link_map *m = _r_debug.r_map; m != NULL; m = m->l_next) {
		struct link_map *to = (struct link_map *)(void *)(forged + used);

		used += 64;
		assert_true(used < FORGED_LEN);
		*to = *m;
		to->l_next = m->l_next != NULL ? (struct link_map *)(void *)(forged + used) : NULL;
	}
	begin(&c);
	while (dyn->d_tag != DT_DEBUG && dyn->d_tag != DT_NULL)
		dyn++;
	word = (uint64_t)(uintptr_t)forged;
	assert_int_equal(hp_proc_write(&c.proc, (uint64_t)(uintptr_t)&dyn->d_un, &word, sizeof(word), NULL), 0);
	try(&c);
	copy = malloc(used);
	assert_non_null(copy);
	memcpy(copy, forged, used);
	for (unsigned n = 0; n < 400; n++) {
		for (unsigned k = 0; k < 1 + n % 4; k++) {
			uint64_t v = rnd_u64(&rnd) >> rnd_below(&rnd, 64);

			if (rnd_below(&rnd, 2))
				v = (uint64_t)(uintptr_t)(forged + 64 * rnd_below(&rnd, used / 64)); /* a ring, a skip */
			memcpy(forged + 8 * rnd_below(&rnd, used / 8), &v, sizeof(v));
		}
		try(&c);
		memcpy(forged, copy, used);
	}
	free(copy);
	end(&c);
	(void)munmap(forged, FORGED_LEN);
}

/* Dynamic sections and symbol tables of the child's libraries with wrong bytes. */
static void
test_forged_tables(void **state)
{
	struct rnd rnd = rnd_start("forged tables");
	struct child c;

	(void)state;
	begin(&c);
	for (unsigned n = 0; n < 300; n++) {
		const struct hp_module *m = &c.mods.v[rnd_below(&rnd, c.mods.cnt)];
		uint64_t at = rnd_below(&rnd, 3) ? m->dyn_va + rnd_below(&rnd, 512) : m->start + 0x200 + rnd_below(&rnd, 0x2000);
		uint8_t before[8], now[8];

		if (m->dyn_len == 0 || hp_proc_read(&c.proc, at, before, sizeof(before), NULL) < 0)
			continue;
		for (unsigned i = 0; i < 8; i++)
			now[i] = (uint8_t)(rnd_below(&rnd, 3) ? rnd_below(&rnd, 256) : before[i]);
		if (hp_proc_write(&c.proc, at, now, sizeof(now), NULL) < 0)
			continue; /* the vDSO */
		try(&c);
		assert_int_equal(hp_proc_write(&c.proc, at, before, sizeof(before), NULL), 0);
	}
	end(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real), cmocka_unit_test(test_forged_list), cmocka_unit_test(test_forged_tables),
	};

	return cmocka_run_group_tests_name("applier_linkmap", tests, NULL, NULL);
}
