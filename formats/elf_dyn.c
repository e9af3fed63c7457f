#include "formats/elf_dyn.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/le.h"
#include "formats/elf_file.h"
#include "formats/limits.h"

enum { DYN_LEN = 16, SYM_LEN = 24, DYN_MAX = 4096, NEEDED_MAX = 4096, VERSIONS_MAX = 16384, CHAIN_MAX = 1 << 20 };
#define VER_HIDDEN 0x8000u

/* What hp_dyn_open() carries around. */
struct opening {
	struct hp_dyn dyn;
	struct hp_arena *arena;
	uint64_t verdef, verdef_cnt, verneed, verneed_cnt;
	uint64_t needed_off[NEEDED_MAX];
	uint64_t soname_off, rpath_off, runpath_off; /* UINT64_MAX = none */
	struct hp_err *err;
};

static bool
get(const struct hp_dyn *dyn, uint64_t va, void *buf, size_t len)
{
	const struct hp_dyn_mem *m = &dyn->mem;

	return va >= m->start && va <= m->end && len <= m->end - va && m->read(m->arg, va, buf, len);
}

static bool
get_u32(const struct hp_dyn *dyn, uint64_t va, uint32_t *ret)
{
	uint8_t b[4];

	if (!get(dyn, va, b, sizeof(b)))
		return false;
	*ret = hp_le32_get(b);
	return true;
}

/* glibc writes addresses into the dynamic section of a process where the file has p_vaddr, musl and the vDSO do not. */
static uint64_t
where(const struct hp_dyn *dyn, uint64_t v)
{
	const struct hp_dyn_mem *m = &dyn->mem;

	return v >= m->start && v < m->end ? v : m->bias + v;
}

static int
broken(struct hp_err *err, const char *what)
{
	return hp_err_set(err, HP_E_FORMAT, "dynamic section: %s", what);
}

/* The string at ${off}: cut to cap - 1 bytes. */
static bool
get_str(const struct hp_dyn *dyn, uint64_t off, char *buf, size_t cap)
{
	size_t n = 0;

	if (cap == 0 || off >= dyn->strtab_len)
		return false;
	while (n + 1 < cap) {
		uint64_t left = dyn->strtab_len - off - n;
		size_t len = cap - 1 - n < 64 ? cap - 1 - n : 64;
		const void *end;

		if (left < len)
			len = (size_t)left;
		if (len == 0 || !get(dyn, dyn->strtab + off + n, buf + n, len))
			return false;
		end = memchr(buf + n, 0, len);
		if (end != NULL)
			return true;
		n += len;
	}
	buf[n] = '\0';
	return true;
}

static int
keep_str(struct opening *o, uint64_t off, const char **ret)
{
	char buf[HP_NAME_LEN_MAX + 1];

	if (!get_str(&o->dyn, off, buf, sizeof(buf)))
		return broken(o->err, "a name lies outside of the string table");
	*ret = hp_arena_strdup(o->arena, buf);
	return *ret == NULL ? hp_err_set(o->err, HP_E_NOMEM, "no memory") : 0;
}

static void
take_table(struct hp_dyn *dyn, int64_t tag, uint64_t val)
{
	switch (tag) {
	case DT_SYMTAB:
		dyn->symtab = where(dyn, val);
		break;
	case DT_STRTAB:
		dyn->strtab = where(dyn, val);
		break;
	case DT_STRSZ:
		dyn->strtab_len = val;
		break;
	case DT_GNU_HASH:
		dyn->gnu.va = where(dyn, val);
		break;
	case DT_HASH:
		dyn->sysv.va = where(dyn, val);
		break;
	case DT_VERSYM:
		dyn->versym = where(dyn, val);
		break;
	case DT_RELA:
		dyn->rela = where(dyn, val);
		break;
	case DT_RELASZ:
		dyn->rela_len = val;
		break;
	case DT_JMPREL:
		dyn->jmprel = where(dyn, val);
		break;
	case DT_PLTRELSZ:
		dyn->jmprel_len = val;
		break;
	default:
		break;
	}
}

static int
take(struct opening *o, int64_t tag, uint64_t val)
{
	struct hp_dyn *dyn = &o->dyn;

	switch (tag) {
	case DT_NEEDED:
		if (dyn->needed_cnt == NEEDED_MAX)
			return hp_err_set(o->err, HP_E_LIMIT, "more than %d needed libraries", NEEDED_MAX);
		o->needed_off[dyn->needed_cnt++] = val;
		break;
	case DT_SONAME:
		o->soname_off = val;
		break;
	case DT_RPATH:
		o->rpath_off = val;
		break;
	case DT_RUNPATH:
		o->runpath_off = val;
		break;
	case DT_SYMBOLIC:
		dyn->symbolic = true;
		break;
	case DT_FLAGS:
		dyn->symbolic = dyn->symbolic || (val & DF_SYMBOLIC) != 0;
		break;
	case DT_FLAGS_1:
		dyn->flags_1 = val;
		break;
	case DT_DEBUG:
		dyn->debug = val;
		break;
	case DT_FILTER:
	case DT_AUXILIARY:
		dyn->filter = true;
		break;
	case DT_AUDIT:
	case DT_DEPAUDIT:
		dyn->audit = true;
		break;
	case DT_VERDEF:
		o->verdef = where(dyn, val);
		break;
	case DT_VERDEFNUM:
		o->verdef_cnt = val;
		break;
	case DT_VERNEED:
		o->verneed = where(dyn, val);
		break;
	case DT_VERNEEDNUM:
		o->verneed_cnt = val;
		break;
	default:
		take_table(dyn, tag, val);
		break;
	}
	return 0;
}

static int
read_entries(struct opening *o, uint64_t dyn_va, uint64_t dyn_len)
{
	for (uint64_t off = 0; off + DYN_LEN <= dyn_len && off < DYN_MAX * DYN_LEN; off += DYN_LEN) {
		uint8_t e[DYN_LEN];
		int r;

		if (!get(&o->dyn, dyn_va + off, e, sizeof(e)))
			return broken(o->err, "it cannot be read");
		if (hp_le64_get(e) == DT_NULL)
			return 0;
		r = take(o, (int64_t)hp_le64_get(e), hp_le64_get(e + 8));
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_strings(struct opening *o)
{
	struct hp_dyn *dyn = &o->dyn;
	int r = 0;

	dyn->needed = hp_arena_array(o->arena, dyn->needed_cnt, sizeof(*dyn->needed));
	if (dyn->needed == NULL)
		return hp_err_set(o->err, HP_E_NOMEM, "no memory");
	for (uint32_t i = 0; i < dyn->needed_cnt && r == 0; i++)
		r = keep_str(o, o->needed_off[i], &dyn->needed[i]);
	if (r == 0 && o->soname_off != UINT64_MAX)
		r = keep_str(o, o->soname_off, &dyn->soname);
	if (r == 0 && o->rpath_off != UINT64_MAX)
		r = keep_str(o, o->rpath_off, &dyn->rpath);
	if (r == 0 && o->runpath_off != UINT64_MAX)
		r = keep_str(o, o->runpath_off, &dyn->runpath);
	return r;
}

static int
read_hashes(struct opening *o)
{
	struct hp_dyn *dyn = &o->dyn;
	struct hp_dyn_gnu *g = &dyn->gnu;
	struct hp_dyn_sysv *s = &dyn->sysv;

	if (g->va != 0 && (!get_u32(dyn, g->va, &g->buckets_cnt) || !get_u32(dyn, g->va + 4, &g->first_sym) ||
	                   !get_u32(dyn, g->va + 8, &g->bloom_cnt) || !get_u32(dyn, g->va + 12, &g->shift)))
		return broken(o->err, "DT_GNU_HASH cannot be read");
	/* The C library masks with bloom_cnt - 1 and shifts without asking. */
	if (g->va != 0 && g->buckets_cnt != 0 && (g->bloom_cnt == 0 || (g->bloom_cnt & (g->bloom_cnt - 1)) != 0 || g->shift > 31))
		return broken(o->err, "DT_GNU_HASH is malformed");
	if (s->va != 0 && (!get_u32(dyn, s->va, &s->buckets_cnt) || !get_u32(dyn, s->va + 4, &s->chains_cnt)))
		return broken(o->err, "DT_HASH cannot be read");
	return 0;
}

static int
note_version(struct opening *o, unsigned idx, uint32_t name_off)
{
	const char **v = o->dyn.versions;

	idx &= ~VER_HIDDEN;
	if (idx >= VERSIONS_MAX)
		return broken(o->err, "a version index is out of range");
	if (idx >= o->dyn.versions_cnt)
		o->dyn.versions_cnt = idx + 1;
	return keep_str(o, name_off, &v[idx]);
}

/* Elf64_Verdef: u16 version, flags, ndx, cnt; u32 hash, aux, next. Elf64_Verdaux: u32 name, next. The first name is the version.
 */
static int
read_verdefs(struct opening *o)
{
	uint64_t va = o->verdef;

	for (uint64_t i = 0; va != 0 && i < o->verdef_cnt && i < VERSIONS_MAX; i++) {
		uint8_t d[20];
		uint32_t name;
		int r = 0;

		if (!get(&o->dyn, va, d, sizeof(d)) || !get_u32(&o->dyn, va + hp_le32_get(d + 12), &name))
			return broken(o->err, "DT_VERDEF cannot be read");
		if ((hp_le16_get(d + 2) & VER_FLG_BASE) == 0)
			r = note_version(o, hp_le16_get(d + 4), name);
		if (r < 0 || hp_le32_get(d + 16) == 0)
			return r;
		va += hp_le32_get(d + 16);
	}
	return 0;
}

/* Elf64_Verneed: u16 version, cnt; u32 file, aux, next. Elf64_Vernaux: u32 hash; u16 flags, other; u32 name, next. */
static int
read_verneeds(struct opening *o)
{
	uint64_t va = o->verneed, left = VERSIONS_MAX;

	for (uint64_t i = 0; va != 0 && i < o->verneed_cnt && i < VERSIONS_MAX; i++) {
		uint8_t n[16], a[16];
		uint64_t aux;

		if (!get(&o->dyn, va, n, sizeof(n)))
			return broken(o->err, "DT_VERNEED cannot be read");
		aux = va + hp_le32_get(n + 8);
		for (unsigned k = 0; k < hp_le16_get(n + 2); k++) {
			int r;

			if (left-- == 0 || !get(&o->dyn, aux, a, sizeof(a)))
				return broken(o->err, "DT_VERNEED cannot be read");
			r = note_version(o, hp_le16_get(a + 6), hp_le32_get(a + 8));
			if (r < 0)
				return r;
			if (hp_le32_get(a + 12) == 0)
				break;
			aux += hp_le32_get(a + 12);
		}
		if (hp_le32_get(n + 12) == 0)
			break;
		va += hp_le32_get(n + 12);
	}
	return 0;
}

static int
read_versions(struct opening *o)
{
	HP_AUTO(hp_mem) const char **all = calloc(VERSIONS_MAX, sizeof(*all));
	const char **fit;
	int r;

	if (all == NULL)
		return hp_err_set(o->err, HP_E_NOMEM, "no memory");
	o->dyn.versions = all;
	r = read_verdefs(o);
	if (r == 0)
		r = read_verneeds(o);
	if (r < 0)
		return r;
	fit = hp_arena_array(o->arena, o->dyn.versions_cnt, sizeof(*fit));
	if (fit == NULL)
		return hp_err_set(o->err, HP_E_NOMEM, "no memory");
	memcpy(fit, all, o->dyn.versions_cnt * sizeof(*fit));
	o->dyn.versions = fit;
	return 0;
}

int
hp_dyn_open(const struct hp_dyn_mem *mem, uint64_t dyn_va, uint64_t dyn_len, struct hp_arena *arena, struct hp_dyn *ret,
            struct hp_err *err)
{
	struct opening o = { .dyn = { .mem = *mem }, .arena = arena, .err = err, .soname_off = UINT64_MAX,
		             .rpath_off = UINT64_MAX, .runpath_off = UINT64_MAX };
	int r = read_entries(&o, dyn_va, dyn_len);

	if (r == 0)
		r = read_strings(&o);
	if (r == 0)
		r = read_hashes(&o);
	if (r == 0 && o.dyn.versym != 0)
		r = read_versions(&o);
	if (r == 0)
		*ret = o.dyn;
	return r;
}

static bool
read_file(void *arg, uint64_t va, void *buf, size_t len)
{
	struct hp_view v;

	if (!hp_elf_bytes_at(arg, va, len, &v))
		return false;
	memcpy(buf, v.p, len);
	return true;
}

int
hp_dyn_open_file(struct hp_elf *elf, struct hp_arena *arena, struct hp_dyn *ret, struct hp_err *err)
{
	const struct hp_dyn_mem mem = { .read = read_file, .arg = elf, .end = UINT64_MAX };

	for (uint32_t i = 0; i < elf->segs_cnt; i++) {
		int r;

		if (elf->segs[i].type != PT_DYNAMIC)
			continue;
		r = hp_dyn_open(&mem, elf->segs[i].va, elf->segs[i].file_len, arena, ret, err);
		if (r < 0)
			(void)hp_err_add(err, "'%s'", hp_esc(elf->path));
		return r < 0 ? r : 1;
	}
	return 0;
}

/* ---- look-up ---- */

static uint32_t
gnu_hash(const char *s)
{
	uint32_t h = 5381;

	for (; *s != '\0'; s++)
		h = h * 33 + (uint8_t)*s;
	return h;
}

static uint32_t
sysv_hash(const char *s)
{
	uint32_t h = 0;

	for (; *s != '\0'; s++) {
		h = (h << 4) + (uint8_t)*s;
		h ^= h >> 24 & 0xf0;
		h &= 0x0fffffff;
	}
	return h;
}

/* One look-up under way. */
struct search {
	const struct hp_dyn *dyn;
	const char *name, *version;
	size_t name_len;
	enum hp_dyn_how how;
	bool found;
	struct hp_dyn_sym sym;     /* when found */
	struct hp_dyn_sym newer;   /* the only versioned one, for a reference without version */
	unsigned newer_cnt;
	struct hp_err *err;
};

static int
read_sym(const struct hp_dyn *dyn, uint32_t idx, uint32_t *ret_name, struct hp_dyn_sym *ret, unsigned *ret_ver,
         struct hp_err *err)
{
	uint8_t e[SYM_LEN], v[2];
	unsigned ver = 0;

	if (!get(dyn, dyn->symtab + (uint64_t)idx * SYM_LEN, e, sizeof(e)) ||
	    (dyn->versym != 0 && !get(dyn, dyn->versym + (uint64_t)idx * 2, v, sizeof(v))))
		return broken(err, "a symbol cannot be read");
	if (dyn->versym != 0)
		ver = hp_le16_get(v);
	*ret_name = hp_le32_get(e);
	*ret_ver = ver;
	*ret = (struct hp_dyn_sym){
		.idx = idx, .value = hp_le64_get(e + 8), .shndx = hp_le16_get(e + 6), .type = e[4] & 0xf, .bind = e[4] >> 4,
		.vis = e[5] & 3,
		.version = (ver & ~VER_HIDDEN) < dyn->versions_cnt ? dyn->versions[ver & ~VER_HIDDEN] : NULL,
	};
	return 0;
}

/* elf/dl-lookup.c, check_match(): what counts as a definition at all. */
static bool
counts(const struct search *s, const struct hp_dyn_sym *sym)
{
	if (sym->value == 0 && sym->shndx != SHN_ABS && sym->type != STT_TLS)
		return false;
	if (sym->shndx == SHN_UNDEF && (s->how != HP_DYN_BIND || sym->type == STT_TLS))
		return false;
	if (sym->vis == STV_HIDDEN || sym->vis == STV_INTERNAL)
		return false;
	if (sym->bind != STB_GLOBAL && sym->bind != STB_WEAK && sym->bind != STB_GNU_UNIQUE)
		return false;
	return sym->type <= STT_FUNC || sym->type == STT_COMMON || sym->type == STT_TLS || sym->type == STT_GNU_IFUNC;
}

static bool
same_version(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The same: which versions a reference accepts. */
static void
judge(struct search *s, const struct hp_dyn_sym *sym, unsigned ver)
{
	bool hidden = (ver & VER_HIDDEN) != 0;

	if (s->how == HP_DYN_DEFAULT) {
		s->found = s->version != NULL ? same_version(sym->version, s->version) : !hidden;
	} else if (s->dyn->versym == 0) {
		s->found = true;
	} else if (s->version != NULL) {
		s->found = same_version(sym->version, s->version) || (sym->version == NULL && !hidden);
	} else if ((ver & ~VER_HIDDEN) < 3) {
		s->found = true;
	} else if (!hidden && s->newer_cnt++ == 0) {
		s->newer = *sym;
	}
	if (s->found)
		s->sym = *sym;
}

/* A symbol with the right hash. */
static int
try_sym(struct search *s, uint32_t idx)
{
	char name[HP_NAME_LEN_MAX + 1];
	struct hp_dyn_sym sym;
	uint32_t name_off;
	unsigned ver;
	int r = read_sym(s->dyn, idx, &name_off, &sym, &ver, s->err);

	if (r < 0)
		return r;
	if (!counts(s, &sym) || name_off >= s->dyn->strtab_len || s->name_len >= s->dyn->strtab_len - name_off)
		return 0;
	if (!get(s->dyn, s->dyn->strtab + name_off, name, s->name_len + 1))
		return broken(s->err, "a name cannot be read");
	if (memcmp(name, s->name, s->name_len + 1) != 0)
		return 0;
	judge(s, &sym, ver);
	return 0;
}

static int
search_gnu(struct search *s)
{
	const struct hp_dyn_gnu *g = &s->dyn->gnu;
	uint32_t h = gnu_hash(s->name), idx, word;
	uint64_t buckets = g->va + 16 + (uint64_t)g->bloom_cnt * 8, chains = buckets + (uint64_t)g->buckets_cnt * 4, bits;
	uint8_t b[8];
	int r;

	if (g->buckets_cnt == 0)
		return 0;
	if (!get(s->dyn, g->va + 16 + (uint64_t)(h / 64 & (g->bloom_cnt - 1)) * 8, b, sizeof(b)))
		return broken(s->err, "DT_GNU_HASH cannot be read");
	bits = hp_le64_get(b);
	if ((bits >> (h % 64) & bits >> ((h >> g->shift) % 64) & 1) == 0)
		return 0;
	if (!get_u32(s->dyn, buckets + (uint64_t)(h % g->buckets_cnt) * 4, &idx))
		return broken(s->err, "DT_GNU_HASH cannot be read");
	if (idx < g->first_sym)
		return 0;
	for (uint32_t n = 0; n < CHAIN_MAX && !s->found; n++, idx++) {
		if (!get_u32(s->dyn, chains + (uint64_t)(idx - g->first_sym) * 4, &word))
			return broken(s->err, "DT_GNU_HASH cannot be read");
		if ((word ^ h) >> 1 == 0) {
			r = try_sym(s, idx);
			if (r < 0)
				return r;
		}
		if (word & 1)
			return 0;
	}
	return s->found ? 0 : broken(s->err, "DT_GNU_HASH has a chain without end");
}

static int
search_sysv(struct search *s)
{
	const struct hp_dyn_sysv *t = &s->dyn->sysv;
	uint32_t idx;

	if (t->buckets_cnt == 0)
		return 0;
	if (!get_u32(s->dyn, t->va + 8 + (uint64_t)(sysv_hash(s->name) % t->buckets_cnt) * 4, &idx))
		return broken(s->err, "DT_HASH cannot be read");
	for (uint32_t n = 0; idx != 0 && !s->found; n++) {
		int r;

		if (idx >= t->chains_cnt || n >= t->chains_cnt || n >= CHAIN_MAX)
			return broken(s->err, "DT_HASH has a chain without end");
		r = try_sym(s, idx);
		if (r < 0)
			return r;
		if (!get_u32(s->dyn, t->va + 8 + ((uint64_t)t->buckets_cnt + idx) * 4, &idx))
			return broken(s->err, "DT_HASH cannot be read");
	}
	return 0;
}

int
hp_dyn_lookup(const struct hp_dyn *dyn, const char *name, const char *version, enum hp_dyn_how how, struct hp_dyn_sym *ret,
              struct hp_err *err)
{
	struct search s = { .dyn = dyn, .name = name, .version = version, .name_len = strlen(name), .how = how, .err = err };
	int r = 0;

	if (s.name_len > HP_NAME_LEN_MAX)
		return hp_err_set(err, HP_E_LIMIT, "a name of %zu bytes", s.name_len);
	if (dyn->gnu.va != 0)
		r = search_gnu(&s);
	else if (dyn->sysv.va != 0)
		r = search_sysv(&s);
	if (r < 0)
		return r;
	if (!s.found && s.newer_cnt == 1) {
		s.found = true;
		s.sym = s.newer;
	}
	if (s.found)
		*ret = s.sym;
	return s.found;
}

int
hp_dyn_sym_read(const struct hp_dyn *dyn, uint32_t idx, char *name, size_t name_len, struct hp_dyn_sym *ret, struct hp_err *err)
{
	uint32_t name_off;
	unsigned ver;
	int r = read_sym(dyn, idx, &name_off, ret, &ver, err);

	if (r < 0)
		return r;
	return name_len == 0 || get_str(dyn, name_off, name, name_len) ? 0
	                                                               : broken(err, "a name lies outside of the string table");
}
