#include "formats/elf_archive.h"

#include <errno.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

#define MEMBERS_MAX ((size_t)1000000)

/* libelf walks archives through a file descriptor only ("invalid file descriptor" after elf_memory(), tried), and the members'
 * places are asked for, not their bytes: so it gets a copy in memory. */
static int
copy_to_fd(struct hp_view file, const char *path, struct hp_err *err)
{
	int fd = memfd_create("hpbuild-archive", MFD_CLOEXEC);

	for (size_t done = 0; fd >= 0 && done < file.len;) {
		ssize_t n = write(fd, file.p + done, file.len - done);

		if (n <= 0 && errno != EINTR) {
			(void)close(fd);
			fd = -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return fd >= 0 ? fd : hp_err_set(err, HP_E_IO, "cannot copy '%s' to memory", hp_esc(path));
}

static void
elf_end_auto(Elf **elf)
{
	(void)elf_end(*elf);
}

static int
by_name(const void *a, const void *b)
{
	const struct hp_archive_member *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : x->order < y->order ? -1 : x->order > y->order;
}

/* One more member; libelf has checked its header, we check that its bytes lie inside of the file. */
static int
add_member(Elf *member, struct hp_view file, const char *path, struct hp_arena *arena, struct hp_archive_member *ret,
           struct hp_err *err)
{
	const Elf_Arhdr *header = elf_getarhdr(member);
	int64_t base = elf_getbase(member);

	if (header == NULL || base < 0 || header->ar_size < 0 ||
	    !hp_view_sub(file, (uint64_t)base, (uint64_t)header->ar_size, &ret->data))
		return hp_err_set(err, HP_E_FORMAT, "'%s': damaged archive: %s", hp_esc(path), elf_errmsg(-1));
	ret->name = hp_arena_strdup(arena, header->ar_name != NULL ? header->ar_name : "");
	return ret->name != NULL ? 0 : hp_err_set(err, HP_E_NOMEM, "no memory for the members of '%s'", hp_esc(path));
}

static int
walk(int fd, Elf *ar, struct hp_view file, const char *path, struct hp_arena *arena, struct hp_archive_member **v, size_t *cnt,
     struct hp_err *err)
{
	size_t cap = 0;
	Elf_Cmd cmd = ELF_C_READ;

	while (cmd != ELF_C_NULL) {
		HP_AUTO(elf_end) Elf *member = elf_begin(fd, cmd, ar);
		int r;

		if (member == NULL)
			return 0;
		if (*cnt == MEMBERS_MAX)
			return hp_err_set(err, HP_E_LIMIT, "'%s': more than %zu members", hp_esc(path), MEMBERS_MAX);
		if (*cnt == cap) {
			struct hp_archive_member *bigger = realloc(*v, (cap = cap ? cap * 2 : 64) * sizeof(*bigger));

			if (bigger == NULL)
				return hp_err_set(err, HP_E_NOMEM, "no memory for the members of '%s'", hp_esc(path));
			*v = bigger;
		}
		r = add_member(member, file, path, arena, &(*v)[*cnt], err);
		if (r < 0)
			return r;
		(*v)[*cnt].order = *cnt;
		/* "/" is the symbol table, "//" the table of long names. */
		*cnt += (*v)[*cnt].name[0] != '/' && (*v)[*cnt].name[0] != '\0';
		cmd = elf_next(member);
	}
	return 0;
}

int
hp_archive_list(struct hp_view file, const char *path, struct hp_arena *arena, struct hp_archive_member **ret, size_t *ret_cnt,
                struct hp_err *err)
{
	HP_AUTO(hp_mem) struct hp_archive_member *v = NULL;
	HP_AUTO(hp_fd) int fd = -1;
	HP_AUTO(elf_end) Elf *ar = NULL;
	size_t cnt = 0;
	int r;

	if (file.len >= 8 && memcmp(file.p, "!<thin>\n", 8) == 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': a thin archive: give the folder of its objects instead", hp_esc(path));
	if (file.len < 8 || memcmp(file.p, "!<arch>\n", 8) != 0)
		return hp_err_set(err, HP_E_FORMAT, "'%s': not an archive", hp_esc(path));
	if (elf_version(EV_CURRENT) == EV_NONE)
		return hp_err_set(err, HP_E_INTERNAL, "libelf is too old");
	fd = copy_to_fd(file, path, err);
	if (fd < 0)
		return fd;
	ar = elf_begin(fd, ELF_C_READ, NULL);
	if (ar == NULL || elf_kind(ar) != ELF_K_AR)
		return hp_err_set(err, HP_E_FORMAT, "'%s': damaged archive: %s", hp_esc(path), elf_errmsg(-1));
	r = walk(fd, ar, file, path, arena, &v, &cnt, err);
	if (r < 0)
		return r;
	if (cnt > 0)
		qsort(v, cnt, sizeof(*v), by_name);
	*ret = hp_arena_array(arena, cnt, sizeof(**ret));
	if (*ret == NULL)
		return hp_err_set(err, HP_E_NOMEM, "no memory for the members of '%s'", hp_esc(path));
	if (cnt > 0)
		memcpy(*ret, v, cnt * sizeof(*v));
	*ret_cnt = cnt;
	return 0;
}
