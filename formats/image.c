#include "formats/image.h"

#include <elf.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "formats/limits.h"

#define EH_PE_PCREL_SDATA4 0x1b /* DW_EH_PE_pcrel | DW_EH_PE_sdata4, LSB 4.1 10.6 */
#define PHDRS_MAX 64u

/* Offsets in Elf64_Ehdr and Elf64_Phdr; <elf.h> structs are never cast onto the bytes. */
enum {
	EH_TYPE = 16, EH_MACHINE = 18, EH_PHOFF = 32, EH_PHENTSIZE = 54, EH_PHNUM = 56, EH_LEN = 64,
	PH_TYPE = 0, PH_FLAGS = 4, PH_OFFSET = 8, PH_VADDR = 16, PH_FILESZ = 32, PH_MEMSZ = 40, PH_ALIGN = 48, PH_LEN = 56,
};

static uint64_t
page_up(uint64_t v)
{
	return (v + HP_IMAGE_PAGE - 1) & ~(uint64_t)(HP_IMAGE_PAGE - 1);
}

static int
check_header(struct hp_view file, struct hp_err *err)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	if (file.len < EH_LEN || memcmp(file.p, ident, sizeof(ident)) != 0)
		return hp_err_set(err, HP_E_FORMAT, "payload image: not a little-endian 64-bit ELF file");
	if (hp_le16_get(file.p + EH_TYPE) != ET_DYN)
		return hp_err_set(err, HP_E_FORMAT, "payload image: ELF type %u, want ET_DYN", hp_le16_get(file.p + EH_TYPE));
	if (hp_le16_get(file.p + EH_MACHINE) != EM_X86_64)
		return hp_err_set(err, HP_E_FORMAT, "payload image: ELF machine %u, want x86-64",
		                  hp_le16_get(file.p + EH_MACHINE));
	if (hp_le16_get(file.p + EH_PHENTSIZE) != PH_LEN)
		return hp_err_set(err, HP_E_FORMAT, "payload image: program headers of %u bytes",
		                  hp_le16_get(file.p + EH_PHENTSIZE));
	return 0;
}

static bool
prot_of(uint32_t flags, uint32_t *ret)
{
	switch (flags) {
	case PF_R:
		*ret = PROT_READ;
		return true;
	case PF_R | PF_X:
		*ret = PROT_READ | PROT_EXEC;
		return true;
	case PF_R | PF_W:
		*ret = PROT_READ | PROT_WRITE;
		return true;
	default:
		return false;
	}
}

static int
add_load(struct hp_image *img, const uint8_t *ph, struct hp_err *err)
{
	uint64_t off = hp_le64_get(ph + PH_OFFSET), align = hp_le64_get(ph + PH_ALIGN);
	struct hp_image_seg seg = {
		.va = hp_le64_get(ph + PH_VADDR),
		.file_len = hp_le64_get(ph + PH_FILESZ),
		.mem_len = hp_le64_get(ph + PH_MEMSZ),
	};

	if (img->segs_cnt == HP_IMAGE_SEGS_MAX)
		return hp_err_set(err, HP_E_FORMAT, "payload image: more than %u segments", HP_IMAGE_SEGS_MAX);
	if (!prot_of(hp_le32_get(ph + PH_FLAGS), &seg.prot))
		return hp_err_set(err, HP_E_FORMAT, "payload image: segment flags 0x%x are none of R, RX, RW",
		                  hp_le32_get(ph + PH_FLAGS));
	if (seg.va != off || seg.va % HP_IMAGE_PAGE != 0 || align < HP_IMAGE_PAGE || (align & (align - 1)) != 0)
		return hp_err_set(err, HP_E_FORMAT, "payload image: segment at 0x%" PRIx64 ", offset 0x%" PRIx64 " is misplaced",
		                  seg.va, off);
	if (seg.mem_len == 0 || seg.file_len > seg.mem_len || !hp_view_has(img->file, off, seg.file_len))
		return hp_err_set(err, HP_E_FORMAT, "payload image: segment at 0x%" PRIx64 " has bad sizes", seg.va);
	if (seg.va > HP_PKG_RAW_LEN_MAX || seg.mem_len > HP_PKG_RAW_LEN_MAX - seg.va)
		return hp_err_set(err, HP_E_FORMAT, "payload image: segment at 0x%" PRIx64 " ends beyond the limit", seg.va);
	if (seg.va < img->mem_len)
		return hp_err_set(err, HP_E_FORMAT, "payload image: segments unsorted or sharing a page at 0x%" PRIx64, seg.va);
	img->mem_len = page_up(seg.va + seg.mem_len);
	img->segs[img->segs_cnt++] = seg;
	return 0;
}

/* Length of the .eh_frame that starts at ${va}: records are length-prefixed and end with a zero length or with the segment. */
static int
measure_eh_frame(struct hp_image *img, uint64_t va, struct hp_err *err)
{
	const struct hp_image_seg *seg = hp_image_seg_at(img, va, 4);
	uint64_t end, pos = va;

	if (seg == NULL || va < seg->va || va - seg->va > seg->file_len)
		return hp_err_set(err, HP_E_FORMAT, "payload image: .eh_frame at 0x%" PRIx64 " is outside", va);
	end = seg->va + seg->file_len;
	while (end - pos >= 4) {
		uint32_t len = hp_le32_get(img->file.p + pos);

		pos += 4;
		if (len == 0)
			break;
		if (len == 0xffffffffu || len > end - pos)
			return hp_err_set(err, HP_E_FORMAT, "payload image: .eh_frame record at 0x%" PRIx64 " is too long",
			                  pos - 4);
		pos += len;
	}
	img->eh_frame_va = va;
	img->eh_frame_len = pos - va;
	return 0;
}

static int
find_eh_frame(struct hp_image *img, const uint8_t *ph, struct hp_err *err)
{
	uint64_t va = hp_le64_get(ph + PH_VADDR), len = hp_le64_get(ph + PH_FILESZ);
	const struct hp_image_seg *seg = hp_image_seg_at(img, va, len);
	const uint8_t *hdr;

	if (hp_le64_get(ph + PH_OFFSET) != va || len < 8 || seg == NULL || va + len - seg->va > seg->file_len)
		return hp_err_set(err, HP_E_FORMAT, "payload image: PT_GNU_EH_FRAME at 0x%" PRIx64 " is outside", va);
	hdr = img->file.p + va;
	if (hdr[0] != 1 || hdr[1] != EH_PE_PCREL_SDATA4)
		return hp_err_set(err, HP_E_FORMAT, "payload image: .eh_frame_hdr version %u, encoding 0x%x", hdr[0], hdr[1]);
	return measure_eh_frame(img, va + 4 + (uint64_t)(int64_t)(int32_t)hp_le32_get(hdr + 4), err);
}

int
hp_image_read(struct hp_view file, struct hp_image *ret, struct hp_err *err)
{
	struct hp_image img = { .file = file };
	const uint8_t *eh = NULL;
	struct hp_view phdrs;
	uint32_t cnt;
	int r;

	r = check_header(file, err);
	if (r < 0)
		return r;
	cnt = hp_le16_get(file.p + EH_PHNUM);
	if (cnt == 0 || cnt > PHDRS_MAX || !hp_view_sub(file, hp_le64_get(file.p + EH_PHOFF), (uint64_t)cnt * PH_LEN, &phdrs))
		return hp_err_set(err, HP_E_FORMAT, "payload image: %" PRIu32 " program headers do not lie in the file", cnt);
	for (uint32_t i = 0; i < cnt; i++) {
		const uint8_t *ph = phdrs.p + (size_t)i * PH_LEN;
		uint32_t type = hp_le32_get(ph + PH_TYPE);

		switch (type) {
		case PT_LOAD:
			r = add_load(&img, ph, err);
			if (r < 0)
				return r;
			break;
		case PT_GNU_EH_FRAME:
			if (eh != NULL)
				return hp_err_set(err, HP_E_FORMAT, "payload image: two PT_GNU_EH_FRAME");
			eh = ph;
			break;
		case PT_NULL:
		case PT_NOTE:
		case PT_PHDR:
		case PT_GNU_STACK:
		case PT_GNU_PROPERTY:
			break; /* say nothing about what is mapped */
		default:
			return hp_err_set(err, HP_E_FORMAT, "payload image: program header %" PRIu32 " of type 0x%x", i, type);
		}
	}
	if (img.segs_cnt == 0)
		return hp_err_set(err, HP_E_FORMAT, "payload image: no PT_LOAD segment");
	if (eh != NULL) {
		r = find_eh_frame(&img, eh, err);
		if (r < 0)
			return r;
	}
	*ret = img;
	return 0;
}

const struct hp_image_seg *
hp_image_seg_at(const struct hp_image *img, uint64_t va, uint64_t len)
{
	for (uint32_t i = 0; i < img->segs_cnt; i++) {
		const struct hp_image_seg *seg = &img->segs[i];

		if (va >= seg->va && va - seg->va <= seg->mem_len && len <= seg->mem_len - (va - seg->va))
			return seg;
	}
	return NULL;
}
