/* Temperatures and clock frequencies of this machine, as Linux tells them in /sys: thermal zones and cpufreq. Virtual
 * machines have neither. */
#ifndef KENNING_MEASUREMENTS_SENSORS_H
#define KENNING_MEASUREMENTS_SENSORS_H

#include <kenning/status.h>

typedef enum kn_sensor_kind {
  KN_SENSOR_TEMPERATURE = 1, /* degrees Celsius */
  KN_SENSOR_FREQUENCY        /* hertz, of a processor's core */
} kn_sensor_kind;

typedef struct kn_sensor {
  kn_sensor_kind kind;
  char name[64]; /* of the zone, "cpu-thermal"; of the core, "cpu0"; different among sensors of a kind */
  char *path;
  double last; /* value of the last reading that succeeded */
} kn_sensor;

typedef struct kn_sensors {
  kn_sensor *items;
  size_t count;
} kn_sensors;

/* Those below `root` ("/sys") that can be read now; none is no fault. */
kn_status kn_sensors_open(const char *root, kn_sensors *out_sensors) KN_MUST_USE;
void kn_sensors_clear(kn_sensors *sensors);
/* Reads a sensor; one that cannot be read any more keeps its last value. */
double kn_sensor_read(kn_sensor *sensor);

#endif
