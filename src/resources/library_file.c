#include "resources/library_file.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

#if defined __x86_64__
enum { HERE = EM_X86_64 };
#elif defined __aarch64__
enum { HERE = EM_AARCH64 };
#elif defined __riscv
enum { HERE = EM_RISCV };
#elif defined __powerpc64__
enum { HERE = EM_PPC64 };
#else
enum { HERE = EM_NONE };
#endif

static const char *machine_name(unsigned machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86_64";
    case EM_386:
      return "32-bit x86";
    case EM_AARCH64:
      return "aarch64";
    case EM_ARM:
      return "32-bit Arm";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "ppc64";
    default:
      return "another kind of machine";
  }
}

static kn_status refuse(const char *path, const char *why) {
  return kn_status_make(KN_NOT_INSTALLED, "the library cannot be loaded: %s %s; take a whole one for this machine (%s)",
                        path, why, machine_name(HERE));
}

static bool read_at(int file, void *out, size_t bytes, uint64_t offset) {
  return offset <= INT64_MAX && pread(file, out, bytes, (off_t)offset) == (ssize_t)bytes;
}

static kn_status check_machine(const char *path, const Elf64_Ehdr *head, bool *out_known) {
  const unsigned char byte_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  *out_known = head->e_ident[EI_CLASS] == ELFCLASS64 && head->e_ident[EI_DATA] == byte_order;
  char why[96];
  snprintf(why, sizeof why, "is for %s", machine_name(head->e_machine)); /* at the same place in every class */
  if (HERE != EM_NONE && (!*out_known || head->e_machine != HERE)) return refuse(path, why);
  return *out_known && head->e_type != ET_DYN ? refuse(path, "is a program or an object file, no shared library")
                                              : NULL;
}

/* What the loader maps lies within the file. */
static kn_status check_segments(const char *path, int file, const Elf64_Ehdr *head, uint64_t bytes) {
  for (uint16_t i = 0; i < head->e_phnum; i++) {
    Elf64_Phdr segment;
    if (head->e_phentsize != sizeof segment ||
        !read_at(file, &segment, sizeof segment, head->e_phoff + i * sizeof segment))
      return refuse(path, "is cut off or damaged");
    if (segment.p_type == PT_LOAD && (segment.p_offset > bytes || segment.p_filesz > bytes - segment.p_offset)) {
      char why[96];
      snprintf(why, sizeof why, "is cut off after %llu bytes", (unsigned long long)bytes);
      return refuse(path, why);
    }
  }
  return NULL;
}

kn_status kn_library_file_check(const char *path) {
  Elf64_Ehdr head;
  struct stat found;
  int file;
  bool known;
  KN_TRY(kn_file_open(path, &file));
  kn_status status = NULL;
  if (fstat(file, &found) != 0 || !read_at(file, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) {
    status = refuse(path, "is no library (no ELF file)");
  } else {
    status = check_machine(path, &head, &known);
    if (!status && known) status = check_segments(path, file, &head, (uint64_t)found.st_size);
  }
  close(file);
  return status;
}
