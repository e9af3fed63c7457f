/* Folders that a command works in. */
#ifndef HP_CLI_FOLDER_H
#define HP_CLI_FOLDER_H

#include "base/err.h"

/* hp_folder_make(path, err): with all its parents; one that is there is fine. HP_E_IO. */
HP_MUST_CHECK int hp_folder_make(const char *path, struct hp_err *err);
/* hp_file_copy(from, to, err): to a new file, whose folders are made. HP_E_IO. */
HP_MUST_CHECK int hp_file_copy(const char *from, const char *to, struct hp_err *err);
/* hp_remove_tree(dir): remove a scratch folder that we made, as far as possible. */
void hp_remove_tree(const char *dir);

#endif
