#!/bin/sh
# Man pages: mandoc finds nothing to warn about; every verb has a page; options of `hpbuild VERB --help` and of the page are the same;
# required sections; cross references that exist; the exit statuses of the command.
. tests/lib/lint
need mandoc

# The options that every verb has: a page may leave them to hpbuild(1).
common='color help quiet verbose'

help_of() { # [VERB]
	"${hp:-$hpbuild}" ${1:+"$1"} --help 2>"$W/help.err" || echo "hpbuild ${1:-} --help: exit status $?, $(head -n 1 "$W/help.err")" >&3
}

long_options_of_help() {
	sed -n 's/^  .\{0,4\}--\([a-z0-9][a-z0-9-]*\).*/\1/p' | sort -u
}

long_options_of_page() {
	sed -n '/^\.It.*Fl/{
		s/Fl Fl \([a-z0-9]\)/Fl -\1/g
		p
	}' "$1" | grep -Eo 'Fl -[a-z0-9][a-z0-9-]*' | sed 's/Fl -//' | sort -u
}

options() { # VERB PAGE
	help_of "$1" | long_options_of_help >"$W/in-help"
	long_options_of_page "$2" >"$W/in-page"
	echo "$common" | tr ' ' '\n' >"$W/in-common"
	comm -23 "$W/in-help" "$W/in-page" | comm -23 - "$W/in-common" | sed "s|^|$2: hpbuild $1 --help has an option that the page has not: --|"
	comm -13 "$W/in-help" "$W/in-page" | sed "s|^|$2: the page has an option that hpbuild $1 --help has not: --|"
	[ -s "$W/in-help" ] || echo "hpbuild $1 --help: lists no option"
}

sections() { # PAGE
	case $1 in
	*.1) want='NAME,SYNOPSIS,DESCRIPTION,FILES,EXIT STATUS,EXAMPLES,SECURITY' ;;
	*) want='NAME,DESCRIPTION,SECURITY' ;;
	esac
	echo "$want" | tr ',' '\n' | while read -r s; do
		grep -Eq "^\\.Sh $s( CONSIDERATIONS)?\$" "$1" || echo "$1: no section $s"
	done
}

check() {
	exec 3>&1
	for page in man/*.[1357]; do
		[ -e "$page" ] || continue
		mandoc -Tlint -W warning "$page" 2>&1 || :
		sections "$page"
		sed -n 's/^\.Xr \(h[po][a-z.-]*\) \([1357]\).*/\1.\2/p' "$page" | sort -u | while read -r other; do
			[ -e "man/$other" ] || echo "$page: refers to $other, which does not exist"
		done
	done
	help_of '' | sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' >"$W/verbs"
	[ -s "$W/verbs" ] || echo 'hpbuild --help: lists no verb'
	while read -r verb; do
		page=man/hpbuild-$verb.1
		[ -e "$page" ] || {
			echo "$page: does not exist"
			continue
		}
		options "$verb" "$page"
	done <"$W/verbs"
	for n in 0 1 2 3 4 5 6 7 8 9 10 11; do
		sed -n '/^\.Sh EXIT STATUS/,/^\.Sh [^E]/p' man/hpbuild.1 2>/dev/null | grep -q "^\\.It $n\$" || echo "man/hpbuild.1: exit status $n is not described"
	done
}

# A command with one verb and a page for it, in the folder of samples.
cat >"$W/fake" <<'END'
#!/bin/sh
case $1 in
--help) printf 'Usage: x\n\nVerbs:\n  pack      make\n\nmore\n' ;;
pack) printf 'Options:\n  -o, --output FILE  write\n      --json  print\n  -q, --quiet  less\n' ;;
esac
END
chmod +x "$W/fake"
page() { # SED-SCRIPT: the good page, changed
	{
		printf '.Dd January 2, 2026\n.Dt HPBUILD-PACK 1\n.Os\n.Sh NAME\n.Nm hpbuild-pack\n.Nd make\n.Sh SYNOPSIS\n.Nm\n'
		printf '.Sh DESCRIPTION\nMakes.\n.Bl -tag -width Ds\n.It Fl o Ar F , Fl Fl output Ar F\nwrite\n.It Fl -json\nprint\n.El\n.Sh FILES\nNone.\n'
		printf '.Sh EXIT STATUS\n.Bl -tag -width Ds\n'
		for n in 0 1 2 3 4 5 6 7 8 9 10 11; do printf '.It %s\nx\n' $n; done
		printf '.El\n.Sh EXAMPLES\nNone.\n.Sh SEE ALSO\n.Xr hpbuild 1\n.Sh SECURITY\nNone.\n'
	} | sed "$1" >"$W/page"
	sample man/hpbuild-pack.1 <"$W/page"
	sed '/^\.Xr/d; s/HPBUILD-PACK/HPBUILD/; s/hpbuild-pack/hpbuild/' "$W/page" | sample man/hpbuild.1
}
hp=$W/fake
page 's/^\.Fl Fl output/x/; s/Fl -json/Fl -jsno/'
rejects 'has an option that the page has not: --json'
page 's/Fl -json/Fl -jsno/'
rejects 'the page has an option that .* has not: --jsno'
page '/^\.Sh SECURITY/d'
rejects 'hpbuild-pack.1: no section SECURITY'
page 's/^\.El/.Ell/'
rejects 'mandoc: .*hpbuild-pack.1:.*(WARNING|ERROR)'
page 's/^\.Xr hpbuild 1/.Xr hpbuild-pakc 1/'
rejects 'refers to hpbuild-pakc.1'
page 's/^\.It 11$/.It 12/'
rejects 'exit status 11 is not described'
page ''
rm "$W/bad/man/hpbuild-pack.1"
rejects 'hpbuild-pack.1: does not exist'
page ''
accepts
hp=

lint
