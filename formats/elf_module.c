#include "formats/elf_module.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"
#include "formats/elf_dyn.h"
#include "formats/insn_x86.h"

#define RELA_LEN 24u /* Elf64_Rela: offset, info, addend */
#define DYN_LEN 16u  /* Elf64_Dyn: tag, value */

/* What we use of the dynamic section. */
struct dyn {
	uint64_t rela_va, rela_len;
	uint64_t jmprel_va, jmprel_len;
	uint64_t flags, flags_1;
	bool symbolic, bind_now, soname;
};

static void
read_dynamic(const struct hp_elf *elf, struct dyn *dyn)
{
	for (uint32_t i = 0; i < elf->segs_cnt; i++) {
		struct hp_view v;

		if (elf->segs[i].type != PT_DYNAMIC || !hp_elf_bytes_at(elf, elf->segs[i].va, elf->segs[i].file_len, &v))
			continue;
		for (size_t off = 0; off + DYN_LEN <= v.len; off += DYN_LEN) {
			uint64_t tag = hp_le64_get(v.p + off), val = hp_le64_get(v.p + off + 8);

			if (tag == DT_NULL)
				return;
			else if (tag == DT_RELA)
				dyn->rela_va = val;
			else if (tag == DT_RELASZ)
				dyn->rela_len = val;
			else if (tag == DT_JMPREL)
				dyn->jmprel_va = val;
			else if (tag == DT_PLTRELSZ)
				dyn->jmprel_len = val;
			else if (tag == DT_FLAGS)
				dyn->flags = val;
			else if (tag == DT_FLAGS_1)
				dyn->flags_1 = val;
			else if (tag == DT_SYMBOLIC)
				dyn->symbolic = true;
			else if (tag == DT_BIND_NOW)
				dyn->bind_now = true;
			else if (tag == DT_SONAME)
				dyn->soname = true;
		}
		return;
	}
}

static bool
has_seg(const struct hp_elf *elf, uint32_t type)
{
	for (uint32_t i = 0; i < elf->segs_cnt; i++)
		if (elf->segs[i].type == type)
			return true;
	return false;
}

/* Executables and libraries are both ET_DYN nowadays. DF_1_PIE is what current linkers write; an interpreter without a soname is
 * an older PIE; libc.so.6 has an interpreter and a soname, and is a library. */
static enum hp_man_kind
kind_of(const struct hp_elf *elf, const struct dyn *dyn)
{
	if (elf->type == ET_EXEC)
		return HP_MAN_EXEC;
	if ((dyn->flags_1 & DF_1_PIE) != 0 || (has_seg(elf, PT_INTERP) && !dyn->soname))
		return HP_MAN_PIE;
	return HP_MAN_SHARED;
}

static enum hp_slot_kind
slot_kind(uint32_t type)
{
	switch (type) {
	case R_X86_64_GLOB_DAT:
		return HP_SLOT_GLOB_DAT;
	case R_X86_64_JUMP_SLOT:
		return HP_SLOT_JUMP;
	case R_X86_64_64:
		return HP_SLOT_ABS64;
	case R_X86_64_RELATIVE:
		return HP_SLOT_RELATIVE;
	case R_X86_64_IRELATIVE:
		return HP_SLOT_IRELATIVE;
	case R_X86_64_COPY:
		return HP_SLOT_COPY;
	case R_X86_64_TPOFF64:
		return HP_SLOT_TPOFF;
	case R_X86_64_DTPMOD64:
		return HP_SLOT_DTPMOD;
	case R_X86_64_DTPOFF64:
		return HP_SLOT_DTPOFF;
	case R_X86_64_TLSDESC:
		return HP_SLOT_TLSDESC;
	default:
		return HP_SLOT_OTHER;
	}
}

static int
cmp_slot(const void *a, const void *b)
{
	const struct hp_mod_slot *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

/* Versions of the dynamic symbols. */
static int
read_versions(struct hp_module *mod, struct hp_err *err)
{
	struct hp_dyn dyn;
	int r = hp_dyn_open_file(mod->elf, &mod->arena, &dyn, err);

	if (r < 0)
		return r;
	mod->versions = hp_arena_array(&mod->arena, mod->elf->dynsyms_cnt, sizeof(*mod->versions));
	if (mod->versions == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for symbols");
	for (uint32_t i = 0; i < mod->elf->dynsyms_cnt; i++) {
		struct hp_dyn_sym sym = { 0 };

		if (r > 0 && dyn.versym != 0 && hp_dyn_sym_read(&dyn, i, NULL, 0, &sym, err) < 0)
			return hp_err_add(err, "'%s'", hp_esc(mod->elf->path));
		mod->versions[i] = sym.version != NULL ? sym.version : "";
	}
	return 0;
}

static int
add_relas(struct hp_module *mod, struct hp_view v, struct hp_err *err)
{
	const struct hp_elf *elf = mod->elf;

	for (size_t off = 0; off + RELA_LEN <= v.len; off += RELA_LEN) {
		uint64_t info = hp_le64_get(v.p + off + 8);
		uint32_t sym = (uint32_t)(info >> 32);
		struct hp_mod_slot *s = &mod->slots[mod->slots_cnt++];

		if (sym != 0 && sym >= elf->dynsyms_cnt)
			return hp_err_set(err, HP_E_FORMAT, "'%s': dynamic relocation with symbol index %" PRIu32 " >= %" PRIu32,
			                  hp_esc(elf->path), sym, elf->dynsyms_cnt);
		*s = (struct hp_mod_slot){
			.va = hp_le64_get(v.p + off),
			.kind = slot_kind((uint32_t)info),
			.name = sym == 0 ? "" : elf->dynsyms[sym].name,
			.version = sym == 0 ? "" : mod->versions[sym],
			.addend = (int64_t)hp_le64_get(v.p + off + 16),
		};
	}
	return 0;
}

/* Slots come from DT_RELA and DT_JMPREL; some linkers let the first cover the second, such slots are kept once. */
static int
read_slots(struct hp_module *mod, const struct dyn *dyn, struct hp_err *err)
{
	struct hp_view rela = { 0 }, jmprel = { 0 };
	uint32_t n = 0;
	int r;

	if (dyn->rela_len > 0 && !hp_elf_bytes_at(mod->elf, dyn->rela_va, dyn->rela_len, &rela))
		return hp_err_set(err, HP_E_FORMAT, "'%s': DT_RELA lies outside of the file", hp_esc(mod->elf->path));
	if (dyn->jmprel_len > 0 && !hp_elf_bytes_at(mod->elf, dyn->jmprel_va, dyn->jmprel_len, &jmprel))
		return hp_err_set(err, HP_E_FORMAT, "'%s': DT_JMPREL lies outside of the file", hp_esc(mod->elf->path));
	mod->slots = hp_arena_array(&mod->arena, rela.len / RELA_LEN + jmprel.len / RELA_LEN, sizeof(*mod->slots));
	if (mod->slots == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for dynamic relocations");
	r = add_relas(mod, rela, err);
	if (r < 0)
		return r;
	r = add_relas(mod, jmprel, err);
	if (r < 0)
		return r;
	if (mod->slots_cnt > 0)
		qsort(mod->slots, mod->slots_cnt, sizeof(*mod->slots), cmp_slot);
	for (uint32_t i = 0; i < mod->slots_cnt; i++)
		if (n == 0 || mod->slots[n - 1].va != mod->slots[i].va)
			mod->slots[n++] = mod->slots[i];
	mod->slots_cnt = n;
	return 0;
}

/* A static executable's IFUNC slots have no dynamic section; the start code walks .rela.plt itself. Section headers tell. */
static void
find_static_relas(const struct hp_elf *elf, struct dyn *dyn)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		const struct hp_sec *s = &elf->secs[i];

		if (s->type == SHT_RELA && (s->flags & SHF_ALLOC) != 0 && dyn->rela_len == 0 && dyn->jmprel_len == 0) {
			dyn->jmprel_va = s->addr;
			dyn->jmprel_len = s->len;
		}
	}
}

/* lld gathers the entries of IFUNCs in .iplt. */
static bool
is_plt(const struct hp_sec *sec)
{
	return (sec->flags & SHF_EXECINSTR) != 0 && (strncmp(sec->name, ".plt", 4) == 0 || strcmp(sec->name, ".iplt") == 0);
}

/* PLT entries of all kinds (.plt, .plt.sec, .plt.got, with or without endbr64 and bnd) are a few instructions around one
 * `jmp *slot(%rip)`; the first entry of a lazy .plt jumps through a word that no relocation names, so it is none. Static
 * executables do not say how long their entries are: GNU ld's have 8 bytes, lld's 16; a place inside an entry meets no slot. */
static void
scan_plt(struct hp_module *mod, const struct hp_sec *sec)
{
	uint64_t entry_len = sec->entsize == 16 ? 16 : 8;
	struct hp_insn insn;

	for (uint64_t off = 0; off + 6 <= sec->data.len; off += entry_len) {
		for (uint64_t pos = off; pos < off + entry_len && hp_insn_decode(sec->data, pos, &insn); pos += insn.len) {
			const struct hp_mod_slot *slot;

			if (!insn.branch)
				continue;
			slot = insn.rip_rel ? hp_module_slot_at(mod, sec->addr + pos + insn.len + (uint64_t)insn.disp) : NULL;
			if (slot != NULL && !insn.call)
				mod->plts[mod->plts_cnt++] =
					(struct hp_mod_plt){ sec->addr + off, (uint32_t)(slot - mod->slots) };
			break;
		}
	}
}

static int
cmp_plt(const void *a, const void *b)
{
	const struct hp_mod_plt *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static int
read_plts(struct hp_module *mod, struct hp_err *err)
{
	const struct hp_elf *elf = mod->elf;
	uint64_t cap = 0;

	for (uint32_t i = 1; i < elf->secs_cnt; i++)
		if (is_plt(&elf->secs[i]))
			cap += elf->secs[i].data.len / 8 + 1;
	mod->plts = hp_arena_array(&mod->arena, cap, sizeof(*mod->plts));
	if (mod->plts == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for PLT entries");
	for (uint32_t i = 1; i < elf->secs_cnt; i++)
		if (is_plt(&elf->secs[i]))
			scan_plt(mod, &elf->secs[i]);
	if (mod->plts_cnt > 0)
		qsort(mod->plts, mod->plts_cnt, sizeof(*mod->plts), cmp_plt);
	return 0;
}

static int
cmp_sym(const void *a, const void *b)
{
	const struct hp_mod_sym *x = a, *y = b;
	int r;

	if (x->va != y->va)
		return x->va < y->va ? -1 : 1;
	r = strcmp(x->name, y->name);
	if (r != 0)
		return r;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return x->dynamic - y->dynamic;
}

static int
cmp_name(const void *a, const void *b, void *ctx)
{
	const struct hp_mod_sym *syms = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int r = strcmp(syms[x].name, syms[y].name);

	if (r != 0)
		return r;
	return x < y ? -1 : x > y; /* syms are sorted by address */
}

/* "stdout@GLIBC_2.2.5" in a .symtab is the symbol "stdout". */
static const char *
plain_name(struct hp_module *mod, const char *name)
{
	const char *at = strchr(name, '@');

	if (at == NULL || at == name)
		return name;
	return hp_arena_strndup(&mod->arena, name, (size_t)(at - name));
}

static int
add_syms(struct hp_module *mod, const struct hp_elf *elf, const struct hp_sym *syms, uint32_t cnt, bool dynamic,
         struct hp_err *err)
{
	for (uint32_t i = 1; i < cnt; i++) {
		const struct hp_sym *s = &syms[i];
		const char *file = "", *name;
		int r;

		if (s->type == STT_FILE && !dynamic && s->name[0] != '\0') {
			mod->has_files = true;
			r = hp_map_put_str(&mod->files, s->name, 1, err);
			if (r < 0)
				return r;
		}
		if (s->sec_idx == HP_SEC_UNDEF || s->type == STT_SECTION || s->type == STT_FILE || s->name[0] == '\0' ||
		    (s->sec_idx == HP_SEC_ABS && s->value == 0))
			continue;
		mod->has_statics |= !dynamic && s->type == STT_FUNC && s->bind == STB_LOCAL && s->vis == STV_DEFAULT;
		name = plain_name(mod, s->name);
		if (name == NULL)
			return hp_err_set(err, HP_E_NOMEM, "no memory for symbols");
		if (s->file_idx != HP_NONE && s->file_idx < elf->syms_cnt && !dynamic)
			file = elf->syms[s->file_idx].name;
		mod->syms[mod->syms_cnt++] = (struct hp_mod_sym){
			.name = name, .file = file, .va = s->value, .size = s->size,
			.type = s->type, .bind = s->bind, .vis = s->vis, .dynamic = dynamic,
		};
	}
	return 0;
}

static int
sort_syms(struct hp_module *mod, struct hp_err *err)
{
	uint32_t n = 0;

	if (mod->syms_cnt > 0)
		qsort(mod->syms, mod->syms_cnt, sizeof(*mod->syms), cmp_sym);
	for (uint32_t i = 0; i < mod->syms_cnt; i++) {
		const struct hp_mod_sym *s = &mod->syms[i];

		if (n > 0 && mod->syms[n - 1].va == s->va && mod->syms[n - 1].type == s->type &&
		    strcmp(mod->syms[n - 1].name, s->name) == 0)
			continue; /* .symtab comes before .dynsym and knows the file */
		mod->syms[n++] = *s;
	}
	mod->syms_cnt = n;
	mod->by_name = hp_arena_array(&mod->arena, n, sizeof(*mod->by_name));
	if (mod->by_name == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for symbols");
	for (uint32_t i = 0; i < n; i++)
		mod->by_name[i] = i;
	if (n > 0)
		qsort_r(mod->by_name, n, sizeof(*mod->by_name), cmp_name, mod->syms);
	return 0;
}

static int
read_syms(struct hp_module *mod, const struct hp_debug_file *file, struct hp_err *err)
{
	const struct hp_elf *elf = mod->elf, *debug = mod->debug;
	size_t cap = (size_t)elf->syms_cnt + elf->dynsyms_cnt + (debug != NULL ? debug->syms_cnt : 0);
	int r;

	mod->syms = hp_arena_array(&mod->arena, cap, sizeof(*mod->syms));
	if (mod->syms == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for symbols");
	r = add_syms(mod, elf, elf->syms, elf->syms_cnt, false, err);
	if (r < 0)
		return r;
	r = add_syms(mod, elf, elf->dynsyms, elf->dynsyms_cnt, true, err);
	if (r < 0)
		return r;
	if (debug != NULL) {
		r = add_syms(mod, debug, debug->syms, debug->syms_cnt, false, err);
		if (r < 0)
			return r;
	}
	mod->has_symtab = elf->syms_cnt > 1 || (debug != NULL && debug->syms_cnt > 1 && !file->partial);
	mod->symbols = debug != NULL && debug->syms_cnt > 1 ? file->source : elf->syms_cnt > 1 ? "symtab" :
	               elf->dynsyms_cnt > 1 ? "dynsym" : "none";
	for (uint32_t i = 1; i < elf->dynsyms_cnt; i++) {
		const struct hp_sym *s = &elf->dynsyms[i];

		if (s->name[0] == '\0' || s->bind == STB_LOCAL)
			continue;
		r = hp_map_put_str(s->sec_idx == HP_SEC_UNDEF ? &mod->imports : &mod->exports, s->name, i, err);
		if (r < 0)
			return r;
	}
	return sort_syms(mod, err);
}

static int
open_debug(struct hp_module *mod, const struct hp_debug_file *file, struct hp_err *err)
{
	struct hp_view id, wanted;
	int r;

	if (file == NULL)
		return 0;
	wanted = file->id.len > 0 ? file->id : mod->build_id;
	r = hp_elf_open(file->bytes, file->path, &mod->debug, err);
	if (r < 0)
		return hp_err_add(err, "debug file");
	if (!hp_elf_build_id(mod->debug, &id))
		return hp_err_set(err, HP_E_BASELINE, "debug file '%s' has no build ID", hp_esc(file->path));
	if (!hp_view_eq(id, wanted))
		return hp_err_set(err, HP_E_BASELINE, "debug file '%s' belongs to another build of '%s': the build IDs differ",
		                  hp_esc(file->path), hp_esc(mod->elf->path));
	return 0;
}

/* A file that was cut off still has its headers; what it lacks must not look like a module without code or symbols. */
static int
check_whole(const struct hp_elf *elf, struct hp_err *err)
{
	uint64_t shoff = hp_le64_get(elf->file.p + 40), shnum = hp_le16_get(elf->file.p + 60); /* e_shoff, e_shnum */

	for (uint32_t i = 0; i < elf->segs_cnt; i++)
		if (elf->segs[i].type == PT_LOAD && !hp_view_has(elf->file, elf->segs[i].off, elf->segs[i].file_len))
			return hp_err_set(err, HP_E_FORMAT, "'%s': segment %" PRIu32 " ends behind the file: cut off?",
			                  hp_esc(elf->path), i);
	if (shoff != 0 && !hp_view_has(elf->file, shoff, shnum * 64))
		return hp_err_set(err, HP_E_FORMAT, "'%s': section headers lie behind the end of the file: cut off?",
		                  hp_esc(elf->path));
	return 0;
}

static int
open_elf(struct hp_module *mod, struct hp_view file, const char *path, struct hp_err *err)
{
	int r = hp_elf_open(file, path, &mod->elf, err);

	if (r < 0)
		return r;
	if (mod->elf->machine != EM_X86_64 || mod->elf->big_endian)
		return hp_err_set(err, HP_E_ARCH, "'%s': ELF machine %u, only x86-64 is supported", hp_esc(path),
		                  mod->elf->machine);
	if (mod->elf->type != ET_EXEC && mod->elf->type != ET_DYN)
		return hp_err_set(err, HP_E_FORMAT, "'%s' is not an executable or shared library (ELF type %u)", hp_esc(path),
		                  mod->elf->type);
	r = check_whole(mod->elf, err);
	if (r < 0)
		return r;
	if (!hp_elf_build_id(mod->elf, &mod->build_id) || mod->build_id.len > HP_BUILD_ID_LEN_MAX)
		return hp_err_set(err, HP_E_BASELINE, "'%s' has no build ID: link it with --build-id", hp_esc(path));
	return 0;
}

int
hp_module_open(struct hp_view file, const char *path, const struct hp_debug_file *debug, struct hp_module **ret,
               struct hp_err *err)
{
	HP_AUTO(hp_module) struct hp_module *mod = calloc(1, sizeof(*mod));
	struct dyn dyn = { 0 };
	int r;

	if (mod == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory");
	r = open_elf(mod, file, path, err);
	if (r < 0)
		return r;
	r = open_debug(mod, debug, err);
	if (r < 0)
		return r;
	read_dynamic(mod->elf, &dyn);
	find_static_relas(mod->elf, &dyn);
	mod->kind = kind_of(mod->elf, &dyn);
	mod->symbolic = dyn.symbolic || (dyn.flags & DF_SYMBOLIC) != 0;
	mod->bind_now = dyn.bind_now || (dyn.flags & DF_BIND_NOW) != 0 || (dyn.flags_1 & DF_1_NOW) != 0;
	for (uint32_t i = 0; i < mod->elf->segs_cnt; i++)
		if (mod->elf->segs[i].type == PT_TLS)
			mod->tls = &mod->elf->segs[i];
	r = read_versions(mod, err);
	if (r == 0)
		r = read_slots(mod, &dyn, err);
	if (r < 0)
		return r;
	r = read_plts(mod, err);
	if (r < 0)
		return r;
	r = read_syms(mod, debug, err);
	if (r < 0)
		return r;
	*ret = mod;
	mod = NULL;
	return 0;
}

void
hp_module_free(struct hp_module *mod)
{
	if (mod == NULL)
		return;
	hp_map_release(&mod->imports);
	hp_map_release(&mod->exports);
	hp_map_release(&mod->files);
	hp_elf_free(mod->elf);
	hp_elf_free(mod->debug);
	hp_arena_release(&mod->arena);
	free(mod);
}

uint32_t
hp_module_named(const struct hp_module *mod, const char *name, uint32_t *ret_first)
{
	uint32_t lo = 0, hi = mod->syms_cnt, n = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (strcmp(mod->syms[mod->by_name[mid]].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_first = lo;
	while (lo + n < mod->syms_cnt && strcmp(mod->syms[mod->by_name[lo + n]].name, name) == 0)
		n++;
	return n;
}

/* First symbol whose address is not below ${va}. */
static uint32_t
lower_bound(const struct hp_module *mod, uint64_t va)
{
	uint32_t lo = 0, hi = mod->syms_cnt;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (mod->syms[mid].va < va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
hp_module_at(const struct hp_module *mod, uint64_t va, uint32_t *ret_first)
{
	uint32_t first = lower_bound(mod, va), n = 0;

	while (first + n < mod->syms_cnt && mod->syms[first + n].va == va)
		n++;
	*ret_first = first;
	return n;
}

uint64_t
hp_module_next_func(const struct hp_module *mod, uint64_t va)
{
	for (uint32_t i = lower_bound(mod, va + 1); i < mod->syms_cnt; i++) {
		uint8_t t = mod->syms[i].type;

		if (t == STT_FUNC || t == STT_GNU_IFUNC || t == STT_NOTYPE)
			return mod->syms[i].va;
	}
	return UINT64_MAX;
}

const struct hp_mod_slot *
hp_module_slot_at(const struct hp_module *mod, uint64_t va)
{
	struct hp_mod_slot key = { .va = va };

	if (mod->slots_cnt == 0)
		return NULL;
	return bsearch(&key, mod->slots, mod->slots_cnt, sizeof(key), cmp_slot);
}

const struct hp_mod_slot *
hp_module_slot_in(const struct hp_module *mod, uint64_t lo, uint64_t hi)
{
	uint32_t first = 0, cnt = mod->slots_cnt;

	while (cnt > 0) {
		uint32_t half = cnt / 2;

		if (mod->slots[first + half].va < lo) {
			first += half + 1;
			cnt -= half + 1;
		} else {
			cnt = half;
		}
	}
	return first < mod->slots_cnt && mod->slots[first].va < hi ? &mod->slots[first] : NULL;
}

static bool
is_of(const struct hp_mod_slot *s, const char *name, const char *version)
{
	return s->name[0] != '\0' && strcmp(s->name, name) == 0 && (version == NULL || strcmp(s->version, version) == 0);
}

const struct hp_mod_slot *
hp_module_slot_of(const struct hp_module *mod, const char *name, const char *version, enum hp_slot_kind kind)
{
	for (uint32_t i = 0; i < mod->slots_cnt; i++) {
		const struct hp_mod_slot *s = &mod->slots[i];

		if (s->kind == kind && s->addend == 0 && is_of(s, name, version))
			return s;
	}
	return NULL;
}

bool
hp_module_slot_is(const struct hp_mod_slot *slot, const char *name)
{
	const char *at = strchr(name, '@');
	size_t len = at != NULL && at != name ? (size_t)(at - name) : strlen(name);

	if (strncmp(slot->name, name, len) != 0 || slot->name[len] != '\0')
		return false;
	return name[len] == '\0' || strcmp(slot->version, name + len + strspn(name + len, "@")) == 0;
}

const struct hp_mod_plt *
hp_module_plt_at(const struct hp_module *mod, uint64_t va)
{
	struct hp_mod_plt key = { .va = va };

	if (mod->plts_cnt == 0)
		return NULL;
	return bsearch(&key, mod->plts, mod->plts_cnt, sizeof(key), cmp_plt);
}

const struct hp_mod_plt *
hp_module_plt_of(const struct hp_module *mod, const char *name, const char *version)
{
	for (uint32_t i = 0; i < mod->plts_cnt; i++)
		if (is_of(&mod->slots[mod->plts[i].slot_idx], name, version))
			return &mod->plts[i];
	return NULL;
}

const struct hp_sym *
hp_module_import(const struct hp_module *mod, const char *name)
{
	uint64_t idx;

	return hp_map_get_str(&mod->imports, name, &idx) ? &mod->elf->dynsyms[idx] : NULL;
}

bool
hp_module_version_of(const struct hp_module *mod, const char *name, const char **ret)
{
	const char *first = NULL;

	for (uint32_t i = 1; i < mod->elf->dynsyms_cnt; i++) {
		const struct hp_sym *s = &mod->elf->dynsyms[i];

		if (s->sec_idx != HP_SEC_UNDEF || s->bind == STB_LOCAL || strcmp(s->name, name) != 0)
			continue;
		if (first != NULL && strcmp(first, mod->versions[i]) != 0)
			return false;
		first = mod->versions[i];
	}
	if (first == NULL)
		return false;
	*ret = first;
	return true;
}

bool
hp_module_preemptible(const struct hp_module *mod, const char *name)
{
	uint64_t idx;

	if (mod->kind != HP_MAN_SHARED || mod->symbolic || !hp_map_get_str(&mod->exports, name, &idx))
		return false;
	return mod->elf->dynsyms[idx].vis == STV_DEFAULT;
}

bool
hp_module_code_at(const struct hp_module *mod, uint64_t va, uint64_t len, struct hp_view *ret)
{
	const struct hp_seg *seg = hp_elf_seg_at(mod->elf, va, len);

	return seg != NULL && (seg->flags & PF_X) != 0 && hp_elf_bytes_at(mod->elf, va, len, ret);
}
