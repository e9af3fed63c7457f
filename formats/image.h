/* Payload image: the ELF file (ET_DYN, x86-64, virtual addresses from 0) that is laid out when packing.
 *
 * Up to three PT_LOAD segments, each starting on a page of its own: code (R+X), constants (R, with .eh_frame and .eh_frame_hdr),
 * variables (R+W, with .bss). File offset = virtual address for the loaded parts, so that a process gets exactly
 * the file's bytes. No dynamic section, no relocations: fixups are beside the image. Section headers, .symtab and .strtab
 * behind the loaded parts serve readelf, objdump and gdb only; the applier looks at the program headers and nothing else.
 */
#ifndef HP_FORMATS_IMAGE_H
#define HP_FORMATS_IMAGE_H

#include <stdint.h>

#include "base/err.h"
#include "base/view.h"

#define HP_IMAGE_PAGE 4096u
#define HP_IMAGE_SEGS_MAX 4u

struct hp_image_seg {
	uint64_t va;       /* page aligned; also the file offset */
	uint64_t file_len; /* bytes from the file */
	uint64_t mem_len;  /* bytes in memory, the rest is zero */
	uint32_t prot;     /* PROT_READ, PROT_READ|PROT_EXEC or PROT_READ|PROT_WRITE */
};

struct hp_image {
	struct hp_view file;
	struct hp_image_seg segs[HP_IMAGE_SEGS_MAX]; /* ascending, disjoint pages */
	uint32_t segs_cnt;
	uint64_t mem_len; /* bytes of address space from va 0, whole pages */
	uint64_t eh_frame_va, eh_frame_len; /* of PT_GNU_EH_FRAME's .eh_frame; 0 = none */
};

/* hp_image_read(file, ret, err): check an image as hostile input: header, program headers in order, page alignment,
 * sizes inside the file and HP_PKG_RAW_LEN_MAX, never writable and executable. HP_E_FORMAT otherwise. */
HP_MUST_CHECK int hp_image_read(struct hp_view file, struct hp_image *ret, struct hp_err *err);
/* hp_image_seg_at(img, va, len): the segment that holds [va, va+len) in memory, NULL if none does. */
const struct hp_image_seg *hp_image_seg_at(const struct hp_image *img, uint64_t va, uint64_t len);

#endif
