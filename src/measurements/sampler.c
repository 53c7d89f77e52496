#include "measurements/sampler.h"

#include "core/record_json.h"
#include "core/thread.h"
#include "measurements/procfs.h"
#include "measurements/sensors.h"
#include "measurements/series.h"

#include <kenning/services.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  MAXIMUM_CORES = 1024,
  ROOM = 1024,               /* samples before anything is allocated again */
  MAXIMUM_SAMPLES = 1 << 20, /* 29 hours at 0.1 s */
  STAT_BYTES = 1 << 17
};

struct kn_sampler {
  kn_thread thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool started, stopping;
  int64_t period_ns;

  size_t cores;
  kn_cpu_time *before, *now;
  int64_t before_ns, before_cpu_ns; /* clock and CPU time of this process at the sample before */
  char *stat;                       /* STAT_BYTES */
  bool full;

  kn_sensors sensors;
  kn_series cpus;    /* [sample][core] */
  kn_series sensing; /* [sample][sensor] */
  kn_series memory, timestamps, process_rss, process_cpu;
};

static bool append_cores(kn_sampler *sampler) {
  const size_t cells = sampler->cpus.count, cores = sampler->cores;
  for (size_t i = 0; i < cores; i++) {
    double percent = kn_cpu_percent(sampler->before[i], sampler->now[i]);
    /* No tick of this core's clock has passed: what it did before still stands. */
    if (percent < 0) percent = cells >= cores ? sampler->cpus.values[cells - cores + i] : 0;
    if (!kn_series_append(&sampler->cpus, percent)) return false;
  }
  return true;
}

static bool append_sensors(kn_sampler *sampler) {
  for (size_t i = 0; i < sampler->sensors.count; i++)
    if (!kn_series_append(&sampler->sensing, kn_sensor_read(&sampler->sensors.items[i]))) return false;
  return true;
}

/* All or nothing, so that the lists stay equally long. */
static bool append_sample(kn_sampler *sampler, double elapsed, int64_t now_ns, int64_t cpu_ns, double memory) {
  kn_series *const lists[] = {&sampler->cpus,       &sampler->sensing,     &sampler->memory,
                              &sampler->timestamps, &sampler->process_rss, &sampler->process_cpu};
  enum { LISTS = sizeof lists / sizeof *lists };
  size_t counts[LISTS];
  for (size_t i = 0; i < LISTS; i++) counts[i] = lists[i]->count;
  bool whole = append_cores(sampler) && append_sensors(sampler) &&
               kn_series_append(&sampler->memory, memory < 0 ? 0 : memory) &&
               kn_series_append(&sampler->timestamps, (double)now_ns / 1e9) &&
               kn_series_append(&sampler->process_rss, (double)kn_process_rss_bytes()) &&
               kn_series_append(&sampler->process_cpu, 100 * (double)(cpu_ns - sampler->before_cpu_ns) / elapsed);
  for (size_t i = 0; i < LISTS && !whole; i++) lists[i]->count = counts[i];
  return whole;
}

static bool take_sample(kn_sampler *sampler) {
  int64_t now_ns = kn_now_ns(), cpu_ns = kn_process_cpu_ns();
  char meminfo[4096];
  kn_procfs_read("/proc/stat", sampler->stat, STAT_BYTES);
  size_t cores = kn_procfs_cpu_times(sampler->stat, sampler->now, sampler->cores);
  kn_procfs_read("/proc/meminfo", meminfo, sizeof meminfo);
  double elapsed = (double)(now_ns - sampler->before_ns);
  if (cores != sampler->cores || elapsed <= 0) return true; /* a core went away: nothing comparable this time */
  if (!append_sample(sampler, elapsed, now_ns, cpu_ns, kn_procfs_memory_percent(meminfo))) return false;
  memcpy(sampler->before, sampler->now, cores * sizeof *sampler->now);
  sampler->before_ns = now_ns;
  sampler->before_cpu_ns = cpu_ns;
  return true;
}

static void advance(struct timespec *time, int64_t ns) {
  ns += time->tv_nsec;
  time->tv_sec += ns / 1000000000;
  time->tv_nsec = ns % 1000000000;
}

static bool later(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static void *sample(void *context) {
  kn_sampler *sampler = context;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  pthread_mutex_lock(&sampler->lock);
  while (!sampler->stopping && !sampler->full) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    advance(&next, sampler->period_ns);
    if (later(&now, &next)) { /* held up for more than a period: no burst of samples to make up for it */
      next = now;
      advance(&next, sampler->period_ns);
    }
    while (!sampler->stopping && !pthread_cond_timedwait(&sampler->wake, &sampler->lock, &next)) continue;
    if (sampler->stopping) break;
    pthread_mutex_unlock(&sampler->lock);
    bool taken = take_sample(sampler);
    pthread_mutex_lock(&sampler->lock);
    sampler->full = !taken;
  }
  pthread_mutex_unlock(&sampler->lock);
  return NULL;
}

static kn_status prepare(kn_sampler *sampler) {
  sampler->stat = kn_alloc(STAT_BYTES);
  kn_cpu_time *cores = kn_alloc_array(MAXIMUM_CORES, sizeof *cores);
  if (!sampler->stat || !cores) {
    kn_free(cores);
    return kn_status_out_of_memory();
  }
  kn_procfs_read("/proc/stat", sampler->stat, STAT_BYTES);
  sampler->cores = kn_procfs_cpu_times(sampler->stat, cores, MAXIMUM_CORES);
  sampler->before = cores;
  sampler->now = kn_alloc_array(MAXIMUM_CORES, sizeof *sampler->now);
  if (!sampler->now) return kn_status_out_of_memory();
  if (!sampler->cores) return kn_status_make(KN_IO_ERROR, "/proc/stat lists no processor: is /proc mounted?");
  sampler->before_ns = kn_now_ns();
  sampler->before_cpu_ns = kn_process_cpu_ns();
  KN_TRY(kn_series_create(ROOM * sampler->cores, MAXIMUM_SAMPLES * sampler->cores, &sampler->cpus));
  const char *root = getenv("KENNING_SYSFS");
  KN_TRY(kn_sensors_open(root && *root ? root : "/sys", &sampler->sensors));
  size_t sensors = sampler->sensors.count ? sampler->sensors.count : 1;
  KN_TRY(kn_series_create(ROOM * sensors, MAXIMUM_SAMPLES * sensors, &sampler->sensing));
  KN_TRY(kn_series_create(ROOM, MAXIMUM_SAMPLES, &sampler->memory));
  KN_TRY(kn_series_create(ROOM, MAXIMUM_SAMPLES, &sampler->timestamps));
  KN_TRY(kn_series_create(ROOM, MAXIMUM_SAMPLES, &sampler->process_rss));
  return kn_series_create(ROOM, MAXIMUM_SAMPLES, &sampler->process_cpu);
}

kn_status kn_sampler_start(double period_s, kn_sampler **out_sampler) {
  *out_sampler = NULL;
  kn_sampler *sampler = kn_alloc(sizeof *sampler);
  if (!sampler) return kn_status_out_of_memory();
  sampler->period_ns = (int64_t)(period_s * 1e9);
  pthread_mutex_init(&sampler->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&sampler->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  kn_status status = prepare(sampler);
  if (!status) {
    int error = kn_thread_start(&sampler->thread, NULL, sample, sampler);
    if (error) status = kn_status_make(KN_OUT_OF_MEMORY, "cannot start the sampling thread: %s", strerror(error));
    sampler->started = !error;
  }
  if (status)
    kn_sampler_destroy(sampler);
  else
    *out_sampler = sampler;
  return status;
}

void kn_sampler_stop(kn_sampler *sampler) {
  if (!sampler || !sampler->started) return;
  pthread_mutex_lock(&sampler->lock);
  sampler->stopping = true;
  pthread_cond_signal(&sampler->wake);
  pthread_mutex_unlock(&sampler->lock);
  kn_thread_join(&sampler->thread);
  sampler->started = false;
  /* A very short last interval would say more about the kernel's ticks than about the load. */
  if (!sampler->full && kn_now_ns() - sampler->before_ns >= sampler->period_ns / 2)
    sampler->full = !take_sample(sampler);
  if (sampler->full)
    kn_log(KN_LOG_WARNING, "sampling of CPU and memory ended after %zu samples: no room for more",
           sampler->timestamps.count);
}

void kn_sampler_destroy(kn_sampler *sampler) {
  if (!sampler) return;
  kn_sampler_stop(sampler);
  pthread_cond_destroy(&sampler->wake);
  pthread_mutex_destroy(&sampler->lock);
  kn_series_clear(&sampler->cpus);
  kn_sensors_clear(&sampler->sensors);
  kn_series_clear(&sampler->sensing);
  kn_series_clear(&sampler->memory);
  kn_series_clear(&sampler->timestamps);
  kn_series_clear(&sampler->process_rss);
  kn_series_clear(&sampler->process_cpu);
  kn_free(sampler->before);
  kn_free(sampler->now);
  kn_free(sampler->stat);
  kn_free(sampler);
}

/* ---- results ---- */

static kn_status put(kn_record *record, const char *prefix, const char *name, const kn_series *series) {
  char key[128];
  snprintf(key, sizeof key, "%s_%s", prefix, name);
  return kn_record_set_numbers(record, key, series->values, series->count);
}

/* One list per sensor, under its name. */
static kn_status put_sensors(const kn_sampler *sampler, kn_sensor_kind kind, const char *key, kn_record *record) {
  const kn_sensors *sensors = &sampler->sensors;
  const size_t samples = sampler->timestamps.count;
  kn_record *group = NULL;
  double *values = kn_alloc_array(samples, sizeof *values);
  kn_status status = values ? NULL : kn_status_out_of_memory();
  for (size_t i = 0; !status && i < sensors->count; i++) {
    if (sensors->items[i].kind != kind) continue;
    for (size_t k = 0; k < samples; k++) values[k] = sampler->sensing.values[k * sensors->count + i];
    if (!group) status = kn_record_object(record, key, &group);
    if (!status) status = kn_record_set_numbers(group, sensors->items[i].name, values, samples);
  }
  kn_free(values);
  return status;
}

kn_status kn_sampler_put(const kn_sampler *sampler, const char *prefix, kn_record *record) {
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_val *rows = yyjson_mut_arr(doc);
  for (size_t i = 0; rows && i < sampler->cpus.count; i += sampler->cores) {
    yyjson_mut_val *row = yyjson_mut_arr_with_real(doc, sampler->cpus.values + i, sampler->cores);
    if (!row || !yyjson_mut_arr_append(rows, row)) return kn_status_out_of_memory();
  }
  char key[128];
  snprintf(key, sizeof key, "%s_cpus_percent", prefix);
  KN_TRY(kn_record_set_value(record, key, rows));
  KN_TRY(put(record, prefix, "mem_percent", &sampler->memory));
  snprintf(key, sizeof key, "%s_temperature_celsius", prefix);
  KN_TRY(put_sensors(sampler, KN_SENSOR_TEMPERATURE, key, record));
  snprintf(key, sizeof key, "%s_frequency_hz", prefix);
  KN_TRY(put_sensors(sampler, KN_SENSOR_FREQUENCY, key, record));
  return put(record, prefix, "timestamp", &sampler->timestamps);
}

kn_status kn_sampler_put_process(const kn_sampler *sampler, kn_record *record) {
  KN_TRY(kn_record_set_numbers(record, "process_rss_bytes", sampler->process_rss.values, sampler->process_rss.count));
  KN_TRY(kn_record_set_numbers(record, "process_cpu_percent", sampler->process_cpu.values, sampler->process_cpu.count));
  return kn_record_set_numbers(record, "process_timestamp", sampler->timestamps.values, sampler->timestamps.count);
}
