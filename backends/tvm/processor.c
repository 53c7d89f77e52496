#include "processor.h"

#include <stdio.h>
#include <string.h>

#if defined __x86_64__
/* Names that LLVM and the compiler's test share. */
/* clang-format off */
#define FEATURES(X) \
  X("sse3") X("ssse3") X("sse4.1") X("sse4.2") X("popcnt") X("avx") X("avx2") X("fma") X("bmi") X("bmi2") X("f16c") \
  X("avx512f") X("avx512bw") X("avx512cd") X("avx512dq") X("avx512vl") X("avx512vnni") X("avx512vbmi") \
  X("avx512vbmi2") X("avx512ifma") X("avx512bf16") X("avx512bitalg") X("avx512vpopcntdq")
/* clang-format on */

static bool has(const char *name, size_t length) {
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
