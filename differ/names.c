/* Names that compilers make. Sources: gcc's clone_function_name() and ASM_FORMAT_PRIVATE_NAME (".N"), LLVM's Twine names
 * (".N", ".llvm.N", "switch.table.F", ".L*"), gcc's tree-switch-conversion ("CSWTCH"). */
#include <ctype.h>
#include <string.h>

#include "differ/internal.h"

uint64_t
hp_hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t
hp_hash(const void *p, size_t len)
{
	struct hp_view v = hp_view_of(p, len);
	uint64_t h = 0x51ed270b76a3f1c9u ^ len, tail = 0;
	size_t i = 0;

	for (; len - i >= 8; i += 8)
		h = hp_hash_mix(h, hp_le64_get(v.p + i));
	for (size_t k = 0; i + k < len; k++)
		tail |= (uint64_t)v.p[i + k] << (8 * k);
	return hp_hash_mix(h, tail);
}

/* Bytes of the ".digits" at ${s}, 0 = something else is there. */
static size_t
number_len(const char *s)
{
	size_t n = 1;

	if (s[0] != '.' || !isdigit((unsigned char)s[1]))
		return 0;
	while (isdigit((unsigned char)s[n]))
		n++;
	return s[n] == '\0' || s[n] == '.' ? n : 0;
}

static size_t
link_suffix_len(const char *s)
{
	static const char *const suffixes[] = { ".llvm", ".lto_priv" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i]);

		if (strncmp(s, suffixes[i], n) == 0 && number_len(s + n) > 0)
			return n + number_len(s + n);
	}
	return 0;
}

/* "__UNIQUE_ID_name123" of the kernel, also as a static local "__UNIQUE_ID_name123.4": a counter of the whole file. Its digits
 * are [*ret_from, *ret_to), nothing when there are none. */
static void
unique_id(const char *name, size_t *ret_from, size_t *ret_to)
{
	const char *id = strstr(name, "__UNIQUE_ID_");
	size_t from, to;

	*ret_from = *ret_to = 0;
	if (id == NULL)
		return;
	for (to = (size_t)(id - name); name[to] != '\0' && name[to] != '.';)
		to++;
	for (from = to; isdigit((unsigned char)name[from - 1]);)
		from--;
	*ret_from = from;
	*ret_to = to;
}

/* Lambdas and unnamed types are numbered within their function, by clang's own names within the file: one more before them
 * and all have other names. Bytes of the number at ${s}: "E0_" behind "Ul" and "Ut0_" (Itanium C++ ABI 5.1.8), or clang's
 * identifier "$_0" with the length before it. 0 = something else. ${ul}: the first "Ul" of the name, NULL = none. */
static size_t
closure_number_len(const char *s, const char *ul)
{
	const char *p = s;
	size_t len = 0, skip = 0;

	if ((s[0] == 'E' && ul != NULL && ul < s) || strncmp(s, "Ut", 2) == 0) {
		skip = s[0] == 'E' ? 1 : 2;
		while (isdigit((unsigned char)s[skip]))
			skip++;
		return s[skip] == '_' ? skip + 1 : 0;
	}
	while (isdigit((unsigned char)*p) && len < 100)
		len = len * 10 + (size_t)(*p++ - '0');
	if (len < 3 || strnlen(p, len) < len || strncmp(p, "$_", 2) != 0)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!isdigit((unsigned char)p[i]))
			return 0;
	return (size_t)(p - s) + len;
}

bool
hp_name_is_closure(const char *name)
{
	const char *ul = strstr(name, "Ul");

	if (strncmp(name, "_Z", 2) != 0)
		return false;
	for (const char *s = name; *s != '\0'; s++)
		if (closure_number_len(s, ul) > 0)
			return true;
	return false;
}

const char *
hp_name_plain(struct hp_arena *arena, const char *name)
{
	const char *dot = strchr(name, '.');
	size_t len = strlen(name), n = 0, from, to;
	bool closure = hp_name_is_closure(name);
	const char *ul = strstr(name, "Ul");
	char *plain;

	unique_id(name, &from, &to);
	if ((dot == NULL || dot[1] == '\0') && from == to && !closure)
		return name;
	plain = hp_arena_strndup(arena, name, len);
	if (plain == NULL)
		return NULL;
	for (size_t i = 0; i < len;) {
		size_t skip = i > 0 && name[i] == '.' ? link_suffix_len(name + i) : 0;

		if (i == from && from < to) {
			i = to;
		} else if (skip > 0) {
			i += skip;
		} else if (i > 0 && name[i] == '.' && (skip = number_len(name + i)) > 0) {
			plain[n++] = '.';
			i += skip;
		} else if (closure && (skip = closure_number_len(name + i, ul)) > 0) {
			plain[n++] = '$';
			i += skip;
		} else {
			plain[n++] = name[i++];
		}
	}
	plain[n] = '\0';
	return plain;
}

size_t
hp_name_base_len(const char *name)
{
	static const char *const suffixes[] = { ".isra",     ".constprop", ".part",       ".cold",
		                                ".lto_priv", ".llvm",      ".localalias", ".resolver" };

	for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
		if (dot == name)
			continue;
		if (number_len(dot) > 0)
			return (size_t)(dot - name);
		for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
			size_t n = strlen(suffixes[i]);

			if (strncmp(dot, suffixes[i], n) == 0 && (dot[n] == '.' || dot[n] == '\0'))
				return (size_t)(dot - name);
		}
	}
	return strlen(name);
}

bool
hp_name_is_piece(const char *name, size_t *ret_len)
{
	const char *last = NULL;

	for (const char *p = strstr(name, ".cold"); p != NULL; p = strstr(p + 1, ".cold"))
		if (p > name && (p[5] == '\0' || (number_len(p + 5) > 0 && p[5 + number_len(p + 5)] == '\0')))
			last = p;
	if (last == NULL)
		return false;
	*ret_len = (size_t)(last - name);
	return true;
}

/* pr_debug()'s descriptor since Linux 5.12: __UNIQUE_ID_ddebug123.4, clang's f.__UNIQUE_ID_ddebug123. */
static bool
is_ddebug(const char *name)
{
	const char *p = strstr(name, "__UNIQUE_ID_ddebug");

	return p != NULL && (p == name || p[-1] == '.');
}

/* "prefix.N" or "prefix", or clang's "function.prefix" and "function.prefix.N". */
static bool
is_numbered(const char *name, const char *word)
{
	size_t n = strlen(word);
	const char *p = strncmp(name, word, n) == 0 ? name : strstr(name, word);

	if (p == NULL || (p != name && p[-1] != '.'))
		return false;
	return p[n] == '\0' || (number_len(p + n) > 0 && p[n + number_len(p + n)] == '\0');
}

bool
hp_name_is_content(const char *name, bool kernel)
{
	static const char *const words[] = { "__func__", "__FUNCTION__", "__PRETTY_FUNCTION__", "CSWTCH" };
	static const char *const prefixes[] = { ".L", "switch.table.", "__const.", ".Lubsan_", "__unnamed_", "anon." };
	/* Static locals that kernel macros make in every place that uses them; klp-diff copies them too. */
	static const char *const kernel_words[] = { "__already_done", "__warned",   "__key",     "_rs",       "descriptor",
		                                    "_entry",         "_entry_ptr", "__verbose", "___tp_str", "__tpstrtab" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_numbered(name, words[i]))
			return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; kernel && i < sizeof(kernel_words) / sizeof(kernel_words[0]); i++)
		if (is_numbered(name, kernel_words[i]))
			return true;
	if (kernel && is_ddebug(name))
		return true;
	return name[0] == 'C' && name[1] == '.' && number_len(name + 1) > 0; /* gcc's constant initialisers: C.5.1234 */
}

bool
hp_name_is_kernel_table(const char *section)
{
	static const char *const names[] = {
		"__bug_table",
		"__ex_table",
		"__jump_table",
		"__mcount_loc",
		"__patchable_function_entries",
		"__dyndbg",
		"__verbose",
		"__tracepoints",
		"__tracepoints_ptrs",
		"__tracepoints_strings",
		"__ksymtab_strings",
		"__versions",
		"__param",
		"__kcrctab",
		"_ftrace_events",
		"_ftrace_annotated_branch",
		"_ftrace_branch",
		"__lockdep",
		"__obsparm",
		"__syscalls_metadata",
		"_error_injection_whitelist",
	};
	static const char *const prefixes[] = {
		".altinstr",
		".alt_",
		".fixup",
		".smp_locks",
		".parainstructions",
		".static_call",
		".call_sites",
		".retpoline_sites",
		".return_sites",
		".orc_",
		".ibt_endbr_seal",
		".printk_index",
		"__ftr_",
		"__mmu_ftr",
		"__fw_ftr",
		"__lwsync",
		"__barrier_nospec",
		"__ksymtab",
		".s390_",
		".discard",
		".modinfo",
		".init.",
		".exit.",
		".ref.",
		".initcall",
		".initcallrodata",
		".kcfi",
		".cfi_sites",
		".data..once",
		".data.once",
		".sframe",
		".rela.",
		"__tracepoint",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(section, names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(section, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}
