/* One golden pair for each relocation that compilers emit and each relaxation that linkers make of it: a function in assembler,
 * linked; the module must hold the expected instruction, the match must yield the right address, slot or offset, and any other
 * changed byte must be seen. With GNU ld, and with lld where it is installed, whose instructions may be others. */
#include "formats/insn_x86.h"
#include "formats/preimage.h"
#include "tests/unit/pack_cases.h"

enum mode { PIE, EXEC, SHARED };

struct row {
	const char *name;
	enum mode mode;
	const char *flags;       /* of the linker */
	const char *code;        /* the function, without its ret */
	uint32_t type;           /* of the first relocation */
	const char *text; /* what GNU ld makes of the code, instructions joined by "; ", without addresses; NULL = the same */
	enum hp_find_kind kind;  /* of the first find */
	const char *target;      /* its symbol; NULL = no find */
	unsigned soft;           /* bytes that may have any value: the fields */
};

#define GNU_ONLY " "  /* lld does not know it */
#define LLD_ONLY "  " /* GNU ld does not, in code */
#define GOT_MOV "movq var@GOTPCREL(%rip), %rax"
#define GD(v) ".byte 0x66; leaq " v "@tlsgd(%rip), %rdi; .value 0x6666; rex64; call __tls_get_addr@PLT"
#define GD_INDIRECT(v) ".byte 0x66; leaq " v "@tlsgd(%rip), %rdi; .byte 0x66; rex64; call *__tls_get_addr@GOTPCREL(%rip)"
#define LD "leaq tvar@tlsld(%rip), %rdi; call __tls_get_addr@PLT"
#define LD_INDIRECT "leaq tvar@tlsld(%rip), %rdi; call *__tls_get_addr@GOTPCREL(%rip)"
#define DESC(v) "leaq " v "@tlsdesc(%rip), %rax; call *" v "@tlscall(%rax)"

static const struct row rows[] = {
	{ "PC32", PIE, "", "movl var(%rip), %eax", R_X86_64_PC32, NULL, HP_FIND_ADDR, "var", 4 },
	{ "PC32 with an addend", PIE, "", "movl $7, var+8(%rip)", R_X86_64_PC32, NULL, HP_FIND_ADDR, "var", 4 },
	{ "PLT32, direct", PIE, "", "call callee@PLT", R_X86_64_PLT32, NULL, HP_FIND_ADDR, "callee", 4 },
	{ "PLT32, jump", PIE, "", "jmp callee@PLT", R_X86_64_PLT32, NULL, HP_FIND_ADDR, "callee", 4 },
	{ "PLT32, conditional jump", PIE, "", "jne callee", R_X86_64_PLT32, NULL, HP_FIND_ADDR, "callee", 4 },
	{ "PLT32, another module's", PIE, "", "call ext_fn@PLT", R_X86_64_PLT32, NULL, HP_FIND_ADDR, "ext_fn", 4 },
	{ "PLT32, preemptible", SHARED, "", "call callee@PLT", R_X86_64_PLT32, NULL, HP_FIND_ADDR, "callee", 4 },
	{ "32", EXEC, "", "movl $var, %eax", R_X86_64_32, NULL, HP_FIND_ADDR, "var", 4 },
	{ "32S", EXEC, "", "movl var(,%rdi,4), %eax", R_X86_64_32S, NULL, HP_FIND_ADDR, "var", 4 },
	{ "64", EXEC, "", "movabsq $var, %rax", R_X86_64_64, NULL, HP_FIND_ADDR, "var", 8 },
	{ "PC64", PIE, "", "movabsq $var-., %rax", R_X86_64_PC64, NULL, HP_FIND_ADDR, "var", 8 },
	{ "SIZE32", PIE, "", "movl $var@SIZE, %eax", R_X86_64_SIZE32, NULL, HP_FIND_ADDR, NULL, 4 },
	/* The GOT, and psABI B.2. */
	{ "GOTPCREL", SHARED, "", GOT_MOV, R_X86_64_GOTPCREL, NULL, HP_FIND_SLOT, "var", 4 },
	{ "GOTPCREL, mov to lea", PIE, "", GOT_MOV, R_X86_64_GOTPCREL, "lea rax", HP_FIND_ADDR, "var", 4 },
	{ "GOTPCREL, call", PIE, "", "call *callee@GOTPCREL(%rip)", R_X86_64_GOTPCREL, NULL, HP_FIND_SLOT, "callee", 4 },
	{ "GOTPCRELX", SHARED, "", "movl var@GOTPCREL(%rip), %eax", R_X86_64_GOTPCRELX, NULL, HP_FIND_SLOT, "var", 4 },
	{ "REX_GOTPCRELX", SHARED, "", GOT_MOV, R_X86_64_REX_GOTPCRELX, NULL, HP_FIND_SLOT, "var", 4 },
	{ "REX_GOTPCRELX, another module's", PIE, "", "movq ext_var@GOTPCREL(%rip), %rax", R_X86_64_REX_GOTPCRELX, NULL,
	  HP_FIND_SLOT, "ext_var", 4 },
	{ "REX_GOTPCRELX, not relaxed", PIE, "-Wl,--no-relax", GOT_MOV, R_X86_64_REX_GOTPCRELX, NULL, HP_FIND_SLOT, "var", 4 },
	{ "mov to lea", PIE, "", GOT_MOV, R_X86_64_REX_GOTPCRELX, "lea rax", HP_FIND_ADDR, "var", 4 },
	{ "mov to lea, r9", PIE, "", "movq var@GOTPCREL(%rip), %r9", R_X86_64_REX_GOTPCRELX, "lea r9", HP_FIND_ADDR, "var", 4 },
	{ "mov to immediate", EXEC, "", GOT_MOV, R_X86_64_REX_GOTPCRELX, "mov rax", HP_FIND_ADDR, "var", 4 },
	{ "mov to immediate, r9", EXEC, "", "movq var@GOTPCREL(%rip), %r9", R_X86_64_REX_GOTPCRELX, "mov r9", HP_FIND_ADDR, "var",
	  4 },
	{ "mov to immediate, no REX", EXEC, "", "movl var@GOTPCREL(%rip), %eax", R_X86_64_GOTPCRELX, "mov eax", HP_FIND_ADDR,
	  "var", 4 },
	{ "call", PIE, "", "call *callee@GOTPCREL(%rip)", R_X86_64_GOTPCRELX, "call", HP_FIND_ADDR, "callee", 4 },
	{ "call, nop behind", PIE, "-Wl,-z,call-nop=suffix-nop", "call *callee@GOTPCREL(%rip)", R_X86_64_GOTPCRELX, "call; nop",
	  HP_FIND_ADDR, "callee", 4 },
	{ "call, not relaxed", PIE, "", "call *ext_fn@GOTPCREL(%rip)", R_X86_64_GOTPCRELX, NULL, HP_FIND_SLOT, "ext_fn", 4 },
	{ "jmp", PIE, "", "jmp *callee@GOTPCREL(%rip)", R_X86_64_GOTPCRELX, "jmp; nop", HP_FIND_ADDR, "callee", 4 },
	{ "jmp, not relaxed", PIE, "", "jmp *ext_fn@GOTPCREL(%rip)", R_X86_64_GOTPCRELX, NULL, HP_FIND_SLOT, "ext_fn", 4 },
	{ "test", EXEC, "", "testq %rax, var@GOTPCREL(%rip)", R_X86_64_REX_GOTPCRELX, "test rax", HP_FIND_ADDR, "var", 4 },
	{ "test, r9", EXEC, "", "testq %r9, var@GOTPCREL(%rip)", R_X86_64_REX_GOTPCRELX, "test r9", HP_FIND_ADDR, "var", 4 },
	{ "test, no REX", EXEC, "", "testl %ecx, var@GOTPCREL(%rip)", R_X86_64_GOTPCRELX, "test ecx", HP_FIND_ADDR, "var", 4 },
	{ "add", EXEC, "", "addq var@GOTPCREL(%rip), %rax", R_X86_64_REX_GOTPCRELX, "add rax", HP_FIND_ADDR, "var", 4 },
	{ "or", EXEC, "", "orq var@GOTPCREL(%rip), %rbx", R_X86_64_REX_GOTPCRELX, "or rbx", HP_FIND_ADDR, "var", 4 },
	{ "adc", EXEC, "", "adcq var@GOTPCREL(%rip), %rcx", R_X86_64_REX_GOTPCRELX, "adc rcx", HP_FIND_ADDR, "var", 4 },
	{ "sbb", EXEC, "", "sbbq var@GOTPCREL(%rip), %rdx", R_X86_64_REX_GOTPCRELX, "sbb rdx", HP_FIND_ADDR, "var", 4 },
	{ "and", EXEC, "", "andq var@GOTPCREL(%rip), %rsi", R_X86_64_REX_GOTPCRELX, "and rsi", HP_FIND_ADDR, "var", 4 },
	{ "sub", EXEC, "", "subq var@GOTPCREL(%rip), %rdi", R_X86_64_REX_GOTPCRELX, "sub rdi", HP_FIND_ADDR, "var", 4 },
	{ "xor, r9", EXEC, "", "xorq var@GOTPCREL(%rip), %r9", R_X86_64_REX_GOTPCRELX, "xor r9", HP_FIND_ADDR, "var", 4 },
	{ "cmp, r15", EXEC, "", "cmpq var@GOTPCREL(%rip), %r15", R_X86_64_REX_GOTPCRELX, "cmp r15", HP_FIND_ADDR, "var", 4 },
	{ "cmp, no REX", EXEC, "", "cmpl var@GOTPCREL(%rip), %eax", R_X86_64_GOTPCRELX, "cmp eax", HP_FIND_ADDR, "var", 4 },
	/* What counts from the GOT: medium and large code models. */
	{ "GOTPC32", PIE, "", "leaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx", R_X86_64_GOTPC32, NULL, HP_FIND_ADDR, NULL, 0 },
	{ "GOTPC64", PIE, "", "movabsq $_GLOBAL_OFFSET_TABLE_-., %r11", R_X86_64_GOTPC64, NULL, HP_FIND_ADDR, NULL, 0 },
	{ "GOTOFF64", PIE, "", "movabsq $var@GOTOFF, %rax", R_X86_64_GOTOFF64, NULL, HP_FIND_ADDR, "var", 8 },
	{ "PLTOFF64", PIE, "", "movabsq $ext_fn@PLTOFF, %rax", R_X86_64_PLTOFF64, NULL, HP_FIND_ADDR, "ext_fn", 8 },
	{ "GOT64", SHARED, "", "movabsq $var@GOT, %rax", R_X86_64_GOT64, NULL, HP_FIND_SLOT, "var", 8 },
	/* Thread-local storage. */
	{ "TLSGD", SHARED, "", GD("tvar"), R_X86_64_TLSGD, NULL, HP_FIND_TLS_SLOT, "tvar", 8 },
	{ "TLSGD, -fno-plt", SHARED, "", GD_INDIRECT("tvar"), R_X86_64_TLSGD, NULL, HP_FIND_TLS_SLOT, "tvar", 8 },
	{ "GD to LE", PIE, "", GD("tvar"), R_X86_64_TLSGD, "mov rax; lea rax", HP_FIND_TPOFF, "tvar", 4 },
	{ "GD to LE, -fno-plt", EXEC, "", GD_INDIRECT("tvar"), R_X86_64_TLSGD, "mov rax; lea rax", HP_FIND_TPOFF, "tvar", 4 },
	{ "GD to IE", PIE, "", GD("ext_tvar"), R_X86_64_TLSGD, "mov rax; add rax", HP_FIND_TLS_SLOT, "ext_tvar", 4 },
	{ "GD to IE, -fno-plt", PIE, "", GD_INDIRECT("ext_tvar"), R_X86_64_TLSGD, "mov rax; add rax", HP_FIND_TLS_SLOT,
	  "ext_tvar", 4 },
	{ "GD to IE, in a library that has both", SHARED, "", GD("ie_tvar"), R_X86_64_TLSGD, "mov rax; add rax", HP_FIND_TLS_SLOT,
	  "ie_tvar", 4 },
	{ "TLSLD", SHARED, "", LD, R_X86_64_TLSLD, NULL, HP_FIND_TLS_SLOT, "", 8 },
	{ "LD to LE", PIE, "", LD, R_X86_64_TLSLD, "mov rax", HP_FIND_TPOFF, NULL, 0 },
	{ "LD to LE, -fno-plt", EXEC, "", LD_INDIRECT, R_X86_64_TLSLD, "mov rax", HP_FIND_TPOFF, NULL, 0 },
	{ "DTPOFF32", SHARED, "", "leaq tvar@dtpoff(%rax), %rax", R_X86_64_DTPOFF32, NULL, HP_FIND_DTPOFF, "tvar", 4 },
	{ "DTPOFF32 to TPOFF32", PIE, "", LD "; leaq tvar@dtpoff(%rax), %rax", R_X86_64_TLSLD, "mov rax; lea rax", HP_FIND_TPOFF,
	  "tvar", 4 },
	{ "DTPOFF64", SHARED, LLD_ONLY, "movabsq $tvar@dtpoff, %rax", R_X86_64_DTPOFF64, NULL, HP_FIND_DTPOFF, "tvar", 8 },
	{ "TPOFF32", PIE, "", "movl %fs:tvar@tpoff, %eax", R_X86_64_TPOFF32, NULL, HP_FIND_TPOFF, "tvar", 4 },
	{ "TPOFF64", PIE, GNU_ONLY, "movabsq $tvar@tpoff, %rax", R_X86_64_TPOFF64, NULL, HP_FIND_TPOFF, "tvar", 8 },
	{ "GOTTPOFF", SHARED, "", "movq ie_tvar@gottpoff(%rip), %rax", R_X86_64_GOTTPOFF, NULL, HP_FIND_TLS_SLOT, "ie_tvar", 4 },
	{ "GOTTPOFF, another module's", PIE, "", "addq ext_tvar@gottpoff(%rip), %rax", R_X86_64_GOTTPOFF, NULL, HP_FIND_TLS_SLOT,
	  "ext_tvar", 4 },
	{ "IE to LE, mov", PIE, "", "movq tvar@gottpoff(%rip), %rax", R_X86_64_GOTTPOFF, "mov rax", HP_FIND_TPOFF, "tvar", 4 },
	{ "IE to LE, mov r9", PIE, "", "movq tvar@gottpoff(%rip), %r9", R_X86_64_GOTTPOFF, "mov r9", HP_FIND_TPOFF, "tvar", 4 },
	{ "IE to LE, add", EXEC, "", "addq tvar@gottpoff(%rip), %rax", R_X86_64_GOTTPOFF, "lea rax", HP_FIND_TPOFF, "tvar", 4 },
	{ "IE to LE, add r9", EXEC, "", "addq tvar@gottpoff(%rip), %r9", R_X86_64_GOTTPOFF, "lea r9", HP_FIND_TPOFF, "tvar", 4 },
	{ "IE to LE, add r12", EXEC, "", "addq tvar@gottpoff(%rip), %r12", R_X86_64_GOTTPOFF, "add r12", HP_FIND_TPOFF, "tvar",
	  4 },
	{ "TLSDESC", SHARED, "", DESC("desc_tvar"), R_X86_64_GOTPC32_TLSDESC, NULL, HP_FIND_TLS_SLOT, "desc_tvar", 4 },
	{ "TLSDESC to LE", PIE, "", DESC("tvar"), R_X86_64_GOTPC32_TLSDESC, "mov rax; nop", HP_FIND_TPOFF, "tvar", 4 },
	{ "TLSDESC to IE", PIE, "", DESC("ext_tvar"), R_X86_64_GOTPC32_TLSDESC, "mov rax; nop", HP_FIND_TLS_SLOT, "ext_tvar", 4 },
};

struct fixture {
	struct hp_buf file;
	struct hp_module *mod;
	struct hp_object *obj;
	struct hp_find finds[16];
	uint32_t part;
	uint64_t va;
};

/* Mnemonics and first operands without addresses: "mov rax; nop". */
static void
disassemble(struct hp_view code, char *ret, size_t len)
{
	struct hp_insn insn;
	size_t used = 0;

	ret[0] = '\0';
	for (uint64_t pos = 0; pos < code.len && hp_insn_decode(code, pos, &insn); pos += insn.len) {
		char one[96];
		size_t end;

		hp_insn_text(code, pos, pos, one, sizeof(one));
		end = strcspn(one, ",[");
		if (insn.branch || insn.nop)
			end = strcspn(one, " ,");
		used += (size_t)snprintf(ret + used, len - used, "%s%.*s", used > 0 ? "; " : "", (int)end, one);
	}
}

/* Rows that can be linked together. */
static bool
same_module(const struct row *a, const struct row *b)
{
	return a->mode == b->mode && strcmp(a->flags, b->flags) == 0 &&
	       (a->type == R_X86_64_GOTPCREL) == (b->type == R_X86_64_GOTPCREL);
}

/* The module of row ${first}, with a function "f<index>" for each row that fits in. */
static void
build(const struct row *first, bool lld)
{
	static const char *const modes[] = { [PIE] = "-pie", [EXEC] = "-no-pie", [SHARED] = "-shared -Wl,-z,notext" };
	static char text[65536];
	size_t len = 0;

	for (size_t i = 0; i < CNT(rows); i++)
		if (same_module(first, &rows[i]))
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			                        ".section .text.f%zu,\"ax\",@progbits\n.globl f%zu\n.type f%zu,@function\n"
			                        "f%zu: nop; %s\nret\n.size f%zu,.-f%zu\n"
			                        ".section .note.GNU-stack,\"\",@progbits\n", i, i, i, i, rows[i].code, i, i);
	assert_true(len + 1 < sizeof(text));
	source("f.s", text);
	sh("as -mrelax-relocations=%s f.s -o f.o && $CC %s -Wl,--build-id %s %s -o mod data.o f.o %s -L. -lext -Wl,-rpath,.",
	   first->type == R_X86_64_GOTPCREL ? "no" : "yes", modes[first->mode], lld ? "-fuse-ld=lld" : "-fuse-ld=bfd",
	   first->flags, first->mode == SHARED ? "" : "main.o");
}

static void
fixture_read(struct fixture *f)
{
	struct hp_err err = { 0 };

	memset(f, 0, sizeof(*f));
	slurp("mod", &f->file);
	assert_fine(hp_module_open(hp_buf_view(&f->file), "mod", NULL, &f->mod, &err), &err);
	f->obj = hand_open(scratch("f.o"));
}

static void
fixture_close(struct fixture *f)
{
	hp_object_free(f->obj);
	hp_module_free(f->mod);
	hp_buf_release(&f->file);
}

static bool
is_symbol(const struct fixture *f, const char *name, uint64_t va)
{
	const struct hp_mod_plt *plt = hp_module_plt_at(f->mod, va);
	uint32_t first, n = hp_module_named(f->mod, name, &first);

	if (plt != NULL)
		return strcmp(f->mod->slots[plt->slot_idx].name, name) == 0;
	for (uint32_t i = 0; i < n; i++)
		if (f->mod->syms[f->mod->by_name[first + i]].va == va)
			return true;
	return false;
}

/* TLS symbols have the offset in the block as value; an executable's block ends at the thread pointer. */
static uint64_t
tls_offset(const struct fixture *f, const char *name, bool from_pointer)
{
	uint64_t align = f->mod->tls->align, len = (f->mod->tls->mem_len + align - 1) / align * align;

	return address_of(f->mod, name) - (from_pointer ? len : 0);
}

static bool
is_tls_slot(const struct fixture *f, const char *name, uint64_t va)
{
	const struct hp_mod_slot *slot = hp_module_slot_at(f->mod, va);

	if (slot == NULL)
		return false;
	if (slot->name[0] != '\0' || name[0] == '\0')
		return strcmp(slot->name, name) == 0;
	return (uint64_t)slot->addend == address_of(f->mod, name);
}

static bool
is_slot(const struct fixture *f, const char *name, uint64_t va)
{
	const struct hp_mod_slot *slot = hp_module_slot_at(f->mod, va);
	struct hp_view v;

	if (slot != NULL && slot->name[0] != '\0')
		return strcmp(slot->name, name) == 0;
	if (slot != NULL)
		return (uint64_t)slot->addend == address_of(f->mod, name);
	return hp_elf_bytes_at(f->mod->elf, va, 8, &v) && hp_le64_get(v.p) == address_of(f->mod, name);
}

static void
check_find(const struct fixture *f, const struct row *row, uint32_t cnt, bool lld)
{
	const struct hp_find *find = &f->finds[0];
	bool ok = false;

	for (uint32_t i = 0; i < cnt; i++)
		if (strcmp(f->obj->elf->syms[f->finds[i].sym_idx].name, "__tls_get_addr") == 0)
			cnt = i; /* the call comes last */
	if (row->target == NULL) {
		if (cnt != 0)
			fail_msg("%s: finds something", row->name);
		return;
	}
	if (cnt != 1 || (!lld && find->kind != row->kind))
		fail_msg("%s: %u finds, the first of kind %d, not %d", row->name, cnt, (int)find->kind, (int)row->kind);
	if (find->kind == HP_FIND_ADDR)
		ok = is_symbol(f, row->target, find->value);
	else if (find->kind == HP_FIND_SLOT)
		ok = is_slot(f, row->target, find->value);
	else if (find->kind == HP_FIND_TLS_SLOT)
		ok = is_tls_slot(f, row->target, find->value);
	else if (find->kind == HP_FIND_TPOFF || find->kind == HP_FIND_DTPOFF)
		ok = find->value == tls_offset(f, row->target, find->kind == HP_FIND_TPOFF);
	if (!ok)
		fail_msg("%s: 0x%llx is not what '%s' has", row->name, (unsigned long long)find->value, row->target);
}

/* Every byte but those of fields counts. */
static void
check_bytes(struct fixture *f, const char *name, unsigned want)
{
	uint64_t len = f->obj->parts->v[f->part].len;
	struct hp_view code;
	unsigned soft = 0;

	assert_true(hp_elf_bytes_at(f->mod->elf, f->va, len, &code));
	for (uint64_t i = 0; i < len; i++) {
		uint8_t *p = f->file.p + (code.p - f->file.p) + i;
		struct hp_err err = { 0 };
		uint32_t cnt;

		*p ^= 0x40;
		soft += hp_preimage_match(f->obj->parts, f->part, f->mod, f->va, f->finds, &cnt, NULL, &err) == 1;
		*p ^= 0x40;
	}
	if (soft != want)
		fail_msg("%s: %u bytes may have any value, not %u", name, soft, want);
}

static void
check_text(const struct fixture *f, const struct row *row)
{
	struct hp_view code, old = hp_part_bytes(f->obj->parts, f->part);
	char got[400], want[400];

	assert_true(hp_module_code_at(f->mod, f->va + 1, old.len - 2, &code));
	disassemble(code, got, sizeof(got));
	disassemble(hp_view_of(old.p + 1, old.len - 2), want, sizeof(want));
	if (strcmp(got, row->text != NULL ? row->text : want) != 0)
		fail_msg("%s: the linker made '%s' of '%s', not '%s'", row->name, got, want,
		         row->text != NULL ? row->text : want);
}

static void
check_row(struct fixture *f, size_t idx, bool lld)
{
	const struct row *row = &rows[idx];
	struct hp_preimage_diff diff;
	struct hp_err err = { 0 };
	char name[16];
	uint32_t cnt;
	int r;

	(void)snprintf(name, sizeof(name), "f%zu", idx);
	f->part = hand_find(f->obj->parts, name);
	f->va = address_of(f->mod, name);
	if (hp_part_rels(f->obj->parts, f->part)[0].type != row->type)
		fail_msg("%s: the assembler emits type %u, not %u", row->name, hp_part_rels(f->obj->parts, f->part)[0].type,
		         row->type);
	if (!lld)
		check_text(f, row);
	r = hp_preimage_match(f->obj->parts, f->part, f->mod, f->va, f->finds, &cnt, &diff, &err);
	if (r != 1)
		fail_msg("%s%s: +0x%llx: %s / %s (%s)", row->name, lld ? " (lld)" : "", (unsigned long long)diff.off,
		         diff.old_text, diff.base_text, diff.cause);
	check_find(f, row, cnt, lld);
	assert_code(hp_preimage_match(f->obj->parts, f->part, f->mod, f->va + 1, f->finds, &cnt, NULL, &err), 0, &err);
	/* GNU ld makes initial-exec of the others where a library has both models; lld does so in executables only. */
	check_bytes(f, row->name, lld && row->mode == SHARED && row->text != NULL ? 8 : row->soft);
}

static void
check_rows(bool lld)
{
	bool done[CNT(rows)] = { false };

	for (size_t i = 0; i < CNT(rows); i++) {
		struct fixture f;

		if (done[i] || (lld ? rows[i].flags[0] == '-' || strcmp(rows[i].flags, GNU_ONLY) == 0
		                    : strcmp(rows[i].flags, LLD_ONLY) == 0))
			continue;
		build(&rows[i], lld);
		fixture_read(&f);
		for (size_t j = i; j < CNT(rows); j++) {
			if (!same_module(&rows[i], &rows[j]))
				continue;
			check_row(&f, j, lld);
			done[j] = true;
		}
		fixture_close(&f);
	}
}

static void
test_gnu_ld(void **state)
{
	(void)state;
	check_rows(false);
}

static void
test_lld(void **state)
{
	(void)state;
	if (system("command -v ld.lld >/dev/null") != 0)
		skip();
	check_rows(true);
}

/* Code without function sections: calls and jumps that the assembler has resolved, padding between functions. */
static void
test_local(void **state)
{
	static const char *const names[] = { "one", "two", "three" };
	struct fixture f;

	(void)state;
	source("f.s",
	       ".text\n.p2align 4\n.globl one, two, three\n.type one,@function\n.type two,@function\n.type three,@function\n"
	       "one: .Lone: endbr64; test %edi, %edi; je .Lin; call .Lthree; .Lin: ret\n.size one,.-one\n.p2align 4\n"
	       "two: .Ltwo: endbr64; jmp .Lone\n.size two,.-two\n.p2align 5\n"
	       "three: .Lthree: endbr64; lea .Ltwo(%rip), %rax; call .Ltwo; ret\n.size three,.-three\n"
	       ".section .note.GNU-stack,\"\",@progbits\n");
	sh("as f.s -o f.o && $CC -pie -Wl,--build-id -o mod f.o main.o -L. -lext -Wl,-rpath,.");
	fixture_read(&f);
	for (size_t i = 0; i < CNT(names); i++) {
		struct hp_err err = { 0 };
		uint32_t cnt;

		f.part = hand_find(f.obj->parts, names[i]);
		f.va = address_of(f.mod, names[i]);
		assert_code(hp_preimage_match(f.obj->parts, f.part, f.mod, f.va, f.finds, &cnt, NULL, &err), 1, &err);
		assert_int_equal(cnt, 0);
		check_bytes(&f, names[i], 0);
	}
	fixture_close(&f);
}

/* Words of data: the linker's value, what RELATIVE adds, what the dynamic linker fills in. */
static void
test_data(void **state)
{
	static const struct hp_find want[] = { { .kind = HP_FIND_ADDR }, { .kind = HP_FIND_NAME }, { .kind = HP_FIND_ADDR } };
	struct hp_err err = { 0 };
	struct fixture f;
	uint32_t cnt;

	(void)state;
	source("f.s", ".section .data.rel.ro.t,\"aw\",@progbits\n.globl t\n.type t,@object\n.p2align 3\n"
	       "t: .quad callee, ext_fn, var+4, 77\n.size t,.-t\n.section .note.GNU-stack,\"\",@progbits\n");
	for (int pie = 0; pie < 2; pie++) {
		sh("as f.s -o f.o && $CC %s -Wl,--build-id -o mod data.o f.o main.o -L. -lext -Wl,-rpath,.",
		   pie != 0 ? "-pie" : "-no-pie");
		fixture_read(&f);
		f.part = hand_find(f.obj->parts, "t");
		f.va = address_of(f.mod, "t");
		assert_code(hp_preimage_match(f.obj->parts, f.part, f.mod, f.va, f.finds, &cnt, NULL, &err), 1, &err);
		assert_int_equal(cnt, CNT(want));
		for (uint32_t i = 0; i < cnt; i++)
			assert_int_equal(f.finds[i].kind, want[i].kind);
		assert_int_equal(f.finds[0].value, address_of(f.mod, "callee"));
		assert_int_equal(f.finds[2].value, address_of(f.mod, "var"));
		check_bytes(&f, "data", 24);
		fixture_close(&f);
	}
}

static int
sources(void **state)
{
	(void)state;
	source("data.c", "int var[4] = { 1, 2, 3, 4 }; int callee(int x) { return x + 1; } __thread int before = 8, tvar = 9, "
	                 "ie_tvar, desc_tvar;\n");
	source("main.c", "extern int ext_fn(void); int main(void) { return ext_fn(); }\n");
	source("ext.c", "int ext_var = 3; int ext_fn(void) { return 4; } __thread int ext_tvar = 5;\n");
	sh("$CC -O1 -fPIC -c data.c && $CC -O1 -fPIC -c main.c && $CC -O1 -fPIC -shared -o libext.so ext.c");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_gnu_ld), cmocka_unit_test(test_lld),
		                            cmocka_unit_test(test_local), cmocka_unit_test(test_data) };

	return cmocka_run_group_tests_name("relocs", tests, sources, NULL);
}
