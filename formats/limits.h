/* Every maximum in one place: value, unit, reason. A reader checks a size against its limit before it allocates. */
#ifndef HP_FORMATS_LIMITS_H
#define HP_FORMATS_LIMITS_H

/* Inputs of the build side: bytes. The largest real objects with debug information are a few hundred MB. */
#define HP_ELF_LEN_MAX ((uint64_t)4 << 30)
#define HP_ELF_SECTIONS_MAX ((uint32_t)1 << 22) /* -ffunction-sections on a huge unit gives ~10^6 */
#define HP_ELF_SYMBOLS_MAX ((uint64_t)1 << 26)
#define HP_XZ_MEMORY_MAX ((uint64_t)128 << 20)  /* bytes for the decoder; xz -9 needs 65 MiB */
#define HP_MINI_DEBUG_LEN_MAX ((uint64_t)64 << 20) /* bytes of .gnu_debugdata, decompressed: a million function symbols */

/* Package (see hpk(5)). */
#define HP_PKG_LEN_MAX ((uint64_t)256 << 20)        /* bytes of a package file */
#define HP_PKG_CHUNKS_MAX 256u                      /* rows of the chunk table */
#define HP_PKG_RAW_LEN_MAX ((uint64_t)256 << 20)    /* bytes of all chunks of a package after decompression */
#define HP_PKG_RATIO_MAX 1024u                      /* raw bytes per stored byte of a compressed chunk */
#define HP_PKG_TARGETS_MAX 64u                      /* modules in one package */
#define HP_PKG_FUNCTIONS_MAX 65536u                 /* replaced functions of one target */
#define HP_PKG_FIXUPS_MAX ((uint32_t)1 << 22)       /* fixups of one target */
#define HP_PKG_IMPORTS_MAX 65536u
#define HP_PKG_HOOKS_MAX 256u                       /* hooks of one target */
#define HP_PKG_VARIABLES_MAX 65536u                 /* new variables of one target */
#define HP_PKG_SIGS_MAX 32u                         /* signature records */
#define HP_MANIFEST_LEN_MAX ((uint64_t)16 << 20)    /* bytes of JSON */
#define HP_MANIFEST_DEPTH_MAX 16u                   /* nested arrays and objects */
#define HP_MANIFEST_LIST_MAX 4096u                  /* elements of fixes, supersedes, waivers, toolchain */
#define HP_MANIFEST_VALUES_MAX ((uint32_t)1 << 20)  /* members and elements: bounds the parser's memory, ~100 bytes each */
#define HP_MANIFEST_NODES_MAX ((uint32_t)1 << 17)   /* objects and arrays: likewise, ~400 bytes each */
#define HP_MANIFEST_INT_MAX (((uint64_t)1 << 53) - 1) /* largest integer that every JSON reader keeps exact (RFC 8259) */
#define HP_NAME_LEN_MAX 4096u                       /* bytes of one symbol or file name */
#define HP_KEY_FILE_LEN_MAX ((uint64_t)4096)        /* bytes of a minisign key or signature file */
#define HP_BUILD_ID_LEN_MIN 8u                      /* bytes */
#define HP_BUILD_ID_LEN_MAX 64u                     /* bytes; GNU build IDs have 8, 16 or 20, others up to 64 */

#endif
