#include "processor_identity.h"

#include <string.h>

#include <kenning/services.h>

kn_status kn_processor_identity(char hex[65]) {
  char *text = NULL;
  size_t bytes = 0;
  KN_TRY(kn_file_read("/proc/cpuinfo", 0, &text, &bytes));
  const char *const keys[] = {"model name", "flags", "Features", "CPU part"};
  char *identity = kn_strdup("");
  for (size_t i = 0; identity && i < sizeof keys / sizeof *keys; i++) {
    const char *at = strstr(text, keys[i]);
    char *longer = kn_format("%s%.*s\n", identity, at ? (int)strcspn(at, "\n") : 0, at ? at : "");
    kn_free(identity);
    identity = longer;
  }
  kn_status status = identity ? kn_sha256(identity, strlen(identity), hex) : kn_status_out_of_memory();
  kn_free(identity);
  kn_free(text);
  return status;
}
