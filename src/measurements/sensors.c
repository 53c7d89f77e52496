#include "measurements/sensors.h"

#include "core/number.h"
#include "measurements/procfs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 256, COLDEST = -273, HOTTEST = 1000 };

/* A number in a file of one line. */
static bool read_number(const char *path, double *out) {
  char text[64], *end;
  if (!kn_procfs_read(path, text, sizeof text)) return false;
  double value = kn_number_read(text, &end);
  if (end == text || (*end && *end != '\n')) return false;
  *out = value;
  return true;
}

/* Thousandths of a degree; thousands of hertz. */
static bool read_value(const kn_sensor *sensor, double *out) {
  double value;
  if (!read_number(sensor->path, &value)) return false;
  value = sensor->kind == KN_SENSOR_TEMPERATURE ? value / 1e3 : value * 1e3;
  bool possible =
      sensor->kind == KN_SENSOR_TEMPERATURE ? value >= COLDEST && value <= HOTTEST : value > 0 && value < 1e12;
  if (possible) *out = value;
  return possible;
}

static bool known(const kn_sensors *sensors, kn_sensor_kind kind, const char *name) {
  for (size_t i = 0; i < sensors->count; i++)
    if (sensors->items[i].kind == kind && !strcmp(sensors->items[i].name, name)) return true;
  return false;
}

/* Takes `path`. What cannot be read is left out. */
static kn_status add(kn_sensors *sensors, kn_sensor_kind kind, const char *name, char *path) {
  if (!path) return kn_status_out_of_memory();
  kn_sensor sensor = {.kind = kind, .path = path};
  snprintf(sensor.name, sizeof sensor.name, "%s", name);
  for (int i = 2; known(sensors, kind, sensor.name); i++)
    snprintf(sensor.name, sizeof sensor.name, "%.48s-%d", name, i);
  if (sensors->count == LIMIT || !read_value(&sensor, &sensor.last)) {
    kn_free(path);
    return NULL;
  }
  kn_sensor *items = kn_realloc(sensors->items, (sensors->count + 1) * sizeof *items);
  if (!items) {
    kn_free(path);
    return kn_status_out_of_memory();
  }
  sensors->items = items;
  items[sensors->count++] = sensor;
  return NULL;
}

/* The zone's type, as text that may stand anywhere. */
static kn_status add_zone(kn_sensors *sensors, const char *directory, const char *zone) {
  char name[64];
  char *path = kn_format("%s/%s/type", directory, zone);
  if (!path) return kn_status_out_of_memory();
  size_t length = kn_procfs_read(path, name, sizeof name);
  kn_free(path);
  while (length && name[length - 1] == '\n') name[--length] = '\0';
  for (size_t i = 0; i < length; i++)
    if (name[i] <= 0x20 || name[i] >= 0x7F) name[i] = '_';
  return add(sensors, KN_SENSOR_TEMPERATURE, length ? name : zone, kn_format("%s/%s/temp", directory, zone));
}

static kn_status add_core(kn_sensors *sensors, const char *directory, const char *core) {
  return add(sensors, KN_SENSOR_FREQUENCY, core, kn_format("%s/%s/cpufreq/scaling_cur_freq", directory, core));
}

/* Entries `prefix` and a number, in order of it. */
static kn_status add_all(kn_sensors *sensors, char *directory, const char *prefix,
                         kn_status (*one)(kn_sensors *, const char *, const char *)) {
  struct dirent **entries = NULL;
  if (!directory) return kn_status_out_of_memory();
  int count = scandir(directory, &entries, NULL, versionsort);
  kn_status status = NULL;
  size_t length = strlen(prefix);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name, *digits = name + length;
    bool numbered = !strncmp(name, prefix, length) && *digits && strspn(digits, "0123456789") == strlen(digits);
    if (!status && numbered) status = one(sensors, directory, name);
    free(entries[i]);
  }
  free(entries);
  kn_free(directory);
  return status;
}

kn_status kn_sensors_open(const char *root, kn_sensors *out_sensors) {
  *out_sensors = (kn_sensors){0};
  kn_status status = add_all(out_sensors, kn_format("%s/class/thermal", root), "thermal_zone", add_zone);
  if (!status) status = add_all(out_sensors, kn_format("%s/devices/system/cpu", root), "cpu", add_core);
  if (status) kn_sensors_clear(out_sensors);
  return status;
}

void kn_sensors_clear(kn_sensors *sensors) {
  for (size_t i = 0; i < sensors->count; i++) kn_free(sensors->items[i].path);
  kn_free(sensors->items);
  *sensors = (kn_sensors){0};
}

double kn_sensor_read(kn_sensor *sensor) {
  (void)read_value(sensor, &sensor->last);
  return sensor->last;
}
