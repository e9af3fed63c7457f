/* One verb of the command line: `struct hp_cmd` in a table of main.c or live_main.c, one file cmd_<verb>.c each.
 *
 * A verb parses its options (cli/opts.h), calls the libraries and prints through cli/out.h. It returns the exit status of
 * DESIGN section 8 (hp_out_fail() computes it from an error record).
 */
#ifndef HP_CLI_CMD_H
#define HP_CLI_CMD_H

#define HP_VERSION "0.1.0"
#define HP_JOBS_MAX 256u /* threads that -j may ask for */

enum hp_exit {
	HP_EXIT_OK = 0,
	HP_EXIT_FAILED = 1,       /* could not be done (I/O, internal) */
	HP_EXIT_USAGE = 2,
	HP_EXIT_NOTHING = 3,      /* nothing to patch */
	HP_EXIT_REFUSED = 4,      /* needs a restart */
	HP_EXIT_BASELINE = 5,     /* baseline mismatch */
	HP_EXIT_SIGNATURE = 6,    /* missing, wrong or not trusted */
	HP_EXIT_FORMAT = 7,       /* malformed input */
	HP_EXIT_EXPIRED = 8,      /* expired, or older than allowed */
	HP_EXIT_BUSY = 9,         /* target busy, gone, or modified by someone else; nothing was changed */
	HP_EXIT_UNPATCHABLE = 10, /* this target cannot be patched; nothing was changed */
	HP_EXIT_UNDO = 11,        /* undo failed: see `status` */
};

struct hp_cmd {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
	const char *help;                  /* one line for `hpbuild --help` */
};

/* hp_cmd_main(prog, cmds, cnt, argc, argv): --help, --version, dispatch, flush. Returns the exit status. */
int hp_cmd_main(const char *prog, const struct hp_cmd *cmds, unsigned cnt, int argc, char **argv);

int hp_cmd_diff(int argc, char **argv);
int hp_cmd_build(int argc, char **argv);
int hp_cmd_pack(int argc, char **argv);
int hp_cmd_keygen(int argc, char **argv);
int hp_cmd_key(int argc, char **argv);
int hp_cmd_sign(int argc, char **argv);
int hp_cmd_verify(int argc, char **argv);
int hp_cmd_inspect(int argc, char **argv);
int hp_cmd_extract(int argc, char **argv);
int hp_cmd_explain(int argc, char **argv);
/* Runs libexec/hpbuild/hpbuild-live with the same arguments; does not return when that program exists. */
int hp_cmd_live(int argc, char **argv);
/* The live program's own verbs. */
int hp_cmd_apply(int argc, char **argv);
int hp_cmd_revert(int argc, char **argv);
int hp_cmd_run(int argc, char **argv);
int hp_cmd_status(int argc, char **argv);

#endif
