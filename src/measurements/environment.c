#include "measurements/environment.h"

#include "measurements/procfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { TEXT_BYTES = 1 << 16 };

/* Splits `text` at spaces, in place. */
static kn_status put_words(char *text, const char *key, kn_record *record) {
  size_t count = 0, room = strlen(text) / 2 + 1;
  const char **words = kn_alloc_array(room, sizeof *words);
  if (!words) return kn_status_out_of_memory();
  char *rest = NULL;
  for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) words[count++] = word;
  kn_status status = kn_record_set_strings(record, key, words, count);
  kn_free(words);
  return status;
}

kn_status kn_environment_put_cpu(const char *cpuinfo, kn_record *record) {
  /* x86 has "model name" and "flags", 64-bit ARM "Features" and, on some boards, "Model". */
  char model[256];
  if (kn_procfs_field(cpuinfo, "model name", model, sizeof model) ||
      kn_procfs_field(cpuinfo, "Model", model, sizeof model) ||
      kn_procfs_field(cpuinfo, "CPU part", model, sizeof model))
    KN_TRY(kn_record_set_string(record, "cpu_model", model));
  char *flags = kn_alloc(TEXT_BYTES);
  if (!flags) return kn_status_out_of_memory();
  kn_status status = NULL;
  if (kn_procfs_field(cpuinfo, "flags", flags, TEXT_BYTES) || kn_procfs_field(cpuinfo, "Features", flags, TEXT_BYTES))
    status = put_words(flags, "cpu_flags", record);
  kn_free(flags);
  return status;
}

/* PRETTY_NAME of os-release: NAME="value" lines. */
static kn_status put_os(const char *text, kn_record *record) {
  static const char key[] = "PRETTY_NAME=";
  for (const char *line = text; *line;) {
    size_t length = strcspn(line, "\n");
    if (!strncmp(line, key, sizeof key - 1)) {
      const char *value = line + sizeof key - 1;
      size_t bytes = length - (sizeof key - 1);
      if (bytes > 1 && (*value == '"' || *value == '\'')) value++, bytes -= 2;
      char *name = kn_strndup(value, bytes);
      kn_status status = name ? kn_record_set_string(record, "os", name) : kn_status_out_of_memory();
      kn_free(name);
      return status;
    }
    line += length + (line[length] == '\n');
  }
  return NULL;
}

static kn_status put_files(char *text, kn_record *record) {
  if (kn_procfs_read("/etc/os-release", text, TEXT_BYTES)) KN_TRY(put_os(text, record));
  if (kn_procfs_read("/proc/cpuinfo", text, TEXT_BYTES)) KN_TRY(kn_environment_put_cpu(text, record));
  char value[64];
  if (kn_procfs_read("/proc/meminfo", text, TEXT_BYTES) && kn_procfs_field(text, "MemTotal", value, sizeof value))
    KN_TRY(kn_record_set_int(record, "memory_total_bytes", strtoll(value, NULL, 10) * 1024));
  if (kn_procfs_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", value, sizeof value)) {
    value[strcspn(value, "\n")] = '\0';
    KN_TRY(kn_record_set_string(record, "governor", value));
  }
  return NULL;
}

kn_status kn_environment_put(kn_record *record) {
  struct utsname name;
  if (!uname(&name)) {
    KN_TRY(kn_record_set_string(record, "hostname", name.nodename));
    KN_TRY(kn_record_set_string(record, "kernel", name.release));
  }
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  if (count > 0) KN_TRY(kn_record_set_int(record, "cpu_count", count));
  double load[3];
  int loads = getloadavg(load, 3);
  if (loads > 0) KN_TRY(kn_record_set_numbers(record, "load_average", load, (size_t)loads));
  char *text = kn_alloc(TEXT_BYTES);
  if (!text) return kn_status_out_of_memory();
  kn_status status = put_files(text, record);
  kn_free(text);
  return status;
}
