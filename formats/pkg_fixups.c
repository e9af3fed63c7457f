#include "formats/pkg_fixups.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/escape.h"
#include "formats/image.h"
#include "formats/insn_x86.h"

/* What the field is for. */
enum use {
	USE_ADDRESS, /* nobody knows: a word of data, lea, an immediate */
	USE_BRANCH,  /* its distance is where a call or jump goes */
	USE_THROUGH, /* a call or jump takes its address from there */
	USE_READ,
	USE_WRITE,
};

struct check {
	const struct hp_module *mod;
	struct hp_image img;
	uint64_t pos;          /* in the image: start of the instruction that was decoded last */
	const struct hp_image_seg *seg; /* its segment */
	struct hp_fixup f;
	uint32_t idx;          /* of the fixup, for messages */
	enum use use;
	bool exact;            /* at is the very address that is used, not one to which an index is added */
	uint64_t at;           /* in the module */
	struct hp_err *err;
};

static int
wrong(const struct check *c, const char *what, uint64_t va)
{
	return hp_err_set(c->err, HP_E_BASELINE, "fixup %" PRIu32 " at 0x%" PRIx64 " (%s, %s): %s 0x%" PRIx64, c->idx, c->f.place,
	                  hp_fixup_form_name(c->f.form), hp_fixup_kind_name(c->f.kind), what, va);
}

/* The instruction that holds the field. Fixups ascend, so the code is read once. */
static bool
seek(struct check *c, struct hp_insn *insn)
{
	const struct hp_image_seg *seg = hp_image_seg_at(&c->img, c->f.place, hp_fixup_len(c->f.form));
	struct hp_view code;

	if (seg == NULL || (seg->prot & PROT_EXEC) == 0)
		return false;
	if (seg != c->seg) {
		c->seg = seg;
		c->pos = seg->va;
	}
	code = hp_view_of(c->img.file.p + seg->va, (size_t)seg->file_len); /* file offset = virtual address */
	while (c->pos <= c->f.place) {
		bool ok = hp_insn_decode(code, c->pos - seg->va, insn);
		uint64_t end = c->pos + (ok ? insn->len : 1);

		if (c->f.place < end)
			return ok;
		c->pos = end;
	}
	return false;
}

static void
find_use(struct check *c)
{
	struct hp_insn_flow flow;
	struct hp_insn insn;

	c->use = USE_ADDRESS;
	c->exact = false;
	c->at = c->f.target + (uint64_t)c->f.addend;
	if (!seek(c, &insn))
		return;
	if (c->f.form == HP_FORM_PC32)
		c->at += c->pos + insn.len - c->f.place;
	if (insn.rel_len > 0 && c->pos + insn.rel_off == c->f.place) {
		c->use = USE_BRANCH;
		c->exact = true;
		return;
	}
	if (insn.disp_len == 0 || c->pos + insn.disp_off != c->f.place ||
	    !hp_insn_flow(hp_view_of(c->img.file.p, (size_t)(c->seg->va + c->seg->file_len)), c->pos, &flow))
		return;
	c->exact = insn.rip_rel;
	if (insn.branch)
		c->use = USE_THROUGH;
	else if (flow.move != HP_FLOW_LEA && !insn.nop)
		c->use = flow.stores ? USE_WRITE : USE_READ;
}

static const struct hp_sec *
section_at(const struct hp_elf *elf, uint64_t va)
{
	for (uint32_t i = 1; i < elf->secs_cnt; i++) {
		const struct hp_sec *s = &elf->secs[i];

		if ((s->flags & SHF_ALLOC) != 0 && (s->flags & SHF_TLS) == 0 && va >= s->addr && va - s->addr < s->len)
			return s;
	}
	return NULL;
}

static bool
is_plt(const struct hp_sec *s)
{
	return (s->flags & SHF_EXECINSTR) != 0 && (strncmp(s->name, ".plt", 4) == 0 || strcmp(s->name, ".iplt") == 0);
}

static bool
is_got(const struct hp_sec *s)
{
	return strncmp(s->name, ".got", 4) == 0;
}

/* Inside of a function that the symbol table knows? */
static bool
in_function(const struct hp_module *mod, uint64_t va)
{
	for (uint32_t i = 0; i < mod->syms_cnt; i++)
		if (mod->syms[i].type == STT_FUNC && va >= mod->syms[i].va && va - mod->syms[i].va < mod->syms[i].size)
			return true;
	return false;
}

static int
check_branch(const struct check *c, const struct hp_sec *s)
{
	if ((s->flags & SHF_EXECINSTR) == 0)
		return wrong(c, "a call or jump leads to what is no code,", c->at);
	if (is_plt(s) && hp_module_plt_at(c->mod, c->at) == NULL)
		return wrong(c, "a call or jump leads into the PLT, but to no entry of it,", c->at);
	return 0;
}

static int
check_module(const struct check *c)
{
	const struct hp_seg *at = hp_elf_seg_at(c->mod->elf, c->at, 1);
	bool code = c->use == USE_BRANCH;
	const struct hp_sec *s = section_at(c->mod->elf, code ? c->at : c->f.target);
	bool exec;

	if (c->mod->kind != HP_MAN_EXEC && (c->f.form == HP_FORM_ABS32 || c->f.form == HP_FORM_ABS32S))
		return wrong(c, "a 32-bit address of position-independent code:", c->f.target);
	if (s == NULL || (c->exact && at == NULL))
		return wrong(c, "the module has nothing at", s == NULL && !code ? c->f.target : c->at);
	if (code)
		return check_branch(c, s);
	exec = (s->flags & SHF_EXECINSTR) != 0;
	if (is_got(s) && hp_module_slot_at(c->mod, c->f.target) == NULL)
		return wrong(c, "in the GOT, but no slot that the dynamic linker fills in:", c->f.target);
	if (c->use == USE_ADDRESS)
		return 0;
	if (c->use == USE_THROUGH && exec)
		return wrong(c, "a call or jump takes its address from code,", c->f.target);
	if (exec && (is_plt(s) || in_function(c->mod, c->f.target)))
		return wrong(c, "data is read from, or written to, the code of a function,", c->f.target);
	if (c->use == USE_WRITE && (s->flags & SHF_WRITE) == 0)
		return wrong(c, "a store to what is read-only,", c->f.target);
	return 0;
}

static int
check_slot(const struct check *c)
{
	const struct hp_mod_slot *slot = hp_module_slot_at(c->mod, c->f.target);

	if (slot == NULL)
		return wrong(c, "the dynamic linker does not fill in the word at", c->f.target);
	if (slot->kind == HP_SLOT_JUMP && !c->mod->bind_now)
		return wrong(c, "the address is not known before the first call through the slot at", c->f.target);
	if (slot->kind != HP_SLOT_GLOB_DAT && slot->kind != HP_SLOT_JUMP && slot->kind != HP_SLOT_ABS64 &&
	    slot->kind != HP_SLOT_IRELATIVE)
		return wrong(c, "the dynamic linker puts no address of a symbol into the word at", c->f.target);
	return 0;
}

static int
check_payload(const struct hp_pkg *pkg, size_t payload, size_t idx, struct check *c, uint32_t *ret_cnt)
{
	struct hp_view table = pkg->payloads[payload].fixups;
	int r = table.len == 0 ? 0 : hp_image_read(pkg->payloads[payload].image, &c->img, c->err);

	c->seg = NULL;
	for (uint32_t i = 0; i < table.len / HP_FIXUP_LEN && r == 0; i++) {
		c->f = hp_fixup_get(table, i);
		c->idx = i;
		if (c->f.module != idx || (c->f.kind != HP_KIND_MODULE && c->f.kind != HP_KIND_SLOT))
			continue;
		find_use(c);
		r = c->f.kind == HP_KIND_MODULE ? check_module(c) : check_slot(c);
		(*ret_cnt)++;
	}
	return r;
}

int
hp_pkg_check_fixups(const struct hp_pkg *pkg, size_t idx, const struct hp_module *mod, uint32_t *ret_cnt, struct hp_err *err)
{
	struct check c = { .mod = mod, .err = err };
	int r = 0;

	*ret_cnt = 0;
	for (size_t p = 0; p < pkg->man->targets_cnt && r == 0; p++)
		r = check_payload(pkg, p, idx, &c, ret_cnt);
	return r < 0 ? hp_err_add(err, "'%s'", hp_esc(mod->elf->path)) : 0;
}
