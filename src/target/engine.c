#include "target/engine.h"

#include "core/record_json.h"
#include "measurements/procfs.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <sys/time.h>

enum { STEPS_AT_FIRST = 1024, STEPS_LIMIT = 1 << 20 };
#define SAMPLE_PERIOD_S 0.1

kn_status kn_target_engine_open(kn_target_engine *engine) {
  KN_TRY(kn_series_create(STEPS_AT_FIRST, STEPS_LIMIT, &engine->steps));
  return kn_series_create(STEPS_AT_FIRST, STEPS_LIMIT, &engine->ends);
}

static void unload(kn_target_engine *engine) {
  if (engine->loaded) engine->ops->unload(engine->self);
  engine->loaded = false;
  kn_iolayout_clear(&engine->input);
  kn_iolayout_clear(&engine->output);
}

void kn_target_engine_close(kn_target_engine *engine) {
  unload(engine);
  kn_sampler_destroy(engine->sampler);
  engine->sampler = NULL;
  kn_iospec_clear(&engine->spec);
  engine->has_spec = false;
  kn_series_clear(&engine->steps);
  kn_series_clear(&engine->ends);
}

/* A runtime that hangs cannot be stopped from outside its thread: the process ends, and with it the client's session.
 * Deadlines are at least a millisecond (the option). */
static void watch(const kn_target_engine *engine, bool on) {
  if (engine->deadline_s <= 0) return;
  struct itimerval timer = {0};
  if (on) {
    timer.it_value.tv_sec = (time_t)engine->deadline_s;
    timer.it_value.tv_usec = (suseconds_t)((engine->deadline_s - (double)timer.it_value.tv_sec) * 1e6);
  }
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void take_spec(kn_target_engine *engine, kn_iospec spec) {
  kn_iospec_clear(&engine->spec);
  engine->spec = spec;
  engine->has_spec = true;
}

kn_status kn_target_engine_specify(kn_target_engine *engine, const char *json, size_t bytes) {
  kn_iospec spec;
  KN_TRY(kn_iospec_parse(json, bytes, "the client's io specification", &spec));
  take_spec(engine, spec);
  return NULL;
}

kn_status kn_target_engine_specify_packed(kn_target_engine *engine, const uint8_t *bytes, size_t count) {
  kn_iospec spec;
  KN_TRY(kn_packed_iospec_read(bytes, count, &spec));
  take_spec(engine, spec);
  return NULL;
}

/* The first dimension of the first input, where it is given. */
static int64_t batch_of(const kn_target_engine *engine) {
  if (!engine->has_spec) return 1;
  const kn_ioentry *entry = &engine->spec.input.entries[0];
  return entry->rank && entry->shape[0] > 0 ? entry->shape[0] : 1;
}

/* What the client says about an entry that the model leaves open: names and order stay the model's. */
static void fill_open(kn_iolist *list, int64_t batch) {
  for (size_t i = 0; i < list->count; i++)
    if (list->entries[i].rank && list->entries[i].shape[0] == -1) list->entries[i].shape[0] = batch;
}

static kn_status lay_out(kn_target_engine *engine, int64_t batch) {
  kn_iospec spec;
  KN_TRY(engine->ops->iospec(engine->self, &spec));
  fill_open(&spec.input, batch);
  fill_open(&spec.output, batch);
  kn_status status = kn_iolayout_create(&spec.input, engine->payload_limit, &engine->input);
  if (!status) status = kn_iolayout_create(&spec.output, engine->payload_limit, &engine->output);
  kn_iospec_clear(&spec);
  return status;
}

kn_status kn_target_engine_load(kn_target_engine *engine, const char *path, bool sampled) {
  unload(engine);
  int64_t batch = batch_of(engine);
  const kn_load_request request = {.path = path, .spec = engine->has_spec ? &engine->spec : NULL, .batch = batch};
  watch(engine, true);
  int64_t start = kn_now_ns();
  kn_status status = engine->ops->load(engine->self, &request);
  engine->model_times.load = (double)(kn_now_ns() - start) / 1e9;
  if (!status) {
    engine->loaded = true;
    status = lay_out(engine, batch);
  }
  watch(engine, false);
  if (status) {
    unload(engine);
    return status;
  }
  engine->steps.count = engine->ends.count = 0;
  kn_sampler_destroy(engine->sampler);
  engine->sampler = NULL;
  return sampled ? kn_sampler_start(SAMPLE_PERIOD_S, &engine->sampler) : NULL;
}

kn_status kn_target_engine_input(kn_target_engine *engine, void *payload) {
  kn_iolayout_place(&engine->input, payload);
  return engine->ops->set_input(engine->self, engine->input.views, engine->input.count);
}

static kn_status invoke(kn_target_engine *engine, int64_t *out_start, int64_t *out_end) {
  watch(engine, true);
  int64_t start = kn_now_ns();
  kn_status status = engine->ops->invoke(engine->self);
  int64_t end = kn_now_ns();
  watch(engine, false);
  *out_start = start;
  *out_end = end;
  if (status) return status;
  if (!kn_series_append(&engine->steps, (double)(end - start) / 1e9)) {
    engine->unrecorded++;
  } else if (!kn_series_append(&engine->ends, (double)end / 1e9)) {
    engine->steps.count--; /* the two lists stay equally long */
    engine->unrecorded++;
  }
  return NULL;
}

kn_status kn_target_engine_process(kn_target_engine *engine) {
  int64_t start, end;
  return invoke(engine, &start, &end);
}

kn_status kn_target_engine_infer(kn_target_engine *engine, void *input, void *output, kn_infer_times *out_times) {
  *out_times = (kn_infer_times){.whole = kn_now_ns()};
  KN_TRY(kn_target_engine_input(engine, input));
  KN_TRY(invoke(engine, &out_times->start, &out_times->end));
  KN_TRY(kn_target_engine_output(engine, output));
  out_times->ready = kn_now_ns();
  return NULL;
}

kn_status kn_target_engine_output(kn_target_engine *engine, void *payload) {
  kn_iolayout_place(&engine->output, payload);
  return engine->ops->output(engine->self, engine->output.views, engine->output.count);
}

static kn_status put_target(const kn_target_engine *engine, kn_record *record) {
  kn_record *target;
  KN_TRY(kn_record_object(record, "target", &target));
  KN_TRY(kn_record_set_int(target, "peak_rss_bytes", (int64_t)kn_process_peak_rss_bytes()));
  KN_TRY(kn_record_set_number(target, "cpu_seconds", (double)kn_process_cpu_ns() / 1e9));
  KN_TRY(kn_record_set_number(target, "model_hash_seconds", engine->model_times.hash));
  KN_TRY(kn_record_set_number(target, "model_store_seconds", engine->model_times.store));
  KN_TRY(kn_record_set_number(target, "model_load_seconds", engine->model_times.load));
  if (engine->unrecorded) KN_TRY(kn_record_set_int(target, "unrecorded_inferences", (int64_t)engine->unrecorded));
  if (!engine->loaded || !engine->ops->statistics) return NULL;
  kn_record *runtime;
  KN_TRY(kn_record_object(target, "runtime", &runtime));
  return engine->ops->statistics(engine->self, runtime);
}

static kn_status put_all(kn_target_engine *engine, kn_record *record) {
  KN_TRY(kn_record_set_numbers(record, "target_inference_step", engine->steps.values, engine->steps.count));
  KN_TRY(kn_record_set_numbers(record, "target_inference_step_timestamp", engine->ends.values, engine->ends.count));
  KN_TRY(put_target(engine, record));
  if (!engine->sampler) return NULL;
  kn_sampler_stop(engine->sampler);
  KN_TRY(kn_sampler_put(engine->sampler, "session_utilization", record));
  return kn_sampler_put_process(engine->sampler, record);
}

kn_status kn_target_engine_statistics(kn_target_engine *engine, char **out_json, size_t *out_bytes) {
  *out_json = NULL;
  *out_bytes = 0;
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  kn_status status = put_all(engine, record);
  if (!status) {
    *out_json = yyjson_mut_write_opts(kn_record_document(record), 0, &kn_json_allocator, out_bytes, NULL);
    if (!*out_json) status = kn_status_out_of_memory();
  }
  kn_record_destroy(record);
  return status;
}

kn_status kn_target_engine_statistics_packed(kn_target_engine *engine, uint8_t **out_bytes, size_t *out_count) {
  double total = 0, longest = 0;
  for (size_t i = 0; i < engine->steps.count; i++) {
    total += engine->steps.values[i];
    if (engine->steps.values[i] > longest) longest = engine->steps.values[i];
  }
  const kn_packed_row rows[] = {{"inferences", KN_PACKED_PLAIN, engine->steps.count},
                                {"inference_total", KN_PACKED_TIME, (uint64_t)(total * 1e9)},
                                {"inference_longest", KN_PACKED_TIME, (uint64_t)(longest * 1e9)},
                                {"cpu_time", KN_PACKED_TIME, (uint64_t)kn_process_cpu_ns()},
                                {"peak_rss_bytes", KN_PACKED_ALLOCATION, kn_process_peak_rss_bytes()}};
  enum { ROWS = sizeof rows / sizeof *rows };
  *out_count = 0;
  *out_bytes = kn_alloc((size_t)ROWS * KN_PACKED_ROW);
  if (!*out_bytes) return kn_status_out_of_memory();
  for (size_t i = 0; i < ROWS; i++) kn_packed_statistics_write(&rows[i], *out_bytes + i * KN_PACKED_ROW);
  *out_count = (size_t)ROWS * KN_PACKED_ROW;
  kn_sampler_stop(engine->sampler);
  return NULL;
}
