/* Runs a program on a kernel that is as old as the boards out there.
 *
 *   old_kernel PROGRAM ARGUMENT...
 *
 * Every system call that came after Linux 4.9 says ENOSYS, for the program and for all that it starts. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The first number that is later: statx, of 4.11. */
#if defined __x86_64__
enum { LATER = 332 };
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
enum { LATER = 291 };
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which system calls does this architecture have?"
#endif

int main(int count, char **arguments) {
  static struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LATER, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  static const struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
  if (count < 2) return 127;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    fprintf(stderr, "no filter of system calls: %s\n", strerror(errno));
    return errno == EINVAL || errno == ENOSYS ? 77 : 127;
  }
  execvp(arguments[1], arguments + 1);
  fprintf(stderr, "%s: %s\n", arguments[1], strerror(errno));
  return 127;
}
