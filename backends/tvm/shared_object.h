/* Shared objects as files: whether one is whole and for which machine, and the contents of its symbols, without opening
 * it. 64-bit, little-endian. */
#ifndef KN_TVM_SHARED_OBJECT_H
#define KN_TVM_SHARED_OBJECT_H

#include <kenning/status.h>

typedef struct kn_tvm_elf {
  const char *bytes; /* borrowed */
  size_t count;
  uint16_t machine;                 /* EM_X86_64, ... */
  uint64_t sections, section_count; /* offset of the table */
  uint64_t symbols, symbol_count;   /* of the dynamic symbols */
  const char *names;
  uint64_t names_bytes;
} kn_tvm_elf;

/* KN_BAD_DATA unless the bytes are a whole shared object with dynamic symbols. */
kn_status kn_tvm_elf_read(const char *bytes, size_t count, kn_tvm_elf *out_elf) KN_MUST_USE;
/* Contents of a defined symbol; *out_data is NULL where there is none of that name or it has no contents in the file.
 */
void kn_tvm_elf_symbol(const kn_tvm_elf *elf, const char *name, const char **out_data, size_t *out_bytes);
/* "x86_64", "aarch64", "riscv64", ...; "an unknown machine". */
const char *kn_tvm_elf_machine_name(uint16_t machine);
/* What programs of this machine are. */
uint16_t kn_tvm_elf_machine_here(void);

#endif
