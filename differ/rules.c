#include "differ/rules.h"

#include <strings.h>

/* docs/rules.md is made of this by `hpbuild explain --markdown`. */
static const struct hp_rule rules[] = {
	{ (enum hp_rule_id)1001, "HP1001", "object added",
	  "The patched tree has an object file that the original has not. Its functions are new; those that changed code "
	  "calls go into the package. Nothing of it runs before the switch, so constructors in it are refused (HP2005)." },
	{ (enum hp_rule_id)1002, "HP1002", "object removed",
	  "The original tree has an object file that the patched tree has not. Its code stays in the process; changed "
	  "callers no longer use it." },
	{ (enum hp_rule_id)1003, "HP1003", "writable data added",
	  "A new variable. If included code uses it, it gets storage and its initial value in the package; it keeps its "
	  "value over later packages as long as name, scope and type stay the same." },
	{ (enum hp_rule_id)1004, "HP1004", "data removed",
	  "A variable or constant of the original is no longer there. Its storage stays; nothing is freed." },
	{ (enum hp_rule_id)1005, "HP1005", "constant changed",
	  "A named read-only object changed. Every function that reads it is treated as changed and reads the package's "
	  "copy; no code keeps the address of the old one (else HP2006)." },
	{ (enum hp_rule_id)1006, "HP1006", "only line numbers changed",
	  "The function differs only in constants that are line numbers (assert, logging macros): each equals a line of "
	  "this function in the line table of its own side, at the same instruction or before the next call, and moved "
	  "exactly as far as the source line did. Or in the places in the source that gcc's sanitizer reports, where these are "
	  "data of their own (-fdata-sections). It is left out; the old code keeps reporting the old line number." },
	{ (enum hp_rule_id)1007, "HP1007", "no debug information",
	  "An object that changed has no DWARF. Types, signatures and compiler flags could not be compared: a changed "
	  "struct would go unnoticed. Build both trees with -g (debug information does not change the code)." },
	{ (enum hp_rule_id)1008, "HP1008", "kernel table differs",
	  "A per-place table of the Linux kernel (such as __bug_table or .altinstructions) differs. hpbuild names it but "
	  "does not carry it: the functions are compared, a payload for the kernel is not made." },
	{ (enum hp_rule_id)1009, "HP1009", "function removed",
	  "A function of the original is no longer there (or was inlined everywhere). Its code stays in the process; "
	  "changed callers no longer call it." },
	{ (enum hp_rule_id)1010, "HP1010", "COMDAT function changed",
	  "The changed function is in a COMDAT group: several objects have a copy, and the linker kept one of them. All "
	  "copies must have been built again with the fix." },
	{ (enum hp_rule_id)1011, "HP1011", "scope changed",
	  "A symbol of the same name turned from static to global or back. It is the same thing; references are resolved "
	  "in the baseline." },
	{ (enum hp_rule_id)1012, "HP1012", "pieces go together",
	  "A function and its out-of-line piece (.cold) jump into each other. Because one of them changed, both are in "
	  "the package." },
	{ (enum hp_rule_id)1013, "HP1013", "new and not reached",
	  "Only new functions or data were found, and no existing code changed to use them. There is nothing to patch." },
	{ (enum hp_rule_id)1014, "HP1014", "type of local variables changed",
	  "A struct, union or array has another layout, but only local variables, and parameters of functions of this file, "
	  "are of this type, and nothing points to it. No object of the old layout outlives the function that made it, and "
	  "functions that are replaced are not active at the switch. Copies that code makes by memcpy or through a cast are "
	  "not seen in debug information." },
	{ (enum hp_rule_id)1015, "HP1015", "signature changed with all callers",
	  "A function's parameters or return type changed, and every function that calls it, in all objects of both trees, is "
	  "in the package. Nobody holds its address. If the module exports it all the same (a plugin may call it), the "
	  "package is refused when it is made." },
	{ (enum hp_rule_id)1016, "HP1016", "hook",
	  "A function that the author of the patch marked with a macro of hotpatch.h. It goes into the package, and hpbuild "
	  "calls it in the process before or after the package is applied or reverted. It replaces nothing." },
	{ (enum hp_rule_id)2001, "HP2001", "initial value of a variable changed",
	  "A writable variable starts with another value. The running process has its own value already, which is not "
	  "replaced. If the new code works with the old value, waive it; otherwise set the value in the fixed code." },
	{ (enum hp_rule_id)2002, "HP2002", "size of a variable changed",
	  "A writable variable needs more or less room. The old storage cannot grow, and all code that knows the old size "
	  "would have to be replaced. Keep the variable and add a new one instead." },
	{ (enum hp_rule_id)2003, "HP2003", "thread-local variable added or changed",
	  "Threads that run already have their thread-local block, of the old layout. Use another place to keep the "
	  "state." },
	{ (enum hp_rule_id)2004, "HP2004", "IFUNC changed",
	  "An indirect function's resolver has run when the program started, and its answer is stored in slots. A changed "
	  "or new resolver would not be asked again." },
	{ (enum hp_rule_id)2005, "HP2005", "constructor or destructor changed",
	  "Code that runs when a module is loaded (or unloaded) is new, changed, or called by new entries of .init_array, or "
	  "lies in .init.text of the kernel. It has run already and will not run again." },
	{ (enum hp_rule_id)2006, "HP2006", "address of a changed constant escapes",
	  "A read-only object changed, and its address is stored, passed to a function, returned, compared, part of other "
	  "data or visible to other objects. Code that is not in the package may hold the address of the old one and go on "
	  "reading it. Addresses in registers are followed through a function; whether a call passes one is known from the "
	  "callee's declaration in the debug information. Waive it if both contents may be in use." },
	{ (enum hp_rule_id)2007, "HP2007", "layout of a type changed",
	  "A struct, union or array has another size, or a member moved or changed. Objects of the old layout exist in "
	  "the running process: on the heap (even on free lists), in static storage or on stacks. Keep the layout, or put "
	  "new members into a side table." },
	{ (enum hp_rule_id)2008, "HP2008", "enumeration changed",
	  "An enumerator has another value or is gone. Values of the old meaning may be stored in the running process." },
	{ (enum hp_rule_id)2009, "HP2009", "signature changed with other callers",
	  "A function's parameters or return type changed, and callers may exist that were not built for the new one: "
	  "functions that are not in the package, in any object of the trees; whoever holds its address; other modules, when "
	  "it may be exported: not hidden, and compiled with -fPIC or by a compiler that does not say how (pack and build "
	  "look into the baseline instead)." },
	{ (enum hp_rule_id)2010, "HP2010", "type of a variable changed",
	  "A variable with static storage has another type. What it holds in the running process was written as the old "
	  "type." },
	{ (enum hp_rule_id)2011, "HP2011", "code outside any function changed",
	  "Executable bytes that no function symbol covers (assembly, inline assembly with its own section) changed. Such "
	  "code has no entry that could be redirected. Give it a symbol." },
	{ (enum hp_rule_id)2012, "HP2012", "unknown section changed",
	  "A loaded section that is neither code nor data of a known kind changed. hpbuild does not know who reads it and "
	  "when. Or it describes a place inside a function that changed (a label in inline assembly), and knows the old body "
	  "only." },
	{ (enum hp_rule_id)2013, "HP2013", "function too short to redirect",
	  "The old function has fewer bytes than the jump that is written over its entry (5 bytes). pack "
	  "and build see the baseline: they accept it when unused padding behind the function has room for the jump. Else "
	  "change a caller instead, or build with -fpatchable-function-entry." },
	{ (enum hp_rule_id)2014, "HP2014", "different compiler or flags",
	  "The debug information says that the two trees were built by different compilers or with different options. "
	  "Code differs for reasons other than the fix. Build both trees the same way." },
	{ (enum hp_rule_id)2015, "HP2015", "vtable or type information changed",
	  "A C++ vtable, VTT or type_info changed. Objects that exist point to the old one; old and new code would "
	  "disagree about it." },
	{ (enum hp_rule_id)2016, "HP2016", "kind of storage changed",
	  "A variable moved between constant, writable, and thread-local storage. The running process has it in the old "
	  "place." },
	{ (enum hp_rule_id)2017, "HP2017", "twin cannot be told",
	  "Several variables or functions share a name (lambdas of one function do), and neither debug information, "
	  "contents nor users say which of them belongs to which of the original. hpbuild does not guess. Build with -g, or "
	  "rename one of them." },
	{ (enum hp_rule_id)2018, "HP2018", "aliases split or joined",
	  "Symbols that share one body in the original have different bodies in the patched object (functions with equal "
	  "code had been folded): redirecting the shared entry would change the other function too. Or the reverse: functions "
	  "with bodies of their own became one that differs from what they were. Keep them apart, or change their callers." },
};

const struct hp_rule *
hp_rule_get(enum hp_rule_id id)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].id == id)
			return &rules[i];
	return &rules[0];
}

const struct hp_rule *
hp_rule_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcasecmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

const struct hp_rule *
hp_rule_all(size_t *ret_cnt)
{
	*ret_cnt = sizeof(rules) / sizeof(rules[0]);
	return rules;
}
