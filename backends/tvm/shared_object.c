#include "shared_object.h"

#include <elf.h>
#include <string.h>

static bool inside(const kn_tvm_elf *elf, uint64_t offset, uint64_t bytes) {
  return offset <= elf->count && bytes <= elf->count - offset;
}

static Elf64_Shdr section_at(const kn_tvm_elf *elf, uint64_t index) {
  Elf64_Shdr section;
  memcpy(&section, elf->bytes + elf->sections + index * sizeof section, sizeof section);
  return section;
}

static kn_status damaged(const char *what) {
  return kn_status_make(KN_BAD_DATA, "the compiled library is damaged: %s", what);
}

static kn_status check_segments(const kn_tvm_elf *elf, const Elf64_Ehdr *head) {
  if (head->e_phentsize != sizeof(Elf64_Phdr) ||
      !inside(elf, head->e_phoff, (uint64_t)head->e_phnum * sizeof(Elf64_Phdr)))
    return damaged("its table of segments is incomplete");
  for (uint16_t i = 0; i < head->e_phnum; i++) {
    Elf64_Phdr segment;
    memcpy(&segment, elf->bytes + head->e_phoff + i * sizeof segment, sizeof segment);
    if (!inside(elf, segment.p_offset, segment.p_filesz)) return damaged("a segment is incomplete");
  }
  return NULL;
}

static kn_status find_symbols(kn_tvm_elf *elf) {
  for (uint64_t i = 0; i < elf->section_count; i++) {
    Elf64_Shdr section = section_at(elf, i);
    if (section.sh_type != SHT_NOBITS && !inside(elf, section.sh_offset, section.sh_size))
      return damaged("a section is incomplete");
    if (section.sh_type != SHT_DYNSYM) continue;
    if (section.sh_entsize != sizeof(Elf64_Sym) || section.sh_link >= elf->section_count)
      return damaged("its symbols are unreadable");
    Elf64_Shdr names = section_at(elf, section.sh_link);
    if (!inside(elf, names.sh_offset, names.sh_size) || !names.sh_size ||
        elf->bytes[names.sh_offset + names.sh_size - 1])
      return damaged("the names of its symbols are unreadable");
    elf->symbols = section.sh_offset;
    elf->symbol_count = section.sh_size / sizeof(Elf64_Sym);
    elf->names = elf->bytes + names.sh_offset;
    elf->names_bytes = names.sh_size;
  }
  return elf->names ? NULL : damaged("it has no symbols");
}

kn_status kn_tvm_elf_read(const char *bytes, size_t count, kn_tvm_elf *out_elf) {
  Elf64_Ehdr head;
  *out_elf = (kn_tvm_elf){.bytes = bytes, .count = count};
  if (count < sizeof head || memcmp(bytes, ELFMAG, SELFMAG) != 0)
    return kn_status_make(KN_BAD_DATA, "this is no compiled library (no ELF file)");
  memcpy(&head, bytes, sizeof head);
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB)
    return kn_status_make(KN_INCOMPATIBLE, "the compiled library is for a machine of another word size or byte order");
  if (head.e_type != ET_DYN) return kn_status_make(KN_BAD_DATA, "this is an ELF file, but no shared library");
  out_elf->machine = head.e_machine;
  out_elf->sections = head.e_shoff;
  out_elf->section_count = head.e_shnum;
  if (head.e_shentsize != sizeof(Elf64_Shdr) ||
      !inside(out_elf, head.e_shoff, (uint64_t)head.e_shnum * sizeof(Elf64_Shdr)))
    return damaged("its table of sections is incomplete");
  KN_TRY(check_segments(out_elf, &head));
  return find_symbols(out_elf);
}

void kn_tvm_elf_symbol(const kn_tvm_elf *elf, const char *name, const char **out_data, size_t *out_bytes) {
  *out_data = NULL;
  *out_bytes = 0;
  for (uint64_t i = 0; i < elf->symbol_count; i++) {
    Elf64_Sym symbol;
    memcpy(&symbol, elf->bytes + elf->symbols + i * sizeof symbol, sizeof symbol);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= elf->section_count || symbol.st_name >= elf->names_bytes ||
        strcmp(elf->names + symbol.st_name, name) != 0)
      continue;
    Elf64_Shdr section = section_at(elf, symbol.st_shndx);
    if (section.sh_type == SHT_NOBITS || symbol.st_value < section.sh_addr) return;
    uint64_t place = symbol.st_value - section.sh_addr;
    if (place > section.sh_size || symbol.st_size > section.sh_size - place) return;
    *out_data = elf->bytes + section.sh_offset + place;
    *out_bytes = symbol.st_size;
    return;
  }
}

static const struct {
  uint16_t machine;
  const char *name;
} machines[] = {{EM_X86_64, "x86_64"}, {EM_AARCH64, "aarch64"}, {EM_RISCV, "riscv64"}, {EM_PPC64, "ppc64le"}};

const char *kn_tvm_elf_machine_name(uint16_t machine) {
  for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
    if (machines[i].machine == machine) return machines[i].name;
  return "an unknown machine";
}

uint16_t kn_tvm_elf_machine_here(void) {
#if defined __x86_64__
  return EM_X86_64;
#elif defined __aarch64__
  return EM_AARCH64;
#else
  return EM_NONE;
#endif
}
