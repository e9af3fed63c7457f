/* The only place that writes to stdout and stderr. Results go to stdout, messages to stderr. */
#ifndef HP_CLI_OUT_H
#define HP_CLI_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Result text on stdout. A write error is remembered and reported by hp_out_finish(). */
void hp_out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* hp_out_json(value): print ${value} (sorted keys, indented, ASCII only: no bidi tricks on a terminal) and release it. */
void hp_out_json(json_t *value);
/* hp_json_text(s): a JSON string of untrusted text: as it is when it is UTF-8, else as messages show it. Output is ASCII anyway.
 */
json_t *hp_json_text(const char *s);
/* hp_out_bytes(p, len): raw bytes on stdout. */
void hp_out_bytes(const void *p, size_t len);
/* hp_out_lines(p, len): text from outside; on a terminal control bytes other than tab and newline are escaped. */
void hp_out_lines(const void *p, size_t len);
/* A message on stderr ("hpbuild: ..."), not with -q. */
void hp_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A message on stderr with -v only. */
void hp_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A warning on stderr, also with -q: something the user must see although the command goes on. */
void hp_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An error message on stderr; returns HP_EXIT_USAGE: for wrong use of options that the table cannot see. */
int hp_usage_error(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* hp_out_fail(err, json): report a failure on stderr, and with ${json} also as hpbuild.error/1 on stdout; returns the exit
 * status. */
int hp_out_fail(const struct hp_err *err, bool json);
/* Exit status that belongs to an enum hp_code. */
int hp_exit_status(int code);
/* hp_out_finish(status): flush stdout; HP_EXIT_FAILED with a message when that failed and ${status} is 0. */
int hp_out_finish(int status);

/* Colour and progress: hp_color("1;31") is the escape sequence or "" when colour is off for stderr. */
const char *hp_color(const char *sgr);
/* hp_prompt(text, answered): "text: " on stderr, also with -q; with ${answered}, the newline that a hidden answer lacks. */
void hp_prompt(const char *text, bool answered);
/* hp_progress(done, total, what): a status line on stderr, only on a terminal and not with -q; done == total clears it. */
void hp_progress(size_t done, size_t total, const char *what);

#endif
