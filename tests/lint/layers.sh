#!/bin/sh
# Who may include whom, which file may use which library, who may print and exit, who makes a verified package.
. tests/lib/lint

may_include() { # FOLDER
	case $1 in
	base) echo base ;;
	formats) echo base formats ;;
	differ | packager | signer | applier) echo "base formats $1" ;;
	cli) echo base formats differ packager signer applier cli ;;
	esac
}

includes() {
	product | while read -r f; do
		folder=${f%%/*}
		allowed=" $(may_include "$folder") "
		sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$f" | while read -r h; do
			case $h in
			*..* | ./* | /*) echo "$f: includes \"$h\": write \"folder/file.h\" from the root" ;;
			*/*) ;;
			*) echo "$f: includes \"$h\": write \"folder/file.h\" from the root" ;;
			esac
			case $h in
			*/internal.h | */internal_*.h) [ "${h%%/*}" = "$folder" ] || echo "$f: includes \"$h\", which belongs to ${h%%/*}/ alone" ;;
			esac
			case $allowed in
			*" ${h%%/*} "*) ;;
			*) echo "$f: includes \"$h\": $folder/ may include:$allowed" ;;
			esac
		done
		# Its own header first proves that the header stands alone.
		own=${f%.c}.h
		if [ "$own" != "$f" ] && [ -e "$own" ]; then
			first=$(sed -n 's/^#include[ \t]*["<]\([^">]*\)[">].*/\1/p' "$f" | head -n 1)
			[ "$first" = "$own" ] || echo "$f: includes \"$first\" before its own header"
		fi
	done
}

# only HEADERS FILES: <HEADERS> (a regular expression) only in FILES (likewise).
only() {
	product | xargs -r grep -En "^[ 	]*#[ 	]*include[ 	]*[<\"]($1)[>\"]" /dev/null | grep -Ev "^($2):" |
		sed "s#\$#  (allowed: $2)#" || :
}

libraries() {
	only '(libelf/)?(libelf|gelf|nlist)\.h' 'formats/elf_[a-z0-9_]*\.c'
	only 'libdwarf/.*|libdwarf\.h' 'formats/dwarf_[a-z0-9_]*\.[ch]'
	only 'dwarf\.h' 'formats/dwarf_[a-z0-9_]*\.[ch]|applier/.*' # libdw has constants of the same name
	only '(Zydis|Zycore)/.*' 'formats/insn_x86\.c'
	only 'zstd.*\.h|zdict\.h' 'formats/zst\.c'
	only 'lzma(/.*)?\.h' 'formats/xz\.c'
	only 'sodium(/.*)?\.h' 'signer/.*|formats/hash\.c|formats/minisign\.c'
	only 'jansson\.h' 'formats/.*|cli/.*|packager/.*'
	only '(sys|linux)/ptrace\.h|sys/user\.h|elfutils/.*' 'applier/.*'
}

# Words that only some files may contain, outside of comments and strings.
printing='\b(stdout|stderr)\b|\b(exit|_Exit|quick_exit|abort|printf|vprintf|puts|putchar|perror|errx?|warnx?|psignal)[ ]*\('
tracing='\b(ptrace|process_vm_(read|write)v)[ ]*\('
words() {
	product | while read -r f; do
		# Only a file that has one of the words at all is worth the preprocessor.
		grep -Eq "$printing|$tracing|struct hp_verified_pkg" "$f" || continue
		code "$f" >"$W/code"
		case $f in
		cli/out.c) ;;
		*)
			grep -En "$printing" "$W/code" |
				sed "s|^|$f:|; s|\$|  (only cli/out.c prints or exits)|" || :
			;;
		esac
		case $f in
		applier/*) ;;
		*) grep -En "$tracing" "$W/code" | sed "s|^|$f:|; s|\$|  (only applier/ touches processes)|" || : ;;
		esac
		case $f in
		signer/verify.c) ;;
		*)
			grep -En 'sizeof[ ]*\([ ]*struct hp_verified_pkg[ ]*\)|\([ ]*(const )?struct hp_verified_pkg[ ]*\*?[ ]*\)[ ]*[A-Za-z_{(&]|^[	 ]*(static |const )*struct hp_verified_pkg [a-z_]+[ ]*(;|=|\[|,)' "$W/code" |
				sed "s|^|$f:|; s|\$|  (only signer/verify.c makes a verified package)|" || :
			;;
		esac
	done
}

check() {
	includes
	libraries
	words
}

# The lint sees each kind of fault ...
bad() { # PATTERN FILE TEXT
	printf '%b\n' "$3" | sample "$2"
	rejects "$1"
}
bad 'base/a.c: includes "formats/hash.h"' base/a.c '#include "formats/hash.h"'
bad 'differ/a.c: includes "packager/x.h"' differ/a.c '#include "packager/x.h"'
bad 'signer/a.h: includes "cli/out.h"' signer/a.h '#include "cli/out.h"'
bad 'applier/arch/a.c: includes "signer/verify.h"' applier/arch/a.c '#include "signer/verify.h"'
bad 'cli/a.c: includes "out.h"' cli/a.c '#include "out.h"'
bad 'cli/a.c: includes "tests/lib/x.h"' cli/a.c '#include "tests/lib/x.h"'
bad 'cli/a.c: includes "differ/internal.h"' cli/a.c '#include "differ/internal.h"'
echo >"$W/h"
sample base/o.h <"$W/h"
bad 'base/o.c: includes "stdio.h" before its own header' base/o.c '#include <stdio.h>\n#include "base/o.h"'
bad 'differ/a.c:1:.*libelf' differ/a.c '#include <libelf.h>'
bad 'formats/hash.c:1:.*gelf' formats/hash.c '#include <gelf.h>'
bad 'formats/elf_x.c:1:.*libdwarf' formats/elf_x.c '#include <libdwarf/libdwarf.h>'
bad 'differ/a.c:1:.*Zydis' differ/a.c '#include <Zydis/Zydis.h>'
bad 'packager/a.c:1:.*zstd' packager/a.c '#include <zstd.h>'
bad 'formats/elf_x.c:1:.*lzma' formats/elf_x.c '#include <lzma.h>'
bad 'cli/a.c:1:.*sodium' cli/a.c '#include <sodium.h>'
bad 'cli/a.c:1:.*ptrace' cli/a.c '#include <sys/ptrace.h>'
bad 'base/a.c:3:.*only cli/out.c' base/a.c '/* a\n b */\nvoid f(void) { fprintf(stderr, "x"); }'
bad 'differ/a.c:1:.*only cli/out.c' differ/a.c 'void f(void) { exit(1); }'
bad 'cli/main.c:1:.*only cli/out.c' cli/main.c 'void f(void) { printf("x"); }'
bad 'cli/main.c:1:.*only applier' cli/main.c 'void f(void) { ptrace(0, 1, 0, 0); }'
bad 'cli/a.c:1:.*verified' cli/a.c 'void f(void) { struct hp_verified_pkg *p = malloc(sizeof(struct hp_verified_pkg)); }'
bad 'cli/a.c:2:.*verified' cli/a.c 'void f(void)\n{ g((struct hp_verified_pkg *)p); }'
bad 'cli/a.c:1:.*verified' cli/a.c '\tstruct hp_verified_pkg v = { 0 };'
# ... and leaves alone what is right.
sample applier/ok.c <<'END'
#include "formats/verified.h"
/* exit( and stderr in a comment, printf("...") too */
int f(const struct hp_verified_pkg *pkg, struct hp_verified_pkg **ret) { return g("stderr exit(1)", snprintf(b, 1, "x")); }
END
sample signer/verify.c <<'END'
#include <sodium.h>
struct hp_verified_pkg *f(void) { return calloc(1, sizeof(struct hp_verified_pkg)); }
END
accepts

lint
