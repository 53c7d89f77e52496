#include "processor.h"

#include <stdio.h>
#include <string.h>

#if defined __x86_64__
#include <cpuid.h>

/* Names that LLVM and the compiler's test share. */
/* clang-format off */
#define FEATURES(X) \
  X("sse3") X("ssse3") X("sse4.1") X("sse4.2") X("popcnt") X("avx") X("avx2") X("fma") X("bmi") X("bmi2") \
  X("avx512f") X("avx512bw") X("avx512cd") X("avx512dq") X("avx512vl") X("avx512vnni") X("avx512vbmi") \
  X("avx512vbmi2") X("avx512ifma") X("avx512bf16") X("avx512bitalg") X("avx512vpopcntdq")
/* clang-format on */

/* A name that clang's test lacks. As all of AVX it takes an operating system that saves the wide registers. */
static bool has_f16c(void) {
  unsigned a, b, c, d;
  return __builtin_cpu_supports("avx") && __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}

static bool has(const char *name, size_t length) {
  if (length == 4 && !memcmp(name, "f16c", length)) return has_f16c();
#define TEST(feature) \
  if (length == sizeof feature - 1 && !memcmp(name, feature, length)) return __builtin_cpu_supports(feature) != 0;
  FEATURES(TEST)
#undef TEST
  return true;
}
#else
static bool has(const char *name, size_t length) {
  (void)name;
  (void)length;
  return true;
}
#endif

bool kn_tvm_processor_lacks(const char *features, char *out, size_t size) {
  size_t used = 0;
  out[0] = '\0';
  while (*features) {
    size_t length = strcspn(features, ",");
    if (!has(features, length) && used + length + 3 < size)
      used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? ", " : "", (int)length, features);
    features += length + (features[length] == ',');
  }
  return used > 0;
}
