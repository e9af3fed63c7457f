/* elfutils' debuginfod client. It brings curl, TLS and a network along, so it is loaded on demand (see ARCHITECTURE.md). */
#ifndef HP_CLI_DEBUGINFOD_H
#define HP_CLI_DEBUGINFOD_H

#include "base/err.h"
#include "base/view.h"

/* hp_debuginfod_get(build_id, ret_path, err): the debug file of this build, in the client's cache folder; *ret_path is the
 * caller's. Returns 1 found, 0 no server of DEBUGINFOD_URLS has it, HP_E_IO: no library, no server, or none answers. */
HP_MUST_CHECK int hp_debuginfod_get(struct hp_view build_id, char **ret_path, struct hp_err *err);

#endif
