/* hpbuild-live: the verbs that touch processes. A program of its own, because libdw and libdwarf cannot share a process. */
#include "cli/cmd.h"

static const struct hp_cmd cmds[] = {
	{ "apply", hp_cmd_apply, "apply a package to a running process" },
	{ "revert", hp_cmd_revert, "take an applied package back" },
	{ "run", hp_cmd_run, "start a program with a package applied" },
	{ "status", hp_cmd_status, "show what is applied to a process" },
};

int
main(int argc, char **argv)
{
	return hp_cmd_main("hpbuild-live", cmds, sizeof(cmds) / sizeof(cmds[0]), argc, argv);
}
