#include "cli/cmd.h"

static const struct hp_cmd cmds[] = {
	{ "diff", hp_cmd_diff, "compare original and patched objects; say whether the fix can be hot" },
	{ "build", hp_cmd_build, "from a source patch to a package" },
	{ "pack", hp_cmd_pack, "make a package from original and patched objects" },
	{ "keygen", hp_cmd_keygen, "make a key pair" },
	{ "key", hp_cmd_key, "list, trust, revoke and rotate keys" },
	{ "sign", hp_cmd_sign, "add a signature to a package" },
	{ "verify", hp_cmd_verify, "check signatures, and the package against a baseline" },
	{ "inspect", hp_cmd_inspect, "show what is in a package" },
	{ "extract", hp_cmd_extract, "write a package's parts to a folder" },
	{ "explain", hp_cmd_explain, "explain a verdict rule" },
	{ "apply", hp_cmd_live, "apply a package to a running process" },
	{ "revert", hp_cmd_live, "take an applied package back" },
	{ "run", hp_cmd_live, "start a program with a package applied" },
	{ "status", hp_cmd_live, "show what is applied to a process" },
};

int
main(int argc, char **argv)
{
	return hp_cmd_main("hpbuild", cmds, sizeof(cmds) / sizeof(cmds[0]), argc, argv);
}
